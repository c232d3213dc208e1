package dispatch

import (
	"context"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// lookEvery is the time between two looks at the pools. What a deployment has
// beyond its need halves with each: 64 idle instances are one after half a
// minute.
const lookEvery = 5 * time.Second

// giveBackEvery is the time between two looks for memory to give back.
const giveBackEvery = 2 * time.Second

// Pools knows the instances of all deployments: it trims those that are idle,
// and closes idle ones when another deployment needs their memory. Safe for
// concurrent use.
type Pools struct {
	clock      func() time.Time
	sleepAfter atomic.Int64  // nanoseconds; 0 = never
	resized    chan struct{} // has one when sleepAfter changes
	hunger     hunger
	litter     atomic.Int32 // how often memory is to be given back
	slack      *slack       // of the goroutine that looks

	mu  sync.Mutex
	all map[*pool]struct{}

	stop    context.CancelFunc
	stopped chan struct{}
}

// NewPools returns Pools that unload what gets no request for as long as
// sleepAfter, 0 = never. Close it.
func NewPools(clock func() time.Time, sleepAfter time.Duration) *Pools {
	ctx, stop := context.WithCancel(context.Background())
	g := &Pools{
		clock: clock, resized: make(chan struct{}, 1), slack: newSlack(), all: map[*pool]struct{}{},
		stop: stop, stopped: make(chan struct{}),
	}
	g.sleepAfter.Store(int64(sleepAfter))
	go g.look(ctx)
	return g
}

// Close ends the looking after the pools, which stay as they are. Closing twice
// is fine.
func (g *Pools) Close() {
	g.stop()
	<-g.stopped
}

func (g *Pools) look(ctx context.Context) {
	defer close(g.stopped)
	tick := time.NewTicker(g.interval())
	defer tick.Stop()
	spare := time.NewTicker(giveBackEvery)
	defer spare.Stop()
	for {
		select {
		case <-tick.C:
			g.tidy()
		case <-g.resized:
			tick.Reset(g.interval())
		case <-spare.C:
			g.giveBack()
		case <-ctx.Done():
			return
		}
	}
}

// interval is lookEvery, or less where sleepAfter is.
func (g *Pools) interval() time.Duration {
	after := time.Duration(g.sleepAfter.Load())
	if after == 0 {
		return lookEvery
	}
	return min(lookEvery, max(after, time.Millisecond))
}

// SleepAfter unloads from now on what gets no request for so long; 0 = never.
func (g *Pools) SleepAfter(d time.Duration) {
	g.sleepAfter.Store(int64(d))
	select {
	case g.resized <- struct{}{}:
	default: // it is due already
	}
}

// Litter tells that something large was done with, a program closed or an upload
// tried, whose memory goes back to the system soon.
func (g *Pools) Litter() { g.litter.Store(collections) }

// collections is how many it takes until all is free: what holds the machine code of
// a program has a finalizer, and so has what that holds.
const collections = 2

// giveBack returns to the system what was littered, and what a load has left.
// Finalizers unmap the machine code of closed programs, of whose size Go's
// collector knows nothing, and it does not run on its own accord in a process
// that has become idle.
func (g *Pools) giveBack() {
	idle, littered := g.slack.look(), g.litter.Load()
	if littered > 0 {
		g.litter.CompareAndSwap(littered, littered-1)
	}
	if littered > 0 || idle {
		debug.FreeOSMemory()
		g.slack.given()
	}
}

func (g *Pools) tidy() {
	now := g.clock()
	for _, p := range g.list() {
		p.tidy(context.Background(), now, time.Duration(g.sleepAfter.Load()))
	}
}

func (g *Pools) add(p *pool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all[p] = struct{}{}
}

func (g *Pools) remove(p *pool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.all, p)
}

func (g *Pools) list() []*pool {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*pool, 0, len(g.all))
	for p := range g.all {
		all = append(all, p)
	}
	return all
}

// Instance makes an instance of a program that does not serve yet. When there is
// no memory left for it, idle instances are closed first, and it waits for
// others until ctx ends. Errors are those of engine.Program.Instance.
func (g *Pools) Instance(ctx context.Context, program engine.Program) (engine.Instance, error) {
	return g.instance(ctx, program, nil)
}

// instance makes an instance for the pool own, nil = for none.
func (g *Pools) instance(ctx context.Context, program engine.Program, own *pool) (engine.Instance, error) {
	instance, err := own.make(ctx, program)
	if fault.CodeOf(err) != fault.Unavailable {
		return instance, err
	}
	return g.hunger.wait(ctx, func() (engine.Instance, error) {
		if own != nil {
			if instance := own.spare(); instance != nil {
				return instance, nil
			}
		}
		return g.squeeze(ctx, program, own)
	})
}

// squeeze makes an instance at the price of idle ones of other pools than own.
func (g *Pools) squeeze(ctx context.Context, program engine.Program, own *pool) (engine.Instance, error) {
	instance, err := own.make(ctx, program)
	if fault.CodeOf(err) != fault.Unavailable {
		return instance, err
	}
	for _, p := range g.coldest(own, func(p *pool) bool { return len(p.idle) > 0 }) {
		for p.helps(own, err) && p.closeOne(ctx) {
			if instance, err = own.make(ctx, program); fault.CodeOf(err) != fault.Unavailable {
				return instance, err
			}
		}
	}
	return nil, err
}

// unloadColdest unloads the deployment other than own that was not asked for
// longest, of those that serve nothing, and reports whether there was one.
func (g *Pools) unloadColdest(ctx context.Context, own *pool) bool {
	for _, p := range g.coldest(own, (*pool).resting) {
		if p.sleep(ctx) {
			return true
		}
	}
	return false
}

// sleep unloads a deployment that serves nothing, and reports whether it did.
func (p *pool) sleep(ctx context.Context) bool {
	p.mu.Lock()
	if !p.resting() {
		p.mu.Unlock()
		return false
	}
	program, cold := p.unload()
	p.mu.Unlock()
	p.release(context.WithoutCancel(ctx), program, cold)
	return true
}

// resting reports whether a deployment is loaded and serves nothing. The caller
// holds mu.
func (p *pool) resting() bool { return p.program != nil && p.out == 0 && p.waking == nil }

// coldest lists the pools but own of which has is true, asked while mu is held:
// those first that were not asked for longest.
func (g *Pools) coldest(own *pool, has func(*pool) bool) []*pool {
	type candidate struct {
		pool *pool
		last time.Time
	}
	now := g.clock()
	var found []candidate
	for _, p := range g.list() {
		if p == own {
			continue
		}
		if last, ok := p.lastUse(now, has); ok {
			found = append(found, candidate{p, last})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.last.Compare(b.last) })
	pools := make([]*pool, len(found))
	for i, c := range found {
		pools[i] = c.pool
	}
	return pools
}

// lastUse returns when an instance was asked for last, give or take lookEvery,
// and whether has is true of the pool.
func (p *pool) lastUse(now time.Time, has func(*pool) bool) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used {
		return now, has(p)
	}
	return p.last, has(p)
}
