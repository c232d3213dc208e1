package live

import (
	"sync"

	"github.com/wasmoor/wasmoor/host/internal/server/stream"
)

// Subscriber is one client of a live answer. Attach it to its stream, whose
// stream.Listener it is, or have it Leave.
type Subscriber struct {
	service *Service
	request *Request
	told    chan struct{} // has one when there is something for Open to look at

	mu      sync.Mutex
	of      *answer // that it shares; nil = none
	last    uint64  // the number of the last state of that answer
	first   *state  // what there was before the stream
	digest  string  // of what the client has, or will have read
	stream  *stream.Stream
	failure *failure // why its answer has ended; nil = it goes on
	left    bool
	slow    bool // it had not taken the last state when others had
}

func newSubscriber(s *Service, r *Request) *Subscriber {
	s.counts.streams.Add(1)
	return &Subscriber{service: s, request: r, told: make(chan struct{}, 1), digest: digestOf(r.LastID)}
}

// share has the subscriber share an answer, unless its client has left.
func (sub *Subscriber) share(a *answer) bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.left {
		return false
	}
	sub.of, sub.last = a, 0
	return true
}

// Attach has all that comes sent on a stream, from what there is now on.
func (sub *Subscriber) Attach(to *stream.Stream) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	sub.stream = to
	if f := sub.failure; f != nil {
		finish(to, f)
	} else if st := sub.first; st != nil {
		sub.first = nil
		sub.send(st)
	}
}

// offer has a state of an answer sent in place of earlier ones that wait, unless the
// client has it.
func (sub *Subscriber) offer(a *answer, st *state) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.of != a || st.number <= sub.last {
		return
	}
	sub.last = st.number
	if sub.stream == nil {
		sub.first = st
		sub.tell()
		return
	}
	sub.send(st)
}

// send sends a state. The caller holds mu.
func (sub *Subscriber) send(st *state) {
	if st.digest == sub.digest {
		return
	}
	sub.digest = st.digest
	if sub.stream.Replace(st.event) {
		sub.service.counts.sent.Add(1)
	}
}

// tell wakes Open. The caller holds mu.
func (sub *Subscriber) tell() {
	select {
	case sub.told <- struct{}{}:
	default:
	}
}

// waits reports whether something is still to be written to a client that was not slow
// before.
func (sub *Subscriber) waits() bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	return sub.stream != nil && !sub.slow && sub.stream.Waiting() > 0
}

// fared notes whether the client is slow.
func (sub *Subscriber) fared() {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	sub.slow = sub.stream != nil && sub.stream.Waiting() > 0
}

// attached reports whether the client's stream has begun.
func (sub *Subscriber) attached() bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	return sub.stream != nil
}

func (sub *Subscriber) failed() *failure {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	return sub.failure
}

// end ends the stream, and tells the client why.
func (sub *Subscriber) end(f *failure) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.failure != nil || sub.left {
		return
	}
	sub.failure = f
	sub.service.counts.ended.Add(1)
	if sub.stream != nil {
		finish(sub.stream, f)
		return
	}
	sub.tell()
}

func finish(s *stream.Stream, f *failure) {
	s.Replace(f.event())
	s.Close(stream.CodeNormal, "the answer is no longer live")
}

// Leave ends a subscriber that has no stream, or no longer.
func (sub *Subscriber) Leave() {
	sub.mu.Lock()
	was := sub.left
	sub.left = true
	sub.mu.Unlock()
	if !was {
		sub.service.counts.streams.Add(-1)
		sub.part()
	}
}

// part has the subscriber share no answer.
func (sub *Subscriber) part() {
	sub.mu.Lock()
	a := sub.of
	sub.of = nil
	sub.mu.Unlock()
	if a != nil {
		a.service.part(a, sub)
	}
}

// Message implements stream.Listener. Clients of event streams send none.
func (sub *Subscriber) Message(bool, []byte) {}

// Closed implements stream.Listener.
func (sub *Subscriber) Closed(int, string, bool) { sub.Leave() }
