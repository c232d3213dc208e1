// Package delivery has the messages of plugins' queues handled: it keeps the order in
// which they wait, runs each as a request, and settles what becomes of it. That a
// message is handled is an effect of the commit that handled it. Package host wires it.
package delivery

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	capqueue "github.com/wasmoor/wasmoor/host/internal/capability/queue"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

// Config is what a Service works with. All fields are required.
type Config struct {
	Store store.Store
	// Serving returns the plugins that serve.
	Serving func() []deploy.Installed
	// Run handles a message.
	Run func(context.Context, *trigger.Request) trigger.Outcome
	// Send sends a webhook of a plugin, as webhook.Sender.Send.
	Send  func(ctx context.Context, plugin, id string, w *queue.Webhook) trigger.Outcome
	Clock func() time.Time
	Log   *slog.Logger
}

// Service delivers the messages of all plugins. Safe for concurrent use.
type Service struct {
	*trigger.Work
	cfg     Config
	loading chan struct{} // held by whoever reads messages that wait since before

	mu      sync.Mutex
	started bool
	desks   map[store.Space]*desk
	leaving map[store.Space]*desk // the last one of a space that serves no more
}

// maxLoading bounds how many plugins' messages are read at a time: after a start all
// may have some.
const maxLoading = 2

// New returns a Service that delivers nothing before Start. Close it.
func New(cfg Config) *Service {
	const late = "messages of queues are still being handled; they are handled again after the next start"
	return &Service{Work: trigger.NewWork(late), cfg: cfg, loading: make(chan struct{}, maxLoading), desks: map[store.Space]*desk{}, leaving: map[store.Space]*desk{}}
}

// Start begins to deliver.
func (s *Service) Start() {
	s.mu.Lock()
	s.started = true
	s.mu.Unlock()
	s.Refresh()
}

// Refresh takes over what serves now: which queues there are, how they are handled,
// and which plugins are paused. It waits for nothing. A nil Service has nothing to do,
// nor has one before Start.
func (s *Service) Refresh() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Stopped() || !s.started {
		return
	}
	maps.DeleteFunc(s.leaving, func(_ store.Space, d *desk) bool { return d.left() })
	serving := s.cfg.Serving()
	gone := maps.Clone(s.desks)
	for i := range serving {
		p := &serving[i]
		d := s.desks[p.Space]
		if d == nil && !hasQueues(p) {
			continue
		}
		if d == nil {
			d = newDesk(s, p, s.leaving[p.Space])
			s.desks[p.Space] = d
			s.Go(d.run)
		}
		d.use(p)
		delete(gone, p.Space)
	}
	for space, d := range gone {
		delete(s.desks, space)
		s.leaving[space] = d
		d.end()
	}
}

// Close is Drain that stops the handlers: commits that have begun end. What was being
// handled is handled again after the next start. A nil Service is closed.
func (s *Service) Close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s.Work.Close(ctx)
}

// desk returns that of a space, nil if it has none.
func (s *Service) desk(space store.Space) *desk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.desks[space]
}

// Counts are what became of the messages of a queue since the start.
type Counts struct {
	Handled   int64 // done
	Failed    int64 // attempts
	Dead      int64 // made dead letters
	Conflicts int64 // runs that were given back, for they had lost to others again and again
	Refused   int64 // runs that found no place, and are no attempts
}

// Stats is how a queue does.
type Stats struct {
	Plugin, Queue string
	Declared      bool // in the version that serves; else nobody handles its messages
	Paused        bool
	Waiting       int
	Handling      int
	Oldest        time.Time // when the oldest message was sent; zero = there is none
	Counts        Counts
}

// Stats returns how the queues of all plugins do that serve, by plugin and queue.
func (s *Service) Stats() (list []Stats) {
	s.mu.Lock()
	desks := slices.Collect(maps.Values(s.desks))
	s.mu.Unlock()
	for _, d := range desks {
		list = append(list, d.stats()...)
	}
	slices.SortFunc(list, func(a, b Stats) int {
		if c := strings.Compare(a.Plugin, b.Plugin); c != 0 {
			return c
		}
		return strings.Compare(a.Queue, b.Queue)
	})
	return list
}

// Of returns how the queues of a plugin do, by name; none where it does not serve.
func (s *Service) Of(space store.Space) []Stats {
	d := s.desk(space)
	if d == nil {
		return nil
	}
	return d.stats()
}

// Declared returns a queue of the version of a plugin that serves.
func (s *Service) Declared(space store.Space, name string) (capqueue.Declared, bool) {
	d := s.desk(space)
	if d == nil {
		return capqueue.Declared{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lines[name]
	if l == nil || !l.is {
		return capqueue.Declared{}, false
	}
	return l.declared, true
}

// Changed tells of what an operator has changed in the queues of a space: messages that
// are gone, and those that wait again. Pauses are read anew.
func (s *Service) Changed(space store.Space, gone []queue.ID, back []Back) {
	if d := s.desk(space); d != nil {
		d.changed(gone, back)
	}
}

// Back is a message that waits again.
type Back struct {
	ID queue.ID
	queue.Message
}
