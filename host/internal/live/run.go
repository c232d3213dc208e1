package live

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/serve"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// reads are what a run has seen of the store.
type reads struct {
	store.Reads
	wrote bool
}

func (r *reads) see(inv *invoke.Invocation) {
	*r = reads{}
	if tx := inv.Tx; tx != nil {
		r.Reads, r.wrote = tx.Reads(), !tx.ReadOnly()
	}
}

// run computes the answer. It holds a place of the lane.
func (a *answer) run() {
	a.mu.Lock()
	if a.over || a.phase != queued {
		a.mu.Unlock()
		return
	}
	a.phase, a.again = running, false
	low := !a.first
	a.mu.Unlock()
	s := a.service
	if s.Stopped() {
		return
	}
	if !a.deployment.Acquire() { // it drains, and whoever shares the answer is about to be moved
		a.rested(0)
		s.Refresh()
		return
	}
	s.counts.runs.Add(1)
	var seen reads
	inv := &invoke.Invocation{Request: &invoke.Request{Head: a.head, DropEffects: true, Low: low, Seen: seen.see, Arrived: s.cfg.Clock()}}
	var rec trace.Record
	err := s.cfg.Handle(s.Handling, serve.Target{Deployment: a.deployment, Limits: a.limits}, inv, &rec)
	if err != nil && a.mayTryAgain(err) {
		return
	}
	if f := judge(inv, &rec, &seen, err); f != nil {
		a.refused(f, inv)
		return
	}
	a.rest(&seen)
	next := newState(s.states.Add(1), seen.Revision, inv.Reply.Body)
	if !a.holds(next) {
		s.counts.full.Add(1)
		a.fail(failedWith(errNoMemory()))
		return
	}
	a.mu.Lock()
	a.tries = 0
	before := a.state
	if before != nil && before.digest == next.digest {
		a.mu.Unlock()
		s.counts.unchanged.Add(1)
		a.rested(idleShare * rec.Run)
		return
	}
	a.state, a.first = next, false
	list := a.list()
	a.mu.Unlock()
	s.counts.states.Add(1)
	s.Go(func() { a.deliver(next, list, rec.Run) })
}

func errNoMemory() error {
	return fault.New(fault.Unavailable, "live", "the live answers of all clients take all the memory there is for them")
}

// idleShare is how many times as long as it takes to compute and to send a state an
// answer pauses afterwards. So with writers at full speed it takes a small part of a
// processor from them, however many clients it has.
const idleShare = 9

// longest bounds that pause.
const longest = 2 * time.Second

// deliver sends a state to some clients at a time, so that the processors are not taken by
// ten thousand at once, and has the next state come no sooner than that is over.
func (a *answer) deliver(st *state, list []*Subscriber, ran time.Duration) {
	begun := time.Now()
	for some := range slices.Chunk(list, together) {
		for _, sub := range some {
			sub.offer(a, st)
		}
		if len(list) > together {
			a.await(some)
		}
	}
	a.rested(min(longest, idleShare*(time.Since(begun)+ran)))
}

// together is how many clients are sent a state at once.
const together = 64

// slowest bounds how long the slowest of those hold up the others; the next time nobody
// waits for them.
const slowest = 20 * time.Millisecond

// await returns when some clients have taken what was sent.
func (a *answer) await(some []*Subscriber) {
	begun := time.Now()
	for _, sub := range some {
		for sub.waits() && time.Since(begun) < slowest && !a.service.Stopped() {
			time.Sleep(100 * time.Microsecond)
		}
		sub.fared()
	}
}

// rested ends a run: what has changed meanwhile, or changes during the pause, has another
// begin after it.
func (a *answer) rested(pause time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return
	}
	a.phase = pausing
	a.timer = time.AfterFunc(pause, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.over || a.phase != pausing {
			return
		}
		a.phase = idle
		if a.again {
			a.schedule(0)
		}
	})
}

// Bounds of what is tried again because there was no place for it.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
	giveUp     = 30 * time.Second
)

// mayTryAgain reports whether a run had no place and will be tried again: clients keep
// the answer that they have meanwhile. One without an answer is told at once.
func (a *answer) mayTryAgain(err error) bool {
	code := fault.CodeOf(err)
	if code != fault.Unavailable && code != fault.Conflict || dispatch.PausedBy(err) != nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	attached := false
	for sub := range a.subs {
		attached = attached || sub.attached()
	}
	now := time.Now()
	if a.tries == 0 {
		a.since = now
	}
	if !attached || now.Sub(a.since) > giveUp {
		return false
	}
	a.schedule(min(lastRetry, firstRetry<<min(a.tries, 10)))
	a.tries++
	a.service.counts.retries.Add(1)
	return true
}

// MaxAnswer is how large a live answer may be: each client may have two that it has not
// read.
const MaxAnswer = 256 << 10

// judge says why a run makes no state, nil = it does.
func judge(inv *invoke.Invocation, rec *trace.Record, seen *reads, err error) *failure {
	f := failing(inv, rec, seen, err)
	if f != nil && f.err != nil && rec.Called {
		f.err = calledError{f.err}
	}
	return f
}

// failing is judge, whether or not the handler had called a service.
func failing(inv *invoke.Invocation, rec *trace.Record, seen *reads, err error) *failure {
	reply := &inv.Reply
	switch {
	case err != nil:
		return failedWith(err)
	case seen.wrote && inv.Outcome != abi.OutcomeAbort:
		return refusedFor("writes", "the handler of this live route writes, and what it does here is dropped; its answer cannot be kept up to date")
	case rec.Called:
		return refusedFor("calls", "the handler of this live route calls another service in a way that may change something there; its answer cannot be kept up to date")
	case reply.Status != 200:
		return failedReply(reply)
	case len(reply.Body) > MaxAnswer:
		return refusedFor("size", fmt.Sprintf("the answer of this live route is over the limit of %d KiB", MaxAnswer>>10))
	case !isText(reply.Body):
		return refusedFor("text", "the answer of this live route is not text in UTF-8")
	}
	return nil
}

// refused ends the answer, and tells the author of what only they can mend.
func (a *answer) refused(f *failure, inv *invoke.Invocation) {
	a.service.counts.failed.Add(1)
	if f.problem != "" && inv.Env != nil && inv.Env.Log != nil {
		inv.Env.Log.Warn("a live answer was ended", "reason", f.detail, "pattern", a.head.Pattern, "path", a.head.Path)
	}
	a.fail(f)
}

// clone copies headers, whose strings are the invocation's.
func clone(headers []abi.Pair) []abi.Pair {
	list := slices.Clone(headers)
	for i, h := range list {
		list[i] = abi.Pair{Name: strings.Clone(h.Name), Value: strings.Clone(h.Value)}
	}
	return list
}
