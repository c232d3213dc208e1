package hub

import (
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/server/stream"
)

// Info is what operators see of a socket.
type Info struct {
	ID, Pattern, Client string
	Kind                stream.Kind
	Opened              time.Time
	Topics              []string
	Waiting             int // events that the client has not taken
}

// List returns the sockets of a plugin that are open, those that were opened first first.
func (s *Service) List(plugin string) []Info {
	d := s.desk(plugin)
	if d == nil {
		return nil
	}
	list := d.list()
	slices.SortFunc(list, func(a, b Info) int {
		if c := a.Opened.Compare(b.Opened); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

func (d *desk) list() []Info {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]Info, 0, len(d.sockets))
	for _, one := range d.sockets {
		if one.isOpen() {
			list = append(list, Info{
				ID: one.id, Pattern: one.pattern, Client: one.client, Kind: one.kind, Opened: one.opened, Topics: slices.Clone(one.topics), Waiting: one.stream.Waiting(),
			})
		}
	}
	return list
}

// Open returns how many sockets of a plugin are open with an id: one at most, or with ""
// any number.
func (s *Service) Open(plugin, id string) int { return s.each(plugin, id, func(*sock) {}) }

// CloseSocket closes a socket of a plugin after what was sent to it, or all of them for
// "", with a reason for the client. It returns how many.
func (s *Service) CloseSocket(plugin, id, reason string) int {
	return s.each(plugin, id, func(one *sock) { one.end(stream.CodeGoingAway, reason) })
}

// each calls do for the open sockets of a plugin that have an id, or with "" for all, and
// returns how many those are. The desk's mu is held.
func (s *Service) each(plugin, id string, do func(*sock)) (n int) {
	d := s.desk(plugin)
	if d == nil {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.sockets {
		if one.isOpen() && (id == "" || one.id == id) {
			n++
			do(one)
		}
	}
	return n
}
