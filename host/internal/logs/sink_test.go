package logs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/host/internal/logs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// told collects losses.
type told struct {
	mu   sync.Mutex
	list []logs.Loss
}

func (t *told) add(l *logs.Loss) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, *l)
}

func (t *told) get() []logs.Loss {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.list
}

// slow is a place to write to whose reader sleeps until it is woken.
type slow struct {
	bytes.Buffer
	awake chan struct{}
	err   error
}

func (s *slow) Write(b []byte) (int, error) {
	<-s.awake
	if s.err != nil {
		return 0, s.err
	}
	return s.Buffer.Write(b)
}

func line(of string, i int) string { return fmt.Sprintf("%s %d\n", of, i) }

func closeIn(t *testing.T, s *logs.Sink, d time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return s.Close(ctx)
}

// Lines come out whole and in order, and the last ones before Close returns.
func TestSinkWritesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		var lost told
		s := logs.NewSink(&out, lost.add)
		a, b := s.Share("a", 1<<20), s.Share("b", 1<<20)
		var want strings.Builder
		for i := range 1000 {
			for name, w := range map[string]io.Writer{"a": a, "b": b} {
				want.WriteString(line(name, i))
				if n, err := io.WriteString(w, line(name, i)); n != len(line(name, i)) || err != nil {
					t.Fatal(n, err)
				}
			}
			if i%100 == 0 {
				time.Sleep(time.Second)
			}
		}
		if err := closeIn(t, s, time.Second); err != nil || out.String() != want.String() || len(lost.get()) > 0 {
			t.Errorf("got %d bytes, error %v, lost %v; want %d bytes", out.Len(), err, lost.get(), want.Len())
		}
		_, _ = io.WriteString(a, "late\n")
	})
}

// A reader that stalls holds nobody up. What has no room is dropped and counted, and
// told once it reads again; a flood of one share takes no room from another.
func TestSinkWithAStalledReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, lost := &slow{awake: make(chan struct{})}, told{}
		s := logs.NewSink(out, lost.add)
		flood, host := s.Share("plugins", 1000), s.Share("host", 1000)
		for i := range 10_000 {
			_, _ = io.WriteString(flood, line("flood", i))
		}
		_, _ = io.WriteString(host, line("host", 1))
		time.Sleep(time.Hour)
		_, _ = io.WriteString(host, line("host", 2))
		if len(lost.get()) > 0 {
			t.Errorf("told %v while nobody reads", lost.get())
		}
		close(out.awake)
		time.Sleep(time.Second)
		synctest.Wait()
		kept := strings.Count(out.String(), "\n") - 2
		want := logs.Loss{Share: "plugins", Lines: int64(10_000 - kept)}
		if got := lost.get(); len(got) != 1 || got[0] != want || kept < 50 || out.Len() > 1100 {
			t.Errorf("kept %d lines, told %+v, want %+v", kept, got, want)
		}
		if !strings.Contains(out.String(), "host 1\n") || !strings.Contains(out.String(), "host 2\n") {
			t.Errorf("the host's lines are lost: %q", out.String())
		}
		_, _ = io.WriteString(flood, line("again", 1))
		if err := closeIn(t, s, time.Second); err != nil || !strings.HasSuffix(out.String(), "again 1\n") {
			t.Errorf("after that: error %v, %q", err, out.String())
		}
	})
}

// Close gives a stalled reader up.
func TestSinkClosesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &slow{awake: make(chan struct{})}
		s := logs.NewSink(out, new(told).add)
		_, _ = io.WriteString(s.Share("host", 1000), "a\n")
		time.Sleep(time.Second)
		start := time.Now()
		if err := closeIn(t, s, time.Second); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("error %v after %s", err, time.Since(start))
		}
		close(out.awake) // lets the goroutine end
		synctest.Wait()
	})
}

// A flood is told at most every 10 s, and its end soon after it.
func TestSinkTellsNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost told
		out := &slow{awake: make(chan struct{})}
		close(out.awake)
		s := logs.NewSink(out, lost.add)
		w := s.Share("a", 10)
		for range 100 {
			for range 10 {
				_, _ = io.WriteString(w, "12345678\n")
			}
			time.Sleep(250 * time.Millisecond) // 25 s in all
		}
		if got := len(lost.get()); got != 3 {
			t.Errorf("told %d times in 25 s, want 3", got)
		}
		time.Sleep(10 * time.Second)
		sum := int64(0)
		for _, l := range lost.get() {
			sum += l.Lines
		}
		got := len(lost.get())
		if err := closeIn(t, s, time.Second); err != nil {
			t.Error(err)
		}
		// Of the ten one fits, and another where the first was written in time.
		if written := int64(strings.Count(out.String(), "\n")); got != 4 || sum != 1000-written || written < 100 {
			t.Errorf("told %d times of %d lines, want 4; %d of 1000 were written", got, sum, written)
		}
	})
}

func TestSinkTellsOfFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, lost := &slow{awake: make(chan struct{}), err: errors.New("disk full")}, told{}
		close(out.awake)
		s := logs.NewSink(out, lost.add)
		w := s.Share("requests", 1000)
		_, _ = io.WriteString(w, "a\n")
		_, _ = io.WriteString(w, "b\n")
		time.Sleep(time.Second)
		synctest.Wait()
		if got := lost.get(); len(got) != 1 || got[0].Lines != 2 || !errors.Is(got[0].Err, out.err) {
			t.Errorf("told %+v", got)
		}
		out.err = nil
		_, _ = io.WriteString(w, "c\n")
		if err := closeIn(t, s, time.Second); err != nil || out.String() != "c\n" || len(lost.get()) != 1 {
			t.Errorf("error %v, %q, told %v", err, out.String(), lost.get())
		}
	})
}

// TestSinkHammer is for the race detector: whatever is written is either in the
// output or told as dropped.
func TestSinkHammer(t *testing.T) {
	var out bytes.Buffer
	var lost told
	s := logs.NewSink(&out, lost.add)
	var writers sync.WaitGroup
	const each, many = 2000, 8
	for i := range many {
		w := s.Share(fmt.Sprint(i), 2000)
		writers.Go(func() {
			for range each {
				_, _ = io.WriteString(w, line("x", 1))
			}
		})
	}
	writers.Wait()
	if err := closeIn(t, s, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	sum := strings.Count(out.String(), "x 1\n")
	for _, l := range lost.get() {
		sum += int(l.Lines)
	}
	if sum != each*many {
		t.Errorf("%d lines are written or told as dropped, want %d", sum, each*many)
	}
}

func BenchmarkSink(b *testing.B) {
	s := logs.NewSink(io.Discard, func(*logs.Loss) {})
	w := s.Share("a", 1<<20)
	text := []byte(strings.Repeat("x", 300) + "\n")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = w.Write(text)
	}
	_ = s.Close(b.Context())
}
