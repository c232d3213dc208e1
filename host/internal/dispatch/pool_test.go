package dispatch_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

func TestAnInstanceServesOn(t *testing.T) {
	b := newBench(t, 0)
	trap := fault.New(fault.Trap, "", "it trapped")
	m := new(machine)
	s := b.awake(m, 4)
	for _, outcome := range []error{nil, trap, nil} {
		m.handle = func(context.Context, *part, *invoke.Invocation) error { return outcome }
		if err := request(t.Context(), s, 0); !errors.Is(err, outcome) {
			t.Errorf("got %v, want %v", err, outcome)
		}
	}
	m.want("after three requests", counts{Made: 1, Resets: 3})
	if got := s.Stats(); !got.Loaded || got.Idle != 1 || got.Busy != 0 {
		t.Errorf("stats %+v, want one idle instance", got)
	}
}

func TestInstancesThatAreNotReset(t *testing.T) {
	for _, c := range []struct {
		name string
		m    *machine
		want counts
	}{
		{"cannot be", &machine{dirty: true}, counts{Made: 2, Resets: 2, Closed: 2}},
		{"are fresh", &machine{fresh: "it keeps a table"}, counts{Made: 2, Closed: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, 0)
			s := b.awake(c.m, 1)
			b.request(s)
			b.request(s)
			c.m.want("after two requests", c.want)
			if got := s.Stats().Fresh; got != c.m.fresh {
				t.Errorf("stats say fresh %q, want %q", got, c.m.fresh)
			}
		})
	}
}

func TestAStatefulInstanceIsResetAfterAFailureOnly(t *testing.T) {
	b := newBench(t, 0)
	m := &machine{t: t, stateful: true}
	s := b.serve(func(c *dispatch.Config) { c.Program, c.Stateful = m, true })
	b.request(s)
	b.request(s)
	m.want("after two requests", counts{Made: 1})
	m.handle = func(context.Context, *part, *invoke.Invocation) error { return fault.New(fault.Trap, "", "it trapped") }
	if err := request(t.Context(), s, 0); fault.CodeOf(err) != fault.Trap {
		t.Errorf("got %v, want a trap", err)
	}
	b.pools.Tidy()
	b.pools.Tidy()
	m.want("after a trap, and some time", counts{Made: 1, Resets: 1, Trims: 1})
}

func TestAPanicTakesItsInstanceAlong(t *testing.T) {
	b := newBench(t, 0)
	m := &machine{handle: func(context.Context, *part, *invoke.Invocation) error { panic("host") }}
	s := b.awake(m, 1)
	func() {
		defer func() { _ = recover() }()
		_ = request(t.Context(), s, 0)
	}()
	m.want("after the panic", counts{Made: 1, Closed: 1})
	m.handle = nil
	b.request(s) // its slot is free again
}

func TestTheInstanceThatServedLastIsNext(t *testing.T) {
	b := newBench(t, 0)
	m := new(machine)
	s := b.awake(m, 4)
	b.together(s, m, 4)
	m.want("four at once", counts{Made: 4, Resets: 4})
	var served []int
	m.handle = func(_ context.Context, in *part, _ *invoke.Invocation) error {
		served = append(served, in.number)
		return nil
	}
	for range 3 {
		b.request(s)
	}
	if served[0] != served[1] || served[1] != served[2] {
		t.Errorf("instances %v served one after the other, want the same", served)
	}
}

func TestTheFirstInstanceServes(t *testing.T) {
	b := newBench(t, 0)
	m := &machine{t: t}
	first, err := b.pools.Instance(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	s := b.serve(func(c *dispatch.Config) { c.Program, c.Instance = m, first })
	b.request(s)
	m.want("after a request", counts{Made: 1, Resets: 1})
}

// spy is a store that tells when effects are committed.
type spy struct {
	store.Store
	commit func()
}

func (s spy) Seal(ctx context.Context, e *store.Effects) (store.Revision, *store.Settling, error) {
	s.commit()
	return s.Store.Seal(ctx, e)
}

func TestAnInstanceIsBackBeforeTheCommit(t *testing.T) {
	b := newBench(t, 0)
	st := open(t)
	m := &machine{t: t, handle: func(_ context.Context, _ *part, inv *invoke.Invocation) error {
		if inv.Request.Head.Attempt == 1 {
			if _, _, err := inv.Tx.Get([]byte("k")); err != nil {
				return err
			}
			put(t, st, "k", "theirs")
		}
		return inv.Tx.Set([]byte("k"), []byte("mine"), 0)
	}}
	var s *dispatch.Deployment
	commits := 0
	s = b.serve(func(c *dispatch.Config) {
		c.Program, c.Env.KV, c.Env.Space, c.Clock = m, true, space, time.Now
		c.Store = spy{st, func() {
			commits++
			if got := s.Stats(); got.Idle != 1 || got.Busy != 0 {
				t.Errorf("at commit %d: %+v, want the instance back", commits, got)
			}
		}}
	})
	b.request(s)
	if commits != 2 {
		t.Errorf("%d commits, want one that conflicts and one that does not", commits)
	}
	m.want("after a re-run", counts{Made: 1, Resets: 2})
}

func TestWhatNobodyNeedsIsTrimmed(t *testing.T) {
	b := newBench(t, 0)
	m := new(machine)
	s := b.awake(m, 8)
	b.together(s, m, 8)
	for i, want := range []int{8, 4, 2, 1, 1, 1} {
		if 1 <= i && i <= 2 {
			b.request(s) // or all but one go at once
		}
		b.pools.Tidy() // the first one after a request learns what there is
		if got := s.Stats().Idle; got != want {
			t.Errorf("%d idle instances after look %d, want %d", got, i+1, want)
		}
	}
	m.want("at the end", counts{Made: 8, Resets: 10, Closed: 7, Trims: 1})
	b.request(s)
	b.pools.Tidy()
	b.pools.Tidy()
	m.want("after one more request", counts{Made: 8, Resets: 11, Closed: 7, Trims: 2})
}

func TestWhatIsNeededIsKept(t *testing.T) {
	b := newBench(t, 0)
	m := new(machine)
	s := b.awake(m, 4)
	for range 5 {
		b.together(s, m, 4)
		b.pools.Tidy()
	}
	m.want("under a steady load", counts{Made: 4, Resets: 20})
}

func TestAnIdleProgramIsUnloaded(t *testing.T) {
	b := newBench(t, 15*time.Minute)
	m := new(machine)
	s := b.awake(m, 2)
	for i := range 2 {
		b.together(s, m, 2)
		b.pools.Tidy()
		b.clock.pass(15*time.Minute - 1)
		b.pools.Tidy()
		if got := s.Stats(); !got.Loaded || got.Idle == 0 {
			t.Errorf("too early it has %+v", got)
		}
		b.clock.pass(1)
		b.pools.Tidy()
		b.pools.Tidy() // nothing is left to unload
		if got := s.Stats(); got.Loaded || got.Idle != 0 || got.Busy != 0 {
			t.Errorf("after its time it has %+v", got)
		}
		m.want("unloaded", counts{Made: 2 * (i + 1), Resets: 2 * (i + 1), Closed: 2 * (i + 1), Unloads: i + 1})
	}
}

func TestARunningRequestKeepsItsProgram(t *testing.T) {
	b := newBench(t, time.Minute)
	m := new(machine)
	s := b.awake(m, 2)
	m.handle = func(context.Context, *part, *invoke.Invocation) error {
		b.pools.Tidy()
		b.clock.pass(time.Hour)
		b.pools.Tidy()
		return nil
	}
	b.request(s)
	m.want("after a long request", counts{Made: 1, Resets: 1})
}

func TestIdleInstancesMakeRoom(t *testing.T) {
	b := newBench(t, 0)
	shared := room(3)
	var old, young, hungry machine
	for _, m := range []*machine{&old, &young, &hungry} {
		m.memory = shared
	}
	first, second, third := b.awake(&old, 4), b.awake(&young, 4), b.awake(&hungry, 4)
	b.request(first)
	b.pools.Tidy()
	b.clock.pass(time.Minute)
	b.together(second, &young, 2)

	b.request(third)
	old.want("used longest ago", counts{Made: 1, Resets: 1, Closed: 1})
	young.want("used since", counts{Made: 2, Resets: 2})
	b.together(third, &hungry, 3)
	young.want("in need of more", counts{Made: 2, Resets: 2, Closed: 2})

	entered, leave := make(chan struct{}, 3), make(chan struct{})
	hungry.handle = func(context.Context, *part, *invoke.Invocation) error {
		entered <- struct{}{}
		<-leave
		return nil
	}
	var running sync.WaitGroup
	for range 3 {
		running.Go(func() { b.request(third) })
	}
	for range 3 {
		<-entered
	}
	if err := request(t.Context(), first, time.Millisecond); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("with all memory in use: %v, want unavailable", err)
	}
	if got := first.Stats(); got.Busy != 0 {
		t.Errorf("a request without an instance leaves %+v", got)
	}
	waiting := make(chan error, 3)
	for range 3 { // one instance after the other comes back
		go func() { waiting <- request(t.Context(), first, 0) }()
	}
	for b.pools.Hungry() != 3 {
		runtime.Gosched()
	}
	leave <- struct{}{}
	for range 3 {
		if err := <-waiting; err != nil {
			t.Errorf("a request that waited for memory: %v", err)
		}
	}
	close(leave)
	running.Wait()
	if got := b.pools.Hungry(); got != 0 {
		t.Errorf("%d still wait for memory", got)
	}
}

// TestASmallOneDoesNotWaitBehindLargeOnes has some wait for more memory than
// comes back, and one for whom it is enough.
func TestASmallOneDoesNotWaitBehindLargeOnes(t *testing.T) {
	b := newBench(t, 0)
	shared := room(3)
	holder, small := &machine{memory: shared}, &machine{memory: shared}
	large := &machine{memory: shared, size: 3}
	busy, wants, fits := b.awake(holder, 4), b.awake(large, 4), b.awake(small, 4)
	entered, leave := make(chan struct{}), make(chan struct{})
	holder.handle = func(context.Context, *part, *invoke.Invocation) error {
		entered <- struct{}{}
		<-leave
		return nil
	}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { b.request(busy) })
		<-entered
	}
	for i := range 3 {
		all.Go(func() { b.request(wants) })
		for b.pools.Hungry() != i+1 {
			runtime.Gosched()
		}
	}
	served := make(chan error)
	go func() { served <- request(t.Context(), fits, 0) }()
	for b.pools.Hungry() != 4 {
		runtime.Gosched()
	}
	leave <- struct{}{}
	if err := <-served; err != nil {
		t.Error(err)
	}
	close(leave)
	all.Wait()
}

// still is a program and an instance that do nothing.
type still struct{}

func (still) Instance(context.Context) (engine.Instance, error)        { return still{}, nil }
func (still) Fresh() string                                            { return "" }
func (still) Cold() string                                             { return "" }
func (still) Handle(ctx context.Context, inv *invoke.Invocation) error { return nil }
func (still) Try(context.Context, *invoke.Invocation) error            { return nil }
func (still) Reset() bool                                              { return true }
func (still) Trim()                                                    {}
func (still) Close(context.Context) error                              { return nil }

func TestTakingAndGivingAllocatesNothing(t *testing.T) {
	b := newBench(t, 0)
	s := b.serve(func(c *dispatch.Config) { c.Program = still{} })
	if n := testing.AllocsPerRun(100, func() {
		if err := s.TakeAndGive(t.Context()); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestHammer has everything at once that may happen to deployments that share
// memory.
func TestHammer(t *testing.T) {
	b := newBench(t, time.Nanosecond)
	shared := room(6)
	stop := make(chan struct{})
	var lookers, all sync.WaitGroup
	lookers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				b.clock.pass(time.Millisecond)
				b.pools.Tidy()
			}
		}
	})
	for i := range 4 {
		for range 5 { // deployments that replace each other
			cfg := b.config(nil)
			cfg.Load = func(context.Context) (engine.Program, error) {
				return &machine{t: t, memory: shared, dirty: i == 3}, nil
			}
			s := dispatch.NewDeployment(cfg)
			for range 4 {
				all.Go(func() {
					for range 50 {
						err := request(t.Context(), s, 0)
						if err != nil && fault.CodeOf(err) != fault.Unavailable {
							t.Error(err)
						}
						if rand.IntN(10) == 0 {
							s.Stats()
						}
					}
				})
			}
			all.Go(func() {
				<-s.Drain()
				s.Close(context.Background())
			})
		}
	}
	all.Wait()
	close(stop)
	lookers.Wait()
	if left := shared.left.Load(); left != 6 {
		t.Errorf("memory for %d instances is left, want all 6", left)
	}
}
