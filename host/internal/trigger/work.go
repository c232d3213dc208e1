package trigger

import (
	"context"
	"sync"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Work is what a service that triggers requests has under way: it begins some until
// Stop, and all of it ends by Close. Safe for concurrent use.
type Work struct {
	Taking   context.Context // of whoever begins a request; ends with Stop
	Handling context.Context // of handlers; ends with Close

	stop, cancel context.CancelFunc
	late         string

	mu    sync.Mutex // nothing begins while Stop ends Taking
	going sync.WaitGroup
}

// NewWork returns a Work. late says what becomes of what does not end in time. Close it.
func NewWork(late string) *Work {
	w := &Work{late: late}
	w.Handling, w.cancel = context.WithCancel(context.Background())
	w.Taking, w.stop = context.WithCancel(w.Handling)
	return w
}

// Stopped reports whether nothing begins any more.
func (w *Work) Stopped() bool { return w.Taking.Err() != nil }

// Begin has Drain wait for done. It returns false after Stop.
func (w *Work) Begin() (done func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.Stopped() {
		return nil, false
	}
	w.going.Add(1)
	return w.going.Done, true
}

// Go runs f on a goroutine that Drain waits for, unless Stop came before.
func (w *Work) Go(f func()) {
	if done, ok := w.Begin(); ok {
		go func() {
			defer done()
			f()
		}()
	}
}

// Stop lets nothing else begin.
func (w *Work) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stop()
}

// Drain is Stop, and waits until all is over or ctx ends. Error: Deadline.
func (w *Work) Drain(ctx context.Context) error {
	w.Stop()
	done := make(chan struct{})
	go func() {
		w.going.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fault.Wrap(fault.Deadline, "", w.late, ctx.Err())
	}
}

// Cancel stops the handlers, and lets nothing else begin. Commits that have begun end.
func (w *Work) Cancel() { w.cancel() }

// Close is Cancel and Drain.
func (w *Work) Close(ctx context.Context) error {
	w.Cancel()
	return w.Drain(ctx)
}
