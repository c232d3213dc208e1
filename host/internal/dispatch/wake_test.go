package dispatch_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// loader is what a service loads its program with, when the test lets it.
type loader struct {
	loads atomic.Int64
	next  chan error // what each load ends with
}

func (l *loader) load(m *machine) func(context.Context) (engine.Program, error) {
	return func(ctx context.Context) (engine.Program, error) {
		l.loads.Add(1)
		select {
		case err := <-l.next:
			if err != nil {
				return nil, err
			}
			return m, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (b *bench) asleep(m *machine, l *loader) *dispatch.Deployment {
	m.t, l.next = b.t, make(chan error)
	return b.serve(func(c *dispatch.Config) { c.Load = l.load(m) })
}

func TestManyRequestsWakeOnce(t *testing.T) {
	b := newBench(t, 0)
	var m machine
	var l loader
	s := b.asleep(&m, &l)
	if got := s.Stats(); got.Loaded {
		t.Fatalf("a new service has %+v", got)
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { b.request(s) })
	}
	for s.InFlight() != 100 {
		runtime.Gosched()
	}
	l.next <- nil
	all.Wait()
	if got := l.loads.Load(); got != 1 {
		t.Errorf("100 requests loaded it %d times, want once", got)
	}
	if got := s.Stats(); !got.Loaded || got.Busy != 0 || got.Idle != m.counts().Made {
		t.Errorf("afterwards it has %+v of %+v", got, m.counts())
	}
}

func TestAWakeThatFails(t *testing.T) {
	b := newBench(t, 0)
	var m machine
	var l loader
	s := b.asleep(&m, &l)
	broken := errors.New("broken")
	for i, seconds := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
		first := make(chan error, 1)
		go func() { first <- request(t.Context(), s, 0) }()
		l.next <- broken
		if err := <-first; fault.CodeOf(err) != fault.Unavailable || !errors.Is(err, broken) {
			t.Fatalf("a wake that fails: %v, want unavailable, and why", err)
		}
		b.clock.pass(time.Duration(seconds)*time.Second - 1)
		if err := request(t.Context(), s, 0); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("right after it: %v, want unavailable", err)
		}
		if got := s.Stats(); got.Loaded || !errors.Is(got.Failure, broken) {
			t.Errorf("stats %+v, want the failure", got)
		}
		if got := l.loads.Load(); got != int64(i)+1 {
			t.Fatalf("%d loads, want %d: none within the pause", got, i+1)
		}
		b.clock.pass(1)
	}
	done := make(chan error, 1)
	go func() { done <- request(t.Context(), s, 0) }()
	l.next <- nil
	if err := <-done; err != nil {
		t.Errorf("once it can be woken: %v", err)
	}
	if got := s.Stats(); !got.Loaded || got.Failure != nil {
		t.Errorf("stats %+v, want it awake", got)
	}
}

func TestAWakeOutlivesTheRequestThatBeganIt(t *testing.T) {
	b := newBench(t, 0)
	var m machine
	var l loader
	s := b.asleep(&m, &l)
	if err := request(t.Context(), s, time.Millisecond); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("a request that cannot wait: %v, want unavailable", err)
	}
	l.next <- nil
	b.request(s)
	if got := l.loads.Load(); got != 1 {
		t.Errorf("%d loads, want the one that was under way", got)
	}
}

func TestAPanicOfALoadIsAFailure(t *testing.T) {
	b := newBench(t, 0)
	s := b.serve(func(c *dispatch.Config) {
		c.Load = func(context.Context) (engine.Program, error) { panic("no") }
	})
	if err := request(t.Context(), s, 0); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
	if got := s.Stats().Failure; fault.CodeOf(got) != fault.Internal {
		t.Errorf("the failure is %v, want internal", got)
	}
}

// TestClosedWhileItWakes ends the service while nobody waits for the load any
// more: what is loaded all the same is closed.
func TestClosedWhileItWakes(t *testing.T) {
	for _, obeys := range []bool{true, false} {
		b := newBench(t, 0)
		m := &machine{t: t}
		begun := make(chan struct{})
		cfg := b.config(nil)
		cfg.Load = func(ctx context.Context) (engine.Program, error) {
			close(begun)
			<-ctx.Done()
			if obeys {
				return nil, ctx.Err()
			}
			return m, nil
		}
		s := dispatch.NewDeployment(cfg)
		cancelled, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- request(cancelled, s, 0) }()
		<-begun
		cancel()
		if err := <-ended; fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("a request that was cancelled: %v, want unavailable", err)
		}
		<-s.Drain()
		s.Close(t.Context())
		if got := s.Stats(); got.Loaded || got.Busy != 0 {
			t.Errorf("after Close it has %+v", got)
		}
		if want := map[bool]int{true: 0, false: 1}[obeys]; m.counts().Unloads != want {
			t.Errorf("the program was closed %d times, want %d", m.counts().Unloads, want)
		}
	}
}

func TestABrokenDeploymentAnswersAtOnce(t *testing.T) {
	b := newBench(t, 0)
	why := errors.New("no manifest")
	neighbour := new(machine)
	b.request(b.awake(neighbour, 1))
	s := b.serve(func(c *dispatch.Config) { c.Broken, c.Load = why, nil })
	if err := request(t.Context(), s, 0); fault.CodeOf(err) != fault.Unavailable || !errors.Is(err, why) {
		t.Errorf("got %v, want unavailable", err)
	}
	neighbour.want("the neighbour", counts{Made: 1, Resets: 1})
}

// TestTheClockOfAnInvocationStartsAwake: what a handler stores with a time to
// live does not lose the time that the wake took.
func TestTheClockOfAnInvocationStartsAwake(t *testing.T) {
	b := newBench(t, 0)
	var start time.Time
	m := &machine{t: t, handle: func(_ context.Context, _ *part, inv *invoke.Invocation) error {
		start = inv.Start
		return nil
	}}
	s := b.serve(func(c *dispatch.Config) {
		c.Load = func(context.Context) (engine.Program, error) {
			b.clock.pass(time.Minute)
			return m, nil
		}
	})
	b.request(s)
	if want := b.clock.now(); !start.Equal(want) {
		t.Errorf("it started at %v, want %v", start, want)
	}
}
