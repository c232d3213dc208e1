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
