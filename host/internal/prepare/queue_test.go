package prepare

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// asked is a build that a test asks for: its plugin, "!" for one that requests wait
// for, and its memory, "b! 30".
func asked(t *testing.T, q *queue, text string) *turn {
	t.Helper()
	owner, memory := "", int64(0)
	if _, err := fmt.Sscan(text, &owner, &memory); err != nil {
		t.Fatal(err)
	}
	name, awaited := strings.CutSuffix(owner, "!")
	return q.add(name, awaited, memory)
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestTurns(t *testing.T) {
	for _, tt := range []struct {
		name   string
		places int
		builds string // that ask while another one runs, in this order
		want   string // in which they begin, one after the other
	}{
		{"in the order they came", 1, "a 1,b 1,c 1", "a,b,c"},
		{"plugins take turns", 1, "a 1,a 1,a 1,b 1,c 1,b 1", "a,b,c,a,b,a"},
		{"those that requests wait for come first", 1, "a 1,b 1,c! 1,a! 1", "c,a,a,b"},
		{"the large one is not overtaken", 2, "a 75,b 1,c 1", "a,b,c"},
		{"two plugins of which one has many", 2, "a 1,a 1,a 1,a 1,b 1", "a,b,a,a,a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := &queue{limits: Limits{Memory: 100, Places: tt.places}}
			first := q.add("first", false, 60)
			turns := map[*turn]string{}
			var order []*turn
			for text := range strings.SplitSeq(tt.builds, ",") {
				it := asked(t, q, text)
				turns[it], order = strings.Fields(strings.ReplaceAll(text, "!", ""))[0], append(order, it)
			}
			var got []string
			q.leave(first)
			for len(order) > 0 {
				i := slices.IndexFunc(order, func(it *turn) bool { return isClosed(it.begun) })
				if i < 0 {
					t.Fatalf("nothing runs after %v", got)
				}
				got = append(got, turns[order[i]])
				q.leave(order[i])
				order = slices.Delete(order, i, i+1)
			}
			if s := strings.Join(got, ","); s != tt.want {
				t.Errorf("they ran as %s, want %s", s, tt.want)
			}
			if len(q.turns) > 0 || q.running != 0 || q.memory != 0 {
				t.Errorf("%+v is left", q)
			}
		})
	}
}

// However many uploads run and wait, a build that requests wait for finds a place
// and memory.
func TestUploadsLeaveAPlace(t *testing.T) {
	for _, memory := range []int64{1, 40, 75} {
		q := &queue{limits: Limits{Memory: 100, Places: 3}}
		for range 5 {
			q.add("a", false, memory)
			q.add("b", false, memory)
		}
		if want := map[int64]int{1: 2, 40: 1, 75: 1}[memory]; q.running != want {
			t.Errorf("%d of %d bytes run, want %d", q.running, memory, want)
		}
		if it := q.add("c", true, 25); !isClosed(it.begun) {
			t.Errorf("beside uploads of %d it waits", memory)
		}
	}
}

// A plugin's uploads take one place, however many there are, and its wake another.
func TestAPluginHasOnePlace(t *testing.T) {
	q := &queue{limits: Limits{Memory: 100, Places: 9}}
	for range 3 {
		q.add("a", false, 1)
	}
	other, wake := q.add("b", false, 1), q.add("a", true, 1)
	if q.running != 3 || !isClosed(other.begun) || !isClosed(wake.begun) {
		t.Errorf("%d run, want one upload of each and the wake", q.running)
	}
}

// TestQueueUnderLoad: what runs is within the bounds at every moment, and everybody
// gets a turn or gives it up.
func TestQueueUnderLoad(t *testing.T) {
	q := &queue{limits: Limits{Memory: 100, Places: 4}}
	var mu sync.Mutex
	running, memory := 0, int64(0)
	change := func(n int, bytes int64) {
		mu.Lock()
		defer mu.Unlock()
		if running, memory = running+n, memory+bytes; running > 4 || memory > 100 {
			t.Errorf("%d run with %d bytes", running, memory)
		}
	}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for n := range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				if n%7 == 0 {
					go cancel()
				}
				bytes := rand.Int64N(75)
				if leave, err := q.enter(ctx, fmt.Sprint(i%5), n%3 == 0, bytes); err == nil {
					change(1, bytes)
					change(-1, -bytes)
					leave()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if len(q.turns) > 0 || q.running != 0 || q.memory != 0 {
		t.Errorf("%d turns are left, %d run with %d bytes", len(q.turns), q.running, q.memory)
	}
}

func TestAllowance(t *testing.T) {
	l := Limits{Memory: 3 << 30, CPU: 30e9, Places: 2}
	for _, tt := range []struct {
		module  int
		guest   int64
		awaited bool
		memory  int64
		seconds float64
	}{
		{0, 0, false, 384 << 20, 30},
		{8 << 20, 64 << 20, false, 768 << 20, 30},
		{16 << 20, 64 << 20, true, 1280 << 20, 60},
		{64 << 20, 64 << 20, false, 2304 << 20, 240},
		{64 << 20, 64 << 20, true, 3 << 30, 240},
		{1, 512 << 20, false, 2048<<20 + 64, 30},
	} {
		a := l.allow(tt.module, tt.guest, tt.awaited)
		if a.Memory != tt.memory || a.CPU.Seconds() != tt.seconds {
			t.Errorf("a module of %d bytes and a guest of %d may take %d bytes and %v, want %d and %v s",
				tt.module, tt.guest, a.Memory, a.CPU, tt.memory, tt.seconds)
		}
	}
}
