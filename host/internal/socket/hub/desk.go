package hub

import (
	"slices"
	"sync"

	"github.com/wasmoor/wasmoor/abi/limits"
	capsocket "github.com/wasmoor/wasmoor/host/internal/capability/socket"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/socket"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// desk is the sockets of one plugin. It outlives versions.
type desk struct {
	service *Service
	plugin  string

	saying     sync.Mutex // guards said and delivering, and nobody who has it waits
	said       []said
	delivering bool

	mu       sync.Mutex // guards all below, and the sockets but for their streams
	sockets  map[string]*sock
	topics   map[string]map[*sock]struct{} // who follows each
	runnable []*sock                       // have an event to be handled, and none that is
	workers  int
	waiting  int // bytes of messages that wait or are being handled
	most     int // workers
}

// said is what an attempt says.
type said struct {
	effects  []socket.Effect
	revision store.Revision
	left     func()
}

func (d *desk) has(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sockets[id] != nil
}

func (d *desk) count(topic string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.topics[topic])
}

// say has what an attempt says delivered after what was said before, and returns at once:
// commits wait for it.
func (d *desk) say(s said) {
	d.saying.Lock()
	defer d.saying.Unlock()
	d.said = append(d.said, s)
	if !d.delivering {
		d.delivering = true
		go d.deliver() // ends when nothing is left; whoever said it waits for it
	}
}

// deliver delivers all that was said.
func (d *desk) deliver() {
	for {
		next, ok := d.next()
		if !ok {
			return
		}
		d.mu.Lock()
		for i := range next.effects {
			d.apply(&next.effects[i], next.revision)
		}
		d.mu.Unlock()
		next.left()
	}
}

// next returns what was said first; false = nothing is left, and the delivery ends.
func (d *desk) next() (s said, ok bool) {
	d.saying.Lock()
	defer d.saying.Unlock()
	if len(d.said) == 0 {
		d.said, d.delivering = nil, false
		return s, false
	}
	s = d.said[0]
	d.said[0] = said{}
	d.said = d.said[1:]
	return s, true
}

// apply does one thing that a handler has said. The caller holds mu.
func (d *desk) apply(e *socket.Effect, revision store.Revision) {
	if e.Kind == socket.Publish {
		d.publish(e, revision)
		return
	}
	one := d.sockets[e.Socket]
	if one == nil {
		return // it has left meanwhile
	}
	switch e.Kind {
	case socket.Send:
		one.push(outgoing{event: stream.NewEvent("", e.Name, e.Text, e.Data)})
	case socket.Close:
		one.end(e.Code, e.Name)
	case socket.Follow:
		d.follow(one, e.Topic)
	case socket.Unfollow:
		d.unfollow(one, e.Topic)
	case socket.Attach:
		one.attachment = string(e.Data)
	}
}

// publish sends an event to all that follow its topic. The caller holds mu.
func (d *desk) publish(e *socket.Effect, revision store.Revision) {
	d.service.counts.published.Add(1)
	followers := d.topics[e.Topic]
	if len(followers) == 0 {
		return
	}
	out := outgoing{kept: e.Kept, id: socket.ID{Revision: revision, Index: e.Index}}
	id := ""
	if e.Kept {
		id = out.id.String()
	}
	out.event = stream.NewEvent(id, e.Name, e.Text, e.Data)
	for one := range followers {
		one.push(out)
	}
	d.service.counts.delivered.Add(int64(len(followers)))
}

// follow has a socket follow a topic. The caller holds mu.
func (d *desk) follow(one *sock, topic string) {
	if one.over || slices.Contains(one.topics, topic) {
		return
	}
	if len(one.topics) == limits.SocketTopics {
		one.end(stream.CodePolicy, "it follows too many topics")
		return
	}
	one.topics = append(one.topics, topic)
	if d.topics[topic] == nil {
		d.topics[topic] = map[*sock]struct{}{}
	}
	d.topics[topic][one] = struct{}{}
}

// unfollow ends that. The caller holds mu.
func (d *desk) unfollow(one *sock, topic string) {
	i := slices.Index(one.topics, topic)
	if i < 0 {
		return
	}
	one.topics = slices.Delete(one.topics, i, i+1)
	delete(d.topics[topic], one)
	if len(d.topics[topic]) == 0 {
		delete(d.topics, topic)
	}
}

// unfollowAll has a socket follow nothing. The caller holds mu.
func (d *desk) unfollowAll(one *sock) {
	for len(one.topics) > 0 {
		d.unfollow(one, one.topics[len(one.topics)-1])
	}
}

// use closes the sockets that the version which serves does not have.
func (d *desk) use(settings capsocket.Settings) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.sockets {
		if declared, ok := settings.Find(one.pattern); ok {
			one.takes = declared.HasEvents
			continue
		}
		one.takes = false
		one.end(codeRestart, "the service does not offer this any more")
	}
}

// codeRestart is that of a service which changes (registered for RFC 6455).
const codeRestart = 1012

// enqueue has an event of a socket handled behind those before. The caller holds mu.
func (d *desk) enqueue(one *sock, e event) {
	d.service.events.Add(1)
	d.waiting += len(e.data)
	one.inbox = append(one.inbox, e)
	if !one.running {
		one.running = true
		d.ready(one)
	}
}

// forget forgets a socket that is closed and has no event left, and gives its place back.
// The caller holds mu.
func (d *desk) forget(one *sock) {
	delete(d.sockets, one.id)
	one.place.Leave()
}

// ready has a worker see a socket. The caller holds mu.
func (d *desk) ready(one *sock) {
	d.runnable = append(d.runnable, one)
	if d.workers < d.most {
		d.workers++
		done, ok := d.service.Work.Begin()
		if !ok { // a drain still waits for it, by what it counts
			done = func() {}
		}
		go func() {
			defer done()
			d.work()
		}()
	}
}

// work handles one event after the other, of one socket after the other, until there is
// none.
func (d *desk) work() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.runnable) > 0 {
		one := d.runnable[0]
		d.runnable[0] = nil
		d.runnable = d.runnable[1:]
		e := one.inbox[0]
		one.inbox[0] = event{}
		one.inbox = one.inbox[1:]
		if one.wait != nil && len(one.inbox) < maxInbox {
			close(one.wait)
			one.wait = nil
		}
		attributes := one.attributes(&e)
		d.mu.Unlock()
		d.service.handle(one, &e, attributes)
		d.service.events.Add(-1)
		d.mu.Lock()
		d.waiting -= len(e.data)
		switch {
		case len(one.inbox) > 0:
			d.runnable = append(d.runnable, one)
		default:
			one.running, one.inbox = false, nil
			if one.over {
				d.forget(one)
			}
		}
	}
	d.runnable = nil
	d.workers--
}
