package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// State is what a request does at a moment.
type State uint32

// The states.
const (
	Waiting State = iota // for its turn, or for an instance
	Running
	Committing
)

var stateNames = [...]string{"waiting", "running", "committing"}

// String returns the name of the state.
func (s State) String() string { return stateNames[s] }

// entry is a request in the list of those that a plugin has. The lock of slots, which
// every request takes twice anyway, guards the list; at is the request's to write.
type entry struct {
	of         *run
	prev, next *entry
	listed     bool
	at         atomic.Uint32 // State, and above it the number of the attempt
}

const stateBits = 8

func (e *entry) is(s State, attempt int) { e.at.Store(uint32(s) | uint32(attempt)<<stateBits) }

func (e *entry) state() State { return State(e.at.Load() & (1<<stateBits - 1)) }

// link adds an entry. The caller holds mu.
func (s *slots) link(e *entry) {
	if e.listed {
		return
	}
	e.listed, e.prev, e.next = true, nil, s.first
	if s.first != nil {
		s.first.prev = e
	}
	s.first = e
}

// unlink removes it: nobody looks at its request from then on. The caller holds mu.
func (s *slots) unlink(e *entry) {
	if !e.listed {
		return
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		s.first = e.next
	}
	e.listed, e.prev, e.next = false, nil, nil
}

// list adds a request that waits for something else first.
func (s *slots) list(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link(e)
}

// unlist removes it, if nothing else has.
func (s *slots) unlist(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unlink(e)
}

// Request is a request that a plugin has at a moment.
type Request struct {
	ID      string
	Trigger string
	Method  string
	Path    string // below the mount, without the query
	Pattern string // of the manifest's route
	Remote  string // address of the client
	Version int
	Attempt int // 0 = none has begun
	State   State
	Calling string // host that it waits for; "" = none
	Age     time.Duration
}

// Requests returns the requests that run or wait, the oldest first.
func (p *Plugin) Requests() (all []Request) {
	p.slots.mu.Lock()
	defer p.slots.mu.Unlock()
	for e := p.slots.first; e != nil; e = e.next {
		r, at := e.of, e.at.Load()
		if r.cfg.Plugin != p {
			continue // it only commits with others, and is listed there
		}
		head := &r.inv.Request.Head
		all = append(all, Request{ // the memory of the texts is used again
			ID: strings.Clone(head.RequestID), Trigger: strings.Clone(head.Trigger), Method: strings.Clone(head.Method), Path: strings.Clone(head.Path),
			Pattern: strings.Clone(head.Pattern), Remote: strings.Clone(head.Remote),
			Version: r.cfg.Env.Version, Attempt: int(at >> stateBits), State: State(at & (1<<stateBits - 1)),
			Calling: r.inv.Calling(), Age: r.cfg.Clock().Sub(r.res.Start),
		})
	}
	slices.Reverse(all)
	return all
}

// Idle reports whether it has no request.
func (p *Plugin) Idle() bool {
	p.slots.mu.Lock()
	defer p.slots.mu.Unlock()
	return p.slots.first == nil
}

// Kill ends the requests with an id, and returns how many there were. One whose commit
// has begun runs to its end.
func (p *Plugin) Kill(id string) (n int) {
	p.slots.mu.Lock()
	defer p.slots.mu.Unlock()
	for e := p.slots.first; e != nil; e = e.next {
		if e.of.inv.Request.Head.RequestID == id && e.state() != Committing {
			e.of.handling.kill()
			e.of.waiting.kill()
			n++
		}
	}
	return n
}

// Quiet waits until no commit is under way that began before Pause was set. The error
// is that of ctx.
func (p *Plugin) Quiet(ctx context.Context) error {
	busy := map[*entry]time.Time{}
	p.committing(func(e *entry) { busy[e] = e.of.res.Start })
	for len(busy) > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(quietStep):
		}
		still := map[*entry]time.Time{}
		p.committing(func(e *entry) {
			if start, was := busy[e]; was && start.Equal(e.of.res.Start) {
				still[e] = start
			}
		})
		busy = still
	}
	return nil
}

const quietStep = 5 * time.Millisecond

func (p *Plugin) committing(yield func(*entry)) {
	p.slots.mu.Lock()
	defer p.slots.mu.Unlock()
	for e := p.slots.first; e != nil; e = e.next {
		if e.state() == Committing {
			yield(e)
		}
	}
}

// Paused is the cause of a refusal because of a pause.
type Paused struct{ *plugin.Pause }

// Error implements error.
func (p Paused) Error() string {
	return fmt.Sprintf("by %s since %s", p.By, p.Since.UTC().Format(time.RFC3339))
}

// PausedBy returns the pause that is why a request was refused, nil if none is.
func PausedBy(err error) *plugin.Pause {
	if p, ok := errors.AsType[Paused](err); ok {
		return p.Pause
	}
	return nil
}

// killed is the cause of a failure that an operator has ended the request.
type killed struct{ error }

// Unwrap returns what the request ended with.
func (k killed) Unwrap() error { return k.error }

// Stopped returns what an operator did, where that is why a request failed.
func Stopped(err error) trace.Stop {
	if err == nil {
		return ""
	}
	if _, ended := errors.AsType[killed](err); ended {
		return trace.Ended
	}
	if PausedBy(err) != nil {
		return trace.Paused
	}
	return ""
}

// paused returns why the plugin does not serve, or with writes why it does not commit.
func (d *Deployment) paused(writes bool) error {
	p := d.cfg.Plugin.Pause.Load()
	if p == nil || p.Writes != writes {
		return nil
	}
	what := "is paused"
	if writes {
		what = "takes no writes for now"
	}
	return fault.Wrap(fault.Unavailable, "dispatch", fmt.Sprintf(
		"plugin %q %s; to end that run: wasmoor resume %s", d.cfg.Env.Plugin, what, d.cfg.Env.Plugin), Paused{p})
}

// ended returns what a request ended with, or that an operator has ended it.
func (r *run) ended(err error) error {
	if err == nil || !r.handling.killed.Load() || fault.CodeOf(err) == fault.Unknown {
		return err
	}
	return fault.Wrap(fault.Unavailable, "dispatch", "an operator has ended the request", killed{err})
}
