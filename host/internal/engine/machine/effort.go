package machine

import (
	"context"
	"runtime"
	"time"
)

// effort is a context that ends when its thread has computed for so long. How long
// that takes on the clock depends on what else the machine does, and must not decide
// what becomes of a module. Only Err tells of it, on the goroutine that made it:
// that is where guests look.
type effort struct {
	context.Context
	until time.Duration
}

// computing is context.WithTimeout of an effort. Its thread is the goroutine's
// alone until cancel is called.
func computing(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	runtime.LockOSThread()
	return &effort{ctx, computed() + d}, runtime.UnlockOSThread
}

// Err implements context.Context.
func (e *effort) Err() error {
	if err := e.Context.Err(); err != nil {
		return err
	}
	if computed() >= e.until {
		return context.DeadlineExceeded
	}
	return nil
}
