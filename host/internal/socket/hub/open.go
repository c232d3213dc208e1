package hub

import (
	"bytes"
	"net"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/socket"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Opening is a socket whose request is being handled. Accept or Refuse it, once.
type Opening struct {
	sock    *sock
	place   *stream.Place
	request *Request
	first   *stream.Event
}

// Attributes are what the handler of the request is told.
func (o *Opening) Attributes() []abi.Pair {
	return []abi.Pair{
		{Name: "socket.id", Value: o.sock.id}, {Name: "socket.kind", Value: o.sock.kind.String()}, {Name: "socket.event", Value: "open"},
	}
}

// Refuse forgets the socket: its handler has not accepted it.
func (o *Opening) Refuse() {
	d := o.sock.desk
	d.mu.Lock()
	o.sock.over = true
	d.unfollowAll(o.sock)
	delete(d.sockets, o.sock.id)
	d.mu.Unlock()
	o.place.Leave()
}

// Accept notes what the handler has answered: its body is the first that is sent.
func (o *Opening) Accept(reply *invoke.Reply) {
	if e := acceptance(reply); e != nil {
		o.first = e
	}
}

// acceptance is reply, whose memory is another's soon.
func acceptance(r *invoke.Reply) *stream.Event {
	kept := invoke.Reply{Status: r.Status, Headers: r.Headers, Body: bytes.Clone(r.Body)}
	return reply(&kept)
}

// Take opens the socket on a connection, with the head of the answer.
func (o *Opening) Take(conn net.Conn, ahead, head []byte) {
	one := o.sock
	opening := stream.Opening{
		Kind: one.kind, Conn: conn, Ahead: ahead, Head: head, MaxMessage: o.request.Declared.MaxMessage, Listener: one, KeepsPlace: true,
	}
	if one.kind == stream.EventSource {
		opening.Head = append(slices.Clone(head), ":\n\n"...) // proxies pass the head on with the first bytes
	}
	if o.first != nil {
		opening.First = []*stream.Event{o.first}
	}
	d := one.desk
	d.mu.Lock()
	topics := slices.Clone(one.topics)
	one.place = o.place
	d.mu.Unlock()
	s := o.place.Open(opening)
	d.mu.Lock()
	one.stream = s
	d.mu.Unlock()
	if one.kind == stream.EventSource && o.request.LastEventID != "" {
		o.resume(s, topics)
	}
	one.flow()
}

// flow sends what has waited, and lets the rest go straight on.
func (one *sock) flow() {
	d := one.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	pending := one.pending
	one.held, one.pending = false, nil
	for _, o := range pending {
		one.push(o)
	}
	if one.code != 0 {
		one.stream.Close(one.code, one.reason)
	}
}

// page and pageSize are how many kept events are read at a time, and about how many bytes,
// and ahead is how many wait for a client that resumes.
const (
	page     = 128
	pageSize = 512 << 10
	ahead    = 64
)

// resume sends what was published on topics since the client's last event. It follows them
// already, and what is published meanwhile waits: so nothing is missed, and what both have
// is sent once.
func (o *Opening) resume(s *stream.Stream, topics []string) {
	var kept []string
	for _, topic := range topics {
		if o.request.Kept.Find(topic) != nil {
			kept = append(kept, topic)
		}
	}
	if len(kept) == 0 {
		return
	}
	service := o.sock.desk.service
	service.counts.resumed.Add(1)
	after, known := socket.ParseID(o.request.LastEventID)
	if !known {
		after = socket.ID{}
	}
	until, gap := socket.ID{}, !known
	for first := true; ; first = false {
		events, at, more, complete, err := o.read(kept, after, until)
		if err != nil {
			s.Drop(stream.CodeTryAgain, "what was missed cannot be read just now")
			return
		}
		if first {
			until = socket.ID{Revision: at, Index: ^uint16(0)}
			o.saw(until)
			gap = gap || until.Before(after) // it is of a store that has been restored since
		}
		if gap = gap || !complete; gap {
			service.counts.reset.Add(1)
			s.Send(stream.NewEvent("", "reset", true, nil))
			gap = false
		}
		for i := range events {
			e := &events[i]
			event := stream.NewEvent(e.id.String(), e.Name, e.Text, e.Data)
			if !wait(s, event) || !s.Send(event) {
				return
			}
			after, e.Data = e.id, nil
		}
		if !more {
			return
		}
	}
}

// saw notes up to which event the records are sent: of what waits, the rest is new.
func (o *Opening) saw(until socket.ID) {
	d := o.sock.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	o.sock.seen = until
}

// keptEvent is one that is sent again.
type keptEvent struct {
	id socket.ID
	socket.Event
}

// read returns the next page of events of topics, in the order of their publication, after
// one and up to another, zero = up to all that there is now. more says that there are more.
func (o *Opening) read(topics []string, after, until socket.ID) (events []keptEvent, at store.Revision, more, complete bool, err error) {
	snap, err := o.sock.desk.service.cfg.Store().Snapshot()
	if err != nil {
		return nil, 0, false, false, err
	}
	defer snap.Release()
	at, complete = snap.Revision(), true
	var to socket.ID // up to it all topics have been read; zero = to their ends
	for _, topic := range topics {
		n, size := 0, 0
		whole, err := socket.Read(snap, o.request.Space, topic, after, func(id socket.ID, e socket.Event) bool {
			if until != (socket.ID{}) && until.Before(id) {
				return false
			}
			events = append(events, keptEvent{id, e})
			n, size = n+1, size+len(e.Data)
			if n < page && size < pageSize/len(topics) {
				return true
			}
			if to == (socket.ID{}) || id.Before(to) {
				to = id
			}
			return false
		})
		if err != nil {
			return nil, 0, false, false, err
		}
		complete = complete && whole
	}
	slices.SortFunc(events, func(a, b keptEvent) int {
		switch {
		case a.id.Before(b.id):
			return -1
		case b.id.Before(a.id):
			return 1
		}
		return 0
	})
	if to != (socket.ID{}) {
		events = slices.DeleteFunc(events, func(e keptEvent) bool { return to.Before(e.id) })
	}
	return events[:min(len(events), page)], at, to != (socket.ID{}) || len(events) > page, complete, nil
}

// wait waits until a client has taken most of what was sent, and there is room for an
// event; false = it is gone.
func wait(s *stream.Stream, e *stream.Event) bool {
	for s.Waiting() > ahead || !s.Fits(e) {
		time.Sleep(time.Millisecond)
	}
	return !s.Over()
}
