package dispatch

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/runq"
)

// wakeTimeout bounds the load of a program, which may have to be built. The requests that wait for it have
// their own deadlines; what they gave up on is there for the next.
const wakeTimeout = 10 * time.Minute

// A wake that failed is tried again at a request, at the earliest after a pause
// that doubles from one to the other.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// waking is one load of a program, which any number of requests wait for.
type waking struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it has ended
	err    error         // of the load; set before done is closed
}

// wait waits for the load. Unavailable says that it failed, or that ctx ended
// first.
func (w *waking) wait(ctx context.Context) error {
	var err error
	late := runq.Of(ctx).Wait(ctx, func() {
		select {
		case <-w.done:
			err = w.err
		case <-ctx.Done():
			err = ctx.Err()
		}
	})
	if late = cmp.Or(ctx.Err(), late); late != nil {
		return fault.Wrap(fault.Unavailable, "wake", "the plugin is still being woken; try again in a moment", late)
	}
	return err
}

// failedWake is what became of the last load.
type failedWake struct {
	err   error // nil = it did not fail
	until time.Time
	pause time.Duration
}

// wake begins to load the program, or returns the load that is under way.
// Unavailable says that the last one failed just now. The caller holds mu.
func (p *pool) wake() (*waking, error) {
	switch {
	case p.waking != nil:
		return p.waking, nil
	case p.closed:
		return nil, fault.New(fault.Unavailable, "wake", "the deployment is closed")
	case p.failed.err != nil && p.cfg.Clock().Before(p.failed.until):
		return nil, errWake(p.failed.err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), wakeTimeout)
	w := &waking{cancel: cancel, done: make(chan struct{})}
	p.waking = w
	go p.load(ctx, w) // close waits for it
	return w, nil
}

func errWake(err error) error {
	return fault.Wrap(fault.Unavailable, "wake", "the plugin cannot be woken; the operator's log says why", err)
}

// load loads the program for w.
func (p *pool) load(ctx context.Context, w *waking) {
	defer close(w.done)
	defer w.cancel()
	program, err := p.loaded(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waking = nil
	if p.closed {
		p.settled.Broadcast()
	}
	if err != nil {
		p.cfg.Plugin.Wakes.failed.Add(1)
		w.err = errWake(err)
		p.fail(err)
		return
	}
	p.cfg.Plugin.Wakes.done.Add(1)
	p.failed = failedWake{}
	p.program, p.fresh = program, program.Fresh()
}

// loaded is cfg.Load without its panics: they would end the process, and are no
// more than a plugin that cannot serve. Where there is no memory for the program,
// others that nobody uses are unloaded.
func (p *pool) loaded(ctx context.Context) (program engine.Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fault.New(fault.Internal, "wake", fmt.Sprintf("panic: %v", r))
		}
	}()
	for {
		program, err = p.cfg.Load(ctx)
		if fault.CodeOf(err) != fault.Unavailable || ctx.Err() != nil || !p.pools.unloadColdest(ctx, p) {
			return program, err
		}
	}
}

// fail notes and logs a load that failed. The caller holds mu.
func (p *pool) fail(err error) {
	pause := min(max(2*p.failed.pause, firstPause), lastPause)
	p.failed = failedWake{err: err, until: p.cfg.Clock().Add(pause), pause: pause}
	if p.cfg.Log != nil && !p.closed {
		p.cfg.Log.Error("the plugin cannot be woken", "error", err, "next_try_after", pause)
	}
}
