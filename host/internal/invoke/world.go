package invoke

import (
	"context"
	"crypto/rand"
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
