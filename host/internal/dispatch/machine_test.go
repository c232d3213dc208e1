package dispatch_test

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

// memory is what the instances of several machines may have together.
type memory struct{ left atomic.Int64 }

func room(instances int64) *memory {
	var m memory
	m.left.Store(instances)
	return &m
}

func (m *memory) take(n int64) bool {
	if m == nil || m.left.Add(-n) >= 0 {
		return true
	}
	m.left.Add(n)
	return false
}

func (m *memory) give(n int64) {
	if m != nil {
		m.left.Add(n)
	}
}

// machine is a program that counts what is done with it.
type machine struct {
	t      testing.TB
	fresh  string
	dirty  bool // its instances cannot be reset
	memory *memory
	size   int64 // of an instance; 0 = 1

	stateful bool                                                              // its instances need not be clean
	handle   func(ctx context.Context, in *part, inv *invoke.Invocation) error // nil = does nothing

	mu                                   sync.Mutex
	made, resets, trims, closed, unloads int
}

// counts are those of a machine at a moment.
type counts struct{ Made, Resets, Trims, Closed, Unloads int }

func (m *machine) counts() counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	return counts{m.made, m.resets, m.trims, m.closed, m.unloads}
}

func (m *machine) want(what string, want counts) {
	m.t.Helper()
	if got := m.counts(); got != want {
		m.t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func (m *machine) count(n *int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	*n++
	return *n
}

func (m *machine) Instance(context.Context) (engine.Instance, error) {
	if !m.memory.take(max(m.size, 1)) {
		return nil, fault.New(fault.Unavailable, "instance", "no memory left")
	}
	return &part{machine: m, number: m.count(&m.made)}, nil
}

func (m *machine) Fresh() string { return m.fresh }

func (m *machine) Cold() string { return "" }

func (m *machine) Close(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made != m.closed {
		m.t.Errorf("a program is closed while it has %d instances", m.made-m.closed)
	}
	m.unloads++
	return nil
}

// part is an instance of a machine. It finds out who uses it wrongly.
type part struct {
	machine  *machine
	number   int
	busy     atomic.Bool
	unclean  bool
	isClosed bool
}

func (in *part) begin(what string) func() {
	if in.busy.Swap(true) || in.isClosed {
		in.machine.t.Errorf("%s of instance %d, which is in use or closed", what, in.number)
	}
	return func() { in.busy.Store(false) }
}

func (in *part) Handle(ctx context.Context, inv *invoke.Invocation) error {
	defer in.begin("Handle")()
	if in.unclean && !in.machine.stateful {
		in.machine.t.Errorf("instance %d handles an invocation unclean", in.number)
	}
	in.unclean = true
	if in.machine.handle == nil {
		return nil
	}
	return in.machine.handle(ctx, in, inv)
}

func (in *part) Try(ctx context.Context, inv *invoke.Invocation) error { return in.Handle(ctx, inv) }

func (in *part) Reset() bool {
	defer in.begin("Reset")()
	in.machine.count(&in.machine.resets)
	in.unclean = in.machine.dirty
	return !in.unclean
}

func (in *part) Trim() {
	defer in.begin("Trim")()
	in.machine.count(&in.machine.trims)
}

func (in *part) Close(context.Context) error {
	defer in.begin("Close")()
	in.isClosed = true
	in.machine.count(&in.machine.closed)
	in.machine.memory.give(max(in.machine.size, 1))
	return nil
}

// clock is a time that passes when the test says so.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time       { return time.Unix(1e9, c.passed.Load()) }
func (c *clock) pass(d time.Duration) { c.passed.Add(int64(d)) }

// bench has services whose pools are looked at when the test says so.
type bench struct {
	t     testing.TB
	pools *dispatch.Pools
	clock *clock
}

func newBench(t testing.TB, sleepAfter time.Duration) *bench {
	c := new(clock)
	return &bench{t, newPools(t, c.now, sleepAfter), c}
}

// config is that of a service which loads m at its first request.
func (b *bench) config(m *machine) dispatch.Config {
	limits := limit.Default()
	limits.Deadline = time.Minute
	return dispatch.Config{
		Plugin: dispatch.NewPlugin("p", limits.Concurrency, nil, nil),
		Env:    &invoke.Env{Plugin: "p", Limits: limits}, Clock: b.clock.now, Pools: b.pools,
		Load: func(context.Context) (engine.Program, error) { return m, nil },
	}
}

// serve returns a service that is closed with the test.
func (b *bench) serve(change func(*dispatch.Config)) *dispatch.Deployment {
	b.t.Helper()
	cfg := b.config(nil)
	change(&cfg)
	s := dispatch.NewDeployment(cfg)
	b.t.Cleanup(func() {
		<-s.Drain()
		s.Close(context.Background())
	})
	return s
}

// awake returns a service whose program is loaded.
func (b *bench) awake(m *machine, concurrency int) *dispatch.Deployment {
	m.t = b.t
	return b.serve(func(c *dispatch.Config) {
		c.Program = m
		c.Load = func(context.Context) (engine.Program, error) { return m, nil }
		c.Plugin.SetConcurrency(concurrency)
	})
}

// request runs an invocation as the server does.
func request(ctx context.Context, s *dispatch.Deployment, deadline time.Duration) error {
	if !s.Acquire() {
		return fault.New(fault.Unavailable, "", "drains")
	}
	defer s.Release()
	inv := &invoke.Invocation{Request: &invoke.Request{Head: abi.RequestHead{Method: "GET", Path: "/"}}}
	limits := s.Env().Limits
	if deadline != 0 {
		limits.Deadline = deadline
	}
	_, err := s.Do(ctx, inv, limits)
	return err
}

func (b *bench) request(s *dispatch.Deployment) {
	b.t.Helper()
	if err := request(b.t.Context(), s, 0); err != nil {
		b.t.Error(err)
	}
}

// together runs so many requests, which all are in their handlers at once.
func (b *bench) together(s *dispatch.Deployment, m *machine, n int) {
	b.t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	m.handle = func(context.Context, *part, *invoke.Invocation) error {
		entered <- struct{}{}
		<-leave
		return nil
	}
	var all sync.WaitGroup
	for range n {
		all.Go(func() { b.request(s) })
	}
	for range n {
		<-entered
	}
	close(leave)
	all.Wait()
	m.handle = nil
}
