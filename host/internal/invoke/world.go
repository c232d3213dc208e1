package invoke

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"time"
)

// World is the time and chance that a guest perceives: all that reaches it from
// the machine without being in its request. It belongs to one goroutine at a
// time, but for Machine.
type World interface {
	// Now reads the wall clock.
	Now() time.Time
	// Uptime reads a clock that never goes back while the process lives, and is
	// above zero.
	Uptime() time.Duration
	// Random fills buf with random bytes.
	Random(buf []byte)
	// Sleep returns after d, or with ctx's error when ctx ends before.
	Sleep(ctx context.Context, d time.Duration) error
}

// Outside is what an observer puts between one invocation and all that reaches its
// guest from outside its request: a World, and in addition what the store and other
// services answer. What it has noted is enough to run the same again without
// them. It belongs to one goroutine at a time.
type Outside interface {
	World
	// Begin tells that an attempt begins, of a guest for which values expire as at
	// start.
	Begin(attempt int, start time.Time)
	// Through returns what the invocation uses in place of live, through which a
	// capability of that name reaches the outside: something of the same interface,
	// or nil where live is nil and nothing stands for it.
	Through(name string, live any) any
}

// Observe puts o between the invocation and the outside until Observe is called
// again; nil = nothing.
func (inv *Invocation) Observe(o Outside) { inv.outside = o }

// Through returns what a capability uses in place of live to reach the outside:
// live itself, unless inv is observed.
func Through[T any](inv *Invocation, name string, live T) T {
	if inv.outside == nil {
		return live
	}
	used, _ := inv.outside.Through(name, live).(T)
	return used
}

// Reads is the name under which the snapshot of an attempt goes Through: a
// store.Snapshot.
const Reads = "reads"

// Machine is the World of the machine and the process. Safe for concurrent use.
var Machine World = machine{}

type machine struct{}

// epoch is where Uptime starts: 1 s before the process, because some guests take
// 0 for "no time".
var epoch = time.Now().Add(-time.Second)

func (machine) Now() time.Time        { return time.Now() }
func (machine) Uptime() time.Duration { return time.Since(epoch) }

// Random never fails: crypto/rand ends the process rather than return weak bytes.
func (machine) Random(buf []byte) { _, _ = rand.Read(buf) }

// perceived is the World of one request, over its attempts: that of Machine, but
// that each attempt draws the random bytes of the first, and reads the wall clock
// as the first did. So an attempt whose reads do not matter to a call makes the same
// call, with the same nonce and the same date, and can be given its answer.
type perceived struct {
	drawn  bool
	seed   [32]byte
	random mathrand.ChaCha8 // from seed, once drawn
	clock  func() time.Time // nil = Machine's
	times  []int64          // what the wall clock showed, at most maxTimes, in nanoseconds
	read   int              // of times, by this attempt
}

// maxTimes bounds the readings of the wall clock that are kept; further ones show
// the time.
const maxTimes = 256

func (p *perceived) begin(attempt int, env *Env) {
	p.read, p.clock = 0, nil
	if env != nil {
		p.clock = env.Clock
	}
	if attempt == 1 { // it may have served another request
		p.drawn, p.times = false, p.times[:0]
	} else if p.drawn {
		p.random.Seed(p.seed)
	}
}

func (p *perceived) Now() time.Time {
	if p.read == len(p.times) {
		now := p.wall()
		if p.read == maxTimes {
			return now
		}
		p.times = append(p.times, now.UnixNano())
	}
	p.read++
	return time.Unix(0, p.times[p.read-1])
}

func (p *perceived) wall() time.Time {
	if p.clock == nil {
		return Machine.Now()
	}
	return p.clock()
}

// Random is ChaCha8, whose seed comes from crypto/rand.
func (p *perceived) Random(buf []byte) {
	if !p.drawn {
		p.drawn = true
		Machine.Random(p.seed[:])
		p.random.Seed(p.seed)
	}
	_, _ = p.random.Read(buf) // never fails
}

func (p *perceived) Uptime() time.Duration { return Machine.Uptime() }

func (p *perceived) Sleep(ctx context.Context, d time.Duration) error { return Machine.Sleep(ctx, d) }

func (machine) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
