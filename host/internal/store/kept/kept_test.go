package kept

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// fake is a store of which only changes are known.
type fake struct {
	store.Watches
	mu       sync.Mutex
	revision store.Revision
	history  []change
}

type change struct {
	revision store.Revision
	space    store.Space
	key      string
}

// shown is a snapshot of which only the revision is asked.
type shown struct {
	store.Snapshot
	revision store.Revision
}

func (s shown) Revision() store.Revision { return s.revision }
func (s shown) Release()                 {}

func (f *fake) Snapshot() (store.Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return shown{revision: f.revision}, nil
}

func (f *fake) Published() store.Revision {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.revision
}

// commit publishes a group, after its revision is visible, as an engine does.
func (f *fake) commit(space store.Space, keys ...string) store.Revision {
	f.mu.Lock()
	f.revision++
	revision := f.revision
	for _, key := range keys {
		f.history = append(f.history, change{revision, space, key})
	}
	f.mu.Unlock()
	f.Publish(store.Group{Revision: revision, Size: int64(len(keys)), Changed: func(yield func(store.Space, []byte) bool) {
		for _, key := range keys {
			if !yield(space, []byte(key)) {
				return
			}
		}
	}})
	return revision
}

// changedSince is what an index answers, by a walk over everything.
func (f *fake) changedSince(r store.Reads) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.history {
		for _, p := range r.Parts {
			if c.revision <= r.Revision || c.space != p.Space {
				continue
			}
			for _, key := range p.Keys {
				if string(key) == c.key {
					return true
				}
			}
			for _, rng := range p.Ranges {
				if rng.Contains([]byte(c.key)) {
					return true
				}
			}
		}
	}
	return false
}

// settle waits until the index knows all that was committed.
func settle(t interface{ Fatal(...any) }, x *Index, f *fake) {
	f.mu.Lock()
	want := f.revision
	f.mu.Unlock()
	for end := time.Now().Add(time.Minute); x.Through() < want; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the index does not follow")
		}
	}
}

func begun(t interface{ Fatal(...any) }, f *fake) (*Index, func()) {
	x := New(f, 64<<20)
	end, err := x.Begin()
	if err != nil {
		t.Fatal(err)
	}
	return x, func() {
		end()
		x.Wait()
	}
}

func keys(list ...string) (b [][]byte) {
	for _, key := range list {
		b = append(b, []byte(key))
	}
	return b
}

// randomReads are some keys and disjoint intervals of two spaces.
func randomReads(rng *rand.Rand, revision store.Revision) store.Reads {
	r := store.Reads{Revision: revision}
	name := func() string { return fmt.Sprintf("%02d", rng.IntN(40)) }
	for space := store.Space(1); space <= 2; space++ {
		p := store.ReadPart{Space: space}
		for range rng.IntN(4) {
			p.Keys = append(p.Keys, []byte(name()))
		}
		for range rng.IntN(3) {
			from, to := name(), name()
			if from > to {
				from, to = to, from
			}
			one := store.Range{From: []byte(from), To: []byte(to + "x")}
			if rng.IntN(10) == 0 {
				one.To = nil
			}
			p.Ranges = append(p.Ranges, one)
		}
		if len(p.Keys)+len(p.Ranges) > 0 {
			r.Parts = append(r.Parts, p)
		}
	}
	return r
}

// TestIndexIsThatOfAModel adds and closes entries of which some have read long ago,
// between random commits: exactly those are told of which a walk over everything says
// that they are changed, each once.
func TestIndexIsThatOfAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		f := &fake{}
		x, end := begun(t, f)
		defer end()
		type kept struct {
			*Entry
			reads store.Reads
			told  *atomic.Int32
		}
		var entries []kept
		for range 60 {
			switch n := rng.IntN(10); {
			case n < 4:
				read := f.revision - store.Revision(rng.IntN(int(min(f.revision, 5))+1))
				k := kept{reads: randomReads(rng, read), told: new(atomic.Int32)}
				k.Entry = x.Add(k.reads, func() { k.told.Add(1) })
				entries = append(entries, k)
			case n < 9:
				var list []string
				for range rng.IntN(3) {
					list = append(list, fmt.Sprintf("%02d", rng.IntN(40)))
				}
				f.commit(store.Space(1+rng.IntN(3)), list...)
				settle(t, x, f)
			case len(entries) > 0:
				i := rng.IntN(len(entries))
				entries[i].Close()
				entries = append(entries[:i], entries[i+1:]...)
			}
			for _, k := range entries {
				want := f.changedSince(k.reads)
				if k.Touched() != want || k.told.Load() > 1 || want != (k.told.Load() == 1) {
					t.Fatalf("%+v: told %d times, changed: %v", k.reads, k.told.Load(), want)
				}
			}
		}
		for _, k := range entries {
			k.Close()
		}
		if got := x.Stats(); got.Entries != 0 || got.Bytes != 0 {
			t.Fatalf("after all were closed there is %+v", got)
		}
		for i := range x.shards {
			if len(x.shards[i].keys)+len(x.shards[i].ranges) > 0 {
				t.Fatalf("a shard keeps %+v", &x.shards[i])
			}
		}
	})
}

// TestNoWakeUpIsLost commits without a pause while entries are added that have read just
// before: each is told.
func TestNoWakeUpIsLost(t *testing.T) {
	f := &fake{}
	x, end := begun(t, f)
	defer end()
	var writers sync.WaitGroup
	stop := make(chan struct{})
	writers.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				f.commit(1, fmt.Sprint(i%50))
			}
		}
	})
	var adders sync.WaitGroup
	for a := range 4 {
		adders.Go(func() {
			for i := range 300 {
				told := make(chan struct{})
				snap, _ := f.Snapshot()
				r := store.Reads{Revision: snap.Revision(), Parts: []store.ReadPart{{Space: 1, Keys: keys(fmt.Sprint((a + i) % 50))}}}
				if i%3 == 0 {
					r.Parts[0] = store.ReadPart{Space: 1, Ranges: []store.Range{{From: []byte("2"), To: []byte("4")}}}
				}
				e := x.Add(r, func() { close(told) })
				select {
				case <-told:
				case <-time.After(time.Minute):
					t.Error("an entry was not told of a commit")
					return
				}
				e.Close()
			}
		})
	}
	adders.Wait()
	close(stop)
	writers.Wait()
}

// TestLost: who follows too slowly has everybody told, and so has a dropped space.
func TestLost(t *testing.T) {
	f := &fake{}
	x, end := begun(t, f)
	defer end()
	other := store.Reads{Revision: 0, Parts: []store.ReadPart{{Space: 2, Keys: keys("a")}}}
	e := x.Add(other, func() {})
	f.mu.Lock()
	f.revision++
	f.mu.Unlock()
	f.Publish(store.Group{Revision: 1, Size: 1 << 40})
	settle(t, x, f)
	if !e.Touched() {
		t.Error("changes were lost, and an entry does not know")
	}
	e.Close()
	other.Revision = 1
	e = x.Add(other, func() {})
	if e.Touched() {
		t.Error("a later entry was told")
	}
	f.mu.Lock()
	f.revision++
	f.mu.Unlock()
	f.Publish(store.Group{Revision: 2, Dropped: []store.Space{1}})
	settle(t, x, f)
	if !e.Touched() {
		t.Error("a space was dropped, and an entry does not know")
	}
	e.Close()
}

// TestCoarse: over its memory the index keeps less detail, and loses no change.
func TestCoarse(t *testing.T) {
	f := &fake{}
	x, end := begun(t, f)
	defer end()
	x.most = 2000
	var r store.Reads
	r.Parts = []store.ReadPart{{Space: 1, Keys: keys("b", "d", "f", "h", "k", "m"), Ranges: []store.Range{{From: []byte("a5"), To: []byte("a7")}, {From: []byte("p"), To: []byte("q")}}}}
	within := x.Add(r, func() {})
	over := x.Add(r, func() {})
	if got := x.Stats(); got.Coarse != 1 || got.Bytes > 3000 {
		t.Errorf("%+v", got)
	}
	f.commit(1, "a")
	f.commit(1, "q")
	settle(t, x, f)
	if within.Touched() || over.Touched() {
		t.Error("told of what lies outside")
	}
	f.commit(1, "c")
	settle(t, x, f)
	if within.Touched() || !over.Touched() {
		t.Error("the coarse one should be told of what lies between")
	}
	f.commit(1, "p5")
	settle(t, x, f)
	if !within.Touched() {
		t.Error("not told of what was read")
	}
	within.Close()
	over.Close()
	open := coarse([]store.ReadPart{{Space: 1, Keys: keys("x"), Ranges: []store.Range{{From: []byte("b")}}}})[0].Ranges[0]
	if !bytes.Equal(open.From, []byte("b")) || open.To != nil {
		t.Errorf("%q", open)
	}
}

// TestCurrent: whoever asks whether the index is current finds every entry told of what can
// be read, however far its goroutine is; and nobody is told that it is who cannot know.
func TestCurrent(t *testing.T) {
	f := &fake{}
	x, end := begun(t, f)
	for range 1000 {
		e := x.Add(store.Reads{Revision: f.Published(), Parts: []store.ReadPart{{Space: 1, Keys: keys("a")}}}, func() {})
		f.commit(1, "b")
		if !x.Current() || !e.Holds() || e.Bytes() <= 0 {
			t.Fatal("told of what it does not rest on")
		}
		f.commit(1, "a")
		if !x.Current() || e.Holds() {
			t.Fatal("current, and an entry holds whose key was changed")
		}
		e.Close()
		if e.Holds() {
			t.Fatal("closed, and it holds")
		}
	}
	f.mu.Lock()
	f.revision++ // can be read, and was not passed on
	f.mu.Unlock()
	if x.Current() {
		t.Error("current, and a commit was not passed on")
	}
	end()
	if x.Current() {
		t.Error("it follows nothing, and is current")
	}
}

// TestReadBeforeBegin: who has read before the index began cannot be compared, and is told.
func TestReadBeforeBegin(t *testing.T) {
	f := &fake{}
	f.commit(1, "a")
	f.commit(1, "b")
	x, end := begun(t, f)
	defer end()
	e := x.Add(store.Reads{Revision: 1, Parts: []store.ReadPart{{Space: 1, Keys: keys("c")}}}, func() {})
	if !e.Touched() {
		t.Error("nobody knows what came between, and the entry was not told")
	}
	e.Close()
	nothing := x.Add(store.Reads{Revision: 1}, func() {})
	if nothing.Touched() {
		t.Error("who has read nothing was told")
	}
	nothing.Close()
}

// BenchmarkCommit publishes changes of one key while so many entries rest on it, each of
// which is added again as soon as it is told, and beside none. What counts is the time
// that a commit takes.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{0, 1, 100_000} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			f := &fake{}
			x, end := begun(b, f)
			defer end()
			r := store.Reads{Parts: []store.ReadPart{{Space: 1, Keys: keys("hot")}}}
			entries := make([]*Entry, n)
			for i := range entries {
				entries[i] = x.Add(r, func() {})
			}
			changed := func(yield func(store.Space, []byte) bool) { yield(1, []byte("hot")) }
			b.ResetTimer()
			for i := range b.N {
				f.Publish(store.Group{Revision: store.Revision(i + 1), Changed: changed, Size: 3})
			}
			b.StopTimer()
			for _, e := range entries {
				e.Close()
			}
		})
	}
}
