package dispatch

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// pool has the clean instances of one deployment, and its program while that is
// loaded. The instance that served last serves next: its pages are in the
// caches, and what is not needed stays at the bottom, where it is trimmed.
type pool struct {
	cfg   Config
	pools *Pools

	mu      sync.Mutex
	program engine.Program    // nil = asleep
	fresh   string            // the program's, also once it is gone
	idle    []engine.Instance // clean; the last one is taken next
	trimmed bool              // idle[0] has given back what it can do without
	unused  int               // the fewest idle ones since the last look
	out     int               // instances in use, in the making or being closed: they need the program
	used    bool              // an instance was asked for since the last look
	last    time.Time         // when that was, as of the looks
	waking  *waking           // the load under way, nil = none
	failed  failedWake
	making  time.Duration // how long the last new instance took; 0 = none was made
	closed  bool
	settled sync.Cond // out or waking has changed; told only once the pool is closed
}

func newPool(cfg Config) *pool {
	p := &pool{cfg: cfg, pools: cfg.Pools, last: cfg.Clock(), used: true}
	p.settled.L = &p.mu
	if cfg.Program != nil {
		p.program, p.fresh = cfg.Program, cfg.Program.Fresh()
	}
	if cfg.Instance != nil {
		p.adopt(cfg.Instance)
	}
	p.pools.add(p)
	return p
}

// lease is an instance that was taken from a pool. End it.
type lease struct {
	pool     *pool
	instance engine.Instance // nil = given back
	unclean  bool            // it has begun an invocation
}

// take returns a clean instance: an idle one, or a new one, for which it wakes
// the deployment if need be. ctx bounds the wait and the guest's
// initialisation. Errors are those of engine.Program.Instance, and Unavailable
// for a deployment that cannot be woken.
func (p *pool) take(ctx context.Context) (lease, error) {
	return p.lend(ctx, func(program engine.Program) (engine.Instance, error) { return p.pools.instance(ctx, program, p) })
}

// takeAtOnce is take, which does not wait for memory.
func (p *pool) takeAtOnce(ctx context.Context) (lease, error) {
	return p.lend(ctx, func(program engine.Program) (engine.Instance, error) { return p.pools.squeeze(ctx, program, p) })
}

// lend returns an idle instance, or one that make makes.
func (p *pool) lend(ctx context.Context, make func(engine.Program) (engine.Instance, error)) (lease, error) {
	for {
		p.mu.Lock()
		p.used = true
		if instance := p.pop(); instance != nil {
			p.mu.Unlock()
			return lease{pool: p, instance: instance}, nil
		}
		if program := p.program; program != nil {
			p.out++
			p.mu.Unlock()
			return p.grow(program, make)
		}
		w, err := p.wake()
		p.mu.Unlock()
		if err != nil {
			return lease{}, err
		}
		if err := w.wait(ctx); err != nil {
			return lease{}, err
		}
	}
}

// pop takes the idle instance that served last, nil if there is none. The
// caller holds mu.
func (p *pool) pop() engine.Instance {
	n := len(p.idle) - 1
	if n < 0 {
		return nil
	}
	instance := p.idle[n]
	p.idle[n] = nil
	p.idle = p.idle[:n]
	p.unused = min(p.unused, n)
	p.trimmed = p.trimmed && n > 0
	p.out++
	return instance
}

// grow makes an instance, which the caller has counted, or takes one that comes
// back while there is no memory for another.
func (p *pool) grow(program engine.Program, make func(engine.Program) (engine.Instance, error)) (lease, error) {
	begun := time.Now()
	instance, err := make(program)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.drop()
		return lease{}, err
	}
	p.making = time.Since(begun)
	return lease{pool: p, instance: instance}, nil
}

// spare takes an idle instance for a request that has been counted, nil if there
// is none.
func (p *pool) spare() engine.Instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	instance := p.pop()
	if instance != nil {
		p.drop() // pop has counted it again
	}
	return instance
}

// drop ends the count of an instance that is gone. The caller holds mu.
func (p *pool) drop() {
	p.out--
	if p.closed {
		p.settled.Broadcast()
	}
}

// handle runs the handler, and gives the instance back clean: from here on
// everything there is of the invocation is in inv.
func (l *lease) handle(ctx context.Context, inv *invoke.Invocation) error {
	l.unclean = true
	err := l.instance.Handle(ctx, inv)
	switch {
	case l.pool.cfg.Stateful && err == nil:
		l.unclean = false
	case l.pool.fresh == "": // it does not change while an instance is out
		l.unclean = !l.instance.Reset()
	}
	l.end(ctx)
	return err
}

// end gives the instance back, or closes it if it is not clean: it cannot be
// put back, or a panic has passed through it. Ending twice is fine.
func (l *lease) end(ctx context.Context) {
	if l.instance == nil {
		return
	}
	p, instance := l.pool, l.instance
	l.instance = nil
	if l.unclean {
		p.discard(ctx, instance)
		return
	}
	p.mu.Lock()
	p.idle = append(p.idle, instance)
	p.drop()
	p.mu.Unlock()
	p.pools.hunger.fed()
}

// discard closes an instance that was taken.
func (p *pool) discard(ctx context.Context, instance engine.Instance) {
	defer func() {
		p.mu.Lock()
		p.drop()
		p.mu.Unlock()
		p.pools.hunger.fed()
	}()
	p.report("close instance", instance.Close(context.WithoutCancel(ctx)))
	p.cfg.Plugin.Team.Give(p.cfg.Env.Limits.Memory)
}

func (p *pool) report(what string, err error) {
	if err != nil && p.cfg.Log != nil {
		p.cfg.Log.Error(what, "error", err)
	}
}

// closeOne closes the idle instance that was used least, and reports whether
// there was one.
func (p *pool) closeOne(ctx context.Context) bool {
	p.mu.Lock()
	cold := p.cut(1)
	p.mu.Unlock()
	p.discardAll(ctx, cold)
	return len(cold) > 0
}

// cut takes up to n of the idle instances that were used least. The caller
// holds mu.
func (p *pool) cut(n int) []engine.Instance {
	n = min(n, len(p.idle))
	if n == 0 {
		return nil
	}
	cold := slices.Clone(p.idle[:n])
	p.idle = slices.Delete(p.idle, 0, n)
	p.unused = max(p.unused-n, 0)
	p.trimmed = false
	p.out += n
	return cold
}

func (p *pool) discardAll(ctx context.Context, instances []engine.Instance) {
	for _, instance := range instances {
		p.discard(ctx, instance)
	}
}

// tidy looks at the pool now and then. Of the instances that nobody needed since
// the last look it closes half, so that a pool follows its load within some
// looks, and all but one where nobody asked for any; the last one only gives back
// memory. A deployment that nobody asked
// for as long as sleepAfter (0 = ever) loses its program too.
func (p *pool) tidy(ctx context.Context, now time.Time, sleepAfter time.Duration) {
	p.mu.Lock()
	asked := p.used
	if asked {
		p.used, p.last = false, now
	}
	if sleepAfter > 0 && now.Sub(p.last) >= sleepAfter && p.out == 0 && p.waking == nil {
		program, cold := p.unload()
		p.mu.Unlock()
		p.release(ctx, program, cold)
		return
	}
	surplus := p.unused
	if asked {
		surplus = (p.unused + 1) / 2
	}
	lonely := len(p.idle) == 1 && surplus == 1
	p.unused = len(p.idle)
	if lonely && p.trimmed || surplus == 0 {
		p.mu.Unlock()
		return
	}
	if surplus == len(p.idle) && !lonely {
		surplus--
	}
	cold := p.cut(surplus)
	p.mu.Unlock()
	if lonely {
		p.trim(cold[0])
		return
	}
	p.discardAll(ctx, cold)
}

// trim has an instance that was taken give back what it can do without.
func (p *pool) trim(instance engine.Instance) {
	instance.Trim()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = slices.Insert(p.idle, 0, instance)
	p.trimmed = true
	p.unused = min(p.unused+1, len(p.idle))
	p.drop()
	p.pools.hunger.fed()
}

// unload takes the program and the idle instances away. The caller holds mu,
// and closes them; until then they are counted like one instance.
func (p *pool) unload() (engine.Program, []engine.Instance) {
	program, cold := p.program, p.idle
	p.program, p.idle, p.unused, p.trimmed = nil, nil, 0, false
	p.out += len(cold)
	if program != nil {
		p.out++
	}
	return program, cold
}

// release closes what unload took.
func (p *pool) release(ctx context.Context, program engine.Program, cold []engine.Instance) {
	p.discardAll(ctx, cold)
	if program == nil {
		return
	}
	p.report("close program", program.Close(context.WithoutCancel(ctx)))
	p.pools.Litter()
	p.mu.Lock()
	p.drop()
	p.mu.Unlock()
}

// close closes everything, once nothing of it is in use.
func (p *pool) close(ctx context.Context) {
	p.pools.remove(p)
	p.mu.Lock()
	p.closed = true
	if p.waking != nil {
		p.waking.cancel()
	}
	for p.out > 0 || p.waking != nil {
		p.settled.Wait()
	}
	program, cold := p.unload()
	p.mu.Unlock()
	p.release(ctx, program, cold)
}

// Stats is what a deployment has at a moment.
type Stats struct {
	Loaded  bool          // its program is; if not, the next request wakes it
	Idle    int           // clean instances that wait for a request
	Busy    int           // instances that serve one, are waited for or made, or are being closed
	Fresh   string        // why each request gets a new instance; "" = they are reset or stateful, or that is not known yet
	Making  time.Duration // how long the last new instance took; 0 = none was made
	Failure error         // why it could not be woken the last time; nil = it could
}

func (p *pool) stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	has := Stats{Loaded: p.program != nil, Idle: len(p.idle), Busy: p.out, Making: p.making, Failure: p.failed.err}
	if !p.cfg.Stateful {
		has.Fresh = p.fresh
	}
	return has
}
