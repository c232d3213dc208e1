package live

import (
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/store/kept"
)

// answer is one that equal requests share. It is run again when what it rests on has
// changed, one run at a time.
type answer struct {
	service    *Service
	key        key
	head       abi.RequestHead
	deployment *dispatch.Deployment // held only while it runs
	limits     limit.Limits
	lane       *lane
	unfollow   func()

	mu    sync.Mutex
	subs  map[*Subscriber]struct{}
	state *state
	share limit.Share // of the memory, for state
	phase phase
	first bool // a client waits for the first state, and has had none before
	again bool // what it rests on has changed since the run that is under way began
	over  bool
	timer *time.Timer

	entry  *kept.Entry
	expiry *time.Timer // when a value is gone that was read
	rests  uint64      // which entry and expiry count
	tries  int         // runs in a row that had no place
	since  time.Time   // of the first of them
}

// phase says what an answer waits for.
type phase uint8

const (
	idle    phase = iota // for a change
	pausing              // for the timer
	queued               // for its turn in the lane
	running
)

func newAnswer(s *Service, k key, r *Request, m *deploy.Match, l *lane, unfollow func()) *answer {
	return &answer{
		service: s, key: k, head: headOf(r, m), deployment: m.Deployment, limits: m.Limits(), lane: l, unfollow: unfollow, share: s.memory.Share(),
		subs: map[*Subscriber]struct{}{},
	}
}

// add has one more share the answer. It reports false for one who has left. The caller
// holds mu.
func (a *answer) add(sub *Subscriber) bool {
	if !sub.share(a) {
		return false
	}
	a.subs[sub] = struct{}{}
	if a.state != nil {
		sub.offer(a, a.state)
		return true
	}
	was := a.first
	a.first = was || sub.request.LastID == ""
	switch {
	case a.phase == idle:
		a.schedule(0)
	case a.phase == queued && a.first && !was:
		a.lane.push(a, true) // its place at the end is of an answer that waits no more
	}
	return true
}

// shared returns who shares the answer.
func (a *answer) shared() []*Subscriber {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.list()
}

// list is shared. The caller holds mu.
func (a *answer) list() []*Subscriber {
	list := make([]*Subscriber, 0, len(a.subs))
	for sub := range a.subs {
		list = append(list, sub)
	}
	return list
}

// holds reports whether there is memory for a state.
func (a *answer) holds(st *state) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	more := int64(st.event.Memory(stream.EventSource)) - a.share.Held()
	return a.over || more <= 0 || a.share.Take(int(more))
}

// schedule has the answer run, at the earliest after a pause. The caller holds mu.
func (a *answer) schedule(pause time.Duration) {
	if a.over {
		return
	}
	if pause <= 0 {
		a.phase = queued
		a.lane.push(a, a.first)
		return
	}
	a.phase = pausing
	a.timer = time.AfterFunc(pause, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.phase == pausing {
			a.schedule(0)
		}
	})
}

// changed notes that what the answer rests on has changed, as long as it rests on that.
func (a *answer) changed(rests uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if rests == a.rests {
		a.wake()
	}
}

// renew has the answer run again.
func (a *answer) renew() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wake()
}

// wake has the answer run, once it may. The caller holds mu.
func (a *answer) wake() {
	switch {
	case a.over:
	case a.phase == idle:
		a.schedule(0)
	default:
		a.again = true
	}
}

// rest has the answer run again when something changes that it rests on.
func (a *answer) rest(seen *reads) {
	a.mu.Lock()
	before, timer := a.entry, a.expiry
	a.rests++
	rests := a.rests
	a.entry, a.expiry = nil, nil
	a.mu.Unlock()
	before.Close()
	if timer != nil {
		timer.Stop()
	}
	entry := a.service.index.Add(seen.Reads, func() { a.changed(rests) })
	var expiry *time.Timer
	if at := seen.Expires; at != 0 {
		wait := time.UnixMilli(at).Sub(a.service.cfg.Clock()) + time.Millisecond
		expiry = time.AfterFunc(wait, func() { a.changed(rests) })
	}
	a.mu.Lock()
	over := a.over
	if !over {
		a.entry, a.expiry = entry, expiry
	}
	a.mu.Unlock()
	if over {
		entry.Close()
		if expiry != nil {
			expiry.Stop()
		}
	}
}

// fail ends the streams of all who share the answer.
func (a *answer) fail(f *failure) {
	s := a.service
	s.mu.Lock()
	a.mu.Lock()
	list := a.list()
	clear(a.subs)
	s.forget(a)
	a.mu.Unlock()
	s.mu.Unlock()
	for _, sub := range list {
		sub.end(f)
	}
}

// end frees what the answer has. It reports whether it was the first. The caller holds mu.
func (a *answer) end() bool {
	if a.over {
		return false
	}
	a.over = true
	for _, t := range []*time.Timer{a.timer, a.expiry} {
		if t != nil {
			t.Stop()
		}
	}
	a.entry.Close()
	a.entry = nil
	a.share.Give()
	a.unfollow()
	return true
}
