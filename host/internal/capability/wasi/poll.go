package wasi

import (
	"cmp"
	"context"
	"math"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/runq"
)

const (
	subscriptionSize = 48
	eventSize        = 32

	tagClock = 0
	tagRead  = 1
	tagWrite = 2

	flagAbsolute = 1

	// maxSubscriptions bounds how long one call looks at them.
	maxSubscriptions = 1024
)

// pollOneoff waits for the earliest clock, unless a stream is subscribed to:
// those are always ready. Guests sleep with it.
func pollOneoff(ctx context.Context, g *capability.Guest, args []uint64) (uint64, error) {
	count := uint64(uint32(args[2]))
	if count*subscriptionSize > math.MaxUint32 {
		return uint64(fault), nil
	}
	subs, ok1 := g.Mem.Range(args[0], count*subscriptionSize)
	events, ok2 := g.Mem.Range(args[1], count*eventSize)
	stored, ok3 := g.Mem.Range(args[3], 4)
	switch {
	case !ok1 || !ok2 || !ok3:
		return uint64(fault), nil
	case count == 0, count > maxSubscriptions:
		return uint64(inval), nil
	}
	waited := earliest(g, subs)
	if err := sleep(ctx, g, waited); err != nil {
		return 0, err
	}
	le.PutUint32(stored, report(g, subs, events, waited))
	return uint64(success), nil
}

// sleep sleeps, and leaves the processor to others meanwhile.
func sleep(ctx context.Context, g *capability.Guest, d time.Duration) (err error) {
	if d <= 0 {
		return g.World().Sleep(ctx, d)
	}
	late := runq.Of(ctx).Wait(ctx, func() { err = g.World().Sleep(ctx, d) })
	return cmp.Or(err, late)
}

// earliest returns how long it is until the first of the subscriptions is
// ready.
func earliest(g *capability.Guest, subs []byte) time.Duration {
	first := time.Duration(math.MaxInt64)
	for ; len(subs) > 0; subs = subs[subscriptionSize:] {
		wait, _ := readiness(g, subs)
		first = min(first, wait)
	}
	return first
}

// readiness returns in how long a subscription is ready, and its error: one
// that can never be ready is so now, with an error.
func readiness(g *capability.Guest, sub []byte) (time.Duration, errno) {
	switch tag := sub[8]; tag {
	case tagClock:
		return clockReadiness(g, sub)
	case tagRead, tagWrite:
		fd := le.Uint32(sub[16:])
		if fd > stderr || (fd == stdin) != (tag == tagRead) {
			return 0, badf
		}
		return 0, success
	default:
		return 0, inval
	}
}

func clockReadiness(g *capability.Guest, sub []byte) (time.Duration, errno) {
	timeout := le.Uint64(sub[24:])
	current, known := now(g, le.Uint32(sub[16:]))
	if !known {
		return 0, inval
	}
	if le.Uint16(sub[40:])&flagAbsolute != 0 {
		timeout -= min(timeout, current)
	}
	return time.Duration(min(timeout, math.MaxInt64)), success
}

// report writes an event for each subscription that is ready after waiting and
// returns how many. An absolute clock has been waited for once it is reached.
func report(g *capability.Guest, subs, events []byte, waited time.Duration) (n uint32) {
	for ; len(subs) > 0; subs = subs[subscriptionSize:] {
		wait, e := readiness(g, subs)
		if wait > waited {
			continue
		}
		userdata, tag := le.Uint64(subs), subs[8]
		event := events[:eventSize]
		clear(event)
		le.PutUint64(event, userdata)
		le.PutUint16(event[8:], uint16(e))
		event[10] = tag
		events = events[eventSize:]
		n++
	}
	return n
}
