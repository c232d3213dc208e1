// Package hub is the way in of sockets: it opens them for requests that handlers accept,
// has the events of each handled as requests, one at a time and in order, and delivers
// what handlers say, in the order of their commits. Connections are server/stream's. No
// guest waits on a socket. Package host wires it, and server/public opens sockets.
package hub

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	capsocket "github.com/wasmoor/wasmoor/host/internal/capability/socket"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/socket"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

// Config is what a Service works with. All fields are required.
type Config struct {
	// Store is asked for once the service has started.
	Store   func() store.Store
	Streams *stream.Streams
	Clock   func() time.Time
	Log     *slog.Logger
}

// Service has the sockets of all plugins. Make it with New, Start it once plugins serve,
// and Close it after the Streams. Safe for concurrent use.
type Service struct {
	*trigger.Work
	cfg     Config
	serving func() []deploy.Installed
	run     func(context.Context, *trigger.Request) trigger.Outcome
	dirty   chan struct{} // has one when a topic may keep more than it should
	events  atomic.Int64  // that wait or are being handled
	counts  counts

	mu    sync.Mutex
	desks map[string]*desk           // by plugin; they stay
	kept  map[string]map[string]bool // topics by plugin that have kept more since the last trim
}

// counts are of all plugins since the start.
type counts struct {
	handled, failed, published, delivered, resumed, reset, trimmed atomic.Int64
}

// New returns a Service that has no socket yet.
func New(cfg Config) *Service {
	const late = "events of sockets are still being handled"
	return &Service{Work: trigger.NewWork(late), cfg: cfg, desks: map[string]*desk{}, dirty: make(chan struct{}, 1)}
}

// Start lets sockets open: serving returns the plugins that serve, and run handles an event.
func (s *Service) Start(serving func() []deploy.Installed, run func(context.Context, *trigger.Request) trigger.Outcome) {
	s.serving, s.run = serving, run
	s.Go(s.trim)
}

// Streams returns what has the connections.
func (s *Service) Streams() *stream.Streams { return s.cfg.Streams }

func (s *Service) desk(plugin string) *desk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.desks[plugin]
}

// all returns the desks.
func (s *Service) all() []*desk {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*desk, 0, len(s.desks))
	for _, d := range s.desks {
		list = append(list, d)
	}
	return list
}

// Has implements the Hub of capability/socket.
func (s *Service) Has(plugin, id string) bool {
	d := s.desk(plugin)
	return d != nil && d.has(id)
}

// Count implements the Hub of capability/socket.
func (s *Service) Count(plugin, topic string) int {
	d := s.desk(plugin)
	if d == nil {
		return 0
	}
	return d.count(topic)
}

// Say implements the Hub of capability/socket.
func (s *Service) Say(plugin string, effects []socket.Effect, revision store.Revision, left func()) {
	for i := range effects {
		if effects[i].Kept {
			s.keeps(plugin, effects[i].Topic)
		}
	}
	d := s.desk(plugin)
	if d == nil { // nobody is there to hear it
		left()
		return
	}
	d.say(said{effects, revision, left})
}

// Request is one that opens a socket.
type Request struct {
	Plugin      string
	Space       store.Space
	Declared    *capsocket.Declared
	Kept        capsocket.Kept
	Params      []abi.Pair // path values of the pattern
	Kind        stream.Kind
	Client      netip.Addr
	LastEventID string // of an event stream that comes back; "" = it is new
	Concurrency int    // events of the plugin that are handled at a time
}

// Begin takes a place for a socket whose request is to be handled next. Errors are those
// of stream.Streams.Reserve.
func (s *Service) Begin(r *Request) (*Opening, error) {
	place, err := s.cfg.Streams.Reserve(r.Plugin, r.Declared.Max, r.Client)
	if err != nil {
		return nil, err
	}
	one := &sock{
		held: true, id: newID(), kind: r.Kind, pattern: r.Declared.Pattern, params: r.Params, opened: s.cfg.Clock(),
		takes: r.Declared.HasEvents, client: r.Client.String(),
	}
	s.mu.Lock()
	d := s.desks[r.Plugin]
	if d == nil {
		d = &desk{service: s, plugin: r.Plugin, sockets: map[string]*sock{}, topics: map[string]map[*sock]struct{}{}}
		s.desks[r.Plugin] = d
	}
	s.mu.Unlock()
	one.desk = d
	d.mu.Lock()
	d.sockets[one.id] = one
	d.most = max(r.Concurrency, 1)
	d.mu.Unlock()
	return &Opening{sock: one, place: place, request: r}, nil
}

// newID returns an id that nobody guesses.
func newID() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base32.StdEncoding.EncodeToString(b[:])
}

// Refresh takes over what serves now: a socket that no version has any more is closed, and
// so are those of plugins that are gone. A nil Service has nothing to do, nor has one
// before Start.
func (s *Service) Refresh() {
	if s == nil || s.serving == nil {
		return
	}
	serving := map[string]capsocket.Settings{}
	for _, p := range s.serving() {
		serving[p.Name] = capsocket.Of(p.Manifest)
	}
	for _, d := range s.all() {
		d.use(serving[d.plugin])
	}
}

// Drain waits until all events are handled, those of sockets that were closed too, or ctx
// ends. Error: Deadline.
func (s *Service) Drain(ctx context.Context) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for s.events.Load() > 0 && ctx.Err() == nil {
		select {
		case <-look.C:
		case <-ctx.Done():
		}
	}
	return s.Work.Drain(ctx)
}

// Close is Drain that stops the handlers. A nil Service is closed.
func (s *Service) Close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	s.Cancel()
	return s.Drain(ctx)
}
