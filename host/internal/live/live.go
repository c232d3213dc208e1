// Package live keeps answers up to date: a client that asks for the answer of a live
// route as an event stream gets it again whenever a commit has changed what it rests on.
// Equal requests share one run of the handler and one encoded answer. Nothing of a
// plugin is kept between runs, so an idle client costs a connection and no guest.
// Package server/public opens live answers, and package host wires them.
package live

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/router"
	"github.com/wasmoor/wasmoor/host/internal/serve"
	"github.com/wasmoor/wasmoor/host/internal/store/kept"
	"github.com/wasmoor/wasmoor/host/internal/trace"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

// Routes finds who answers a request. *deploy.Deployer is one.
type Routes interface {
	Route(method, host, path string, params []abi.Pair, c deploy.Client) (deploy.Match, router.Result)
}

// Config is what a Service works with. All fields are required.
type Config struct {
	Store  kept.Store
	Routes Routes
	// Handle is that of serve.Handler.
	Handle func(context.Context, serve.Target, *invoke.Invocation, *trace.Record) error
	Clock  func() time.Time
	Log    *slog.Logger
}

// Service has the live answers of all plugins. Safe for concurrent use.
type Service struct {
	*trigger.Work
	cfg    Config
	index  *kept.Index
	moving chan struct{}
	states atomic.Uint64 // how many there were
	memory *limit.Budget // for what answers are
	counts counts

	mu      sync.Mutex // before that of an answer, and that before a subscriber's
	answers map[key]*answer
	lanes   map[*dispatch.Plugin]*lane
}

// New returns a Service without answers. Close it.
func New(cfg Config) *Service {
	s := &Service{
		Work: trigger.NewWork("live answers are still being computed; nothing of them is kept"),
		cfg:  cfg, index: kept.New(cfg.Store, maxReads), moving: make(chan struct{}, 1), memory: limit.NewBudget(maxMemory),
		answers: map[key]*answer{}, lanes: map[*dispatch.Plugin]*lane{},
	}
	s.Go(s.follow)
	return s
}

// maxMemory is what all answers may take: each client may ask for one of its own.
const maxMemory = 256 << 20

// maxReads is about what may be kept of what answers rest on.
const maxReads = 64 << 20

// patience is how long a client waits for the first answer before its stream begins
// without one. Its status is then that of a stream, whatever comes of it.
const patience = 10 * time.Second

// Open begins a live answer, and returns when there is one, or a reason why not: a Reply
// to be sent as it is, or an error of serve.Handler.Handle. The subscriber has to be
// attached to its stream, or to leave.
func (s *Service) Open(r *Request, client invoke.Client) (*Subscriber, *Reply, error) {
	sub := newSubscriber(s, r)
	reply, err := s.open(sub, client)
	if reply != nil || err != nil {
		sub.Leave()
		return nil, reply, err
	}
	return sub, nil, nil
}

func (s *Service) open(sub *Subscriber, client invoke.Client) (*Reply, error) {
	if s.Stopped() {
		return nil, errStopping()
	}
	if err := s.find(sub); err != nil {
		return nil, err
	}
	left := make(chan struct{})
	defer client.Watch(func() { close(left) })()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-sub.told:
	case <-timer.C:
	case <-s.Taking.Done():
		return nil, errStopping()
	case <-left:
		return nil, fault.New(fault.Left, "live", "the client left while its request waited; nothing was done")
	}
	if f := sub.failed(); f != nil {
		return f.reply, f.err
	}
	return nil, nil
}

func errStopping() error { return fault.New(fault.Unavailable, "live", "the server is stopping") }

// find has a subscriber share the answer of what serves it.
func (s *Service) find(sub *Subscriber) error {
	m, result := s.route(sub)
	if result != router.Found {
		return errGone()
	}
	defer m.Deployment.Release()
	if !m.Live() {
		return errGone()
	}
	return s.join(sub, &m)
}

func (s *Service) route(sub *Subscriber) (deploy.Match, router.Result) {
	return s.cfg.Routes.Route("GET", sub.request.RouteHost, sub.request.Path, nil, sub.request.Client)
}

func errGone() error {
	return fault.New(fault.NotFound, "live", "nothing is served live at this path any more")
}

// join adds a subscriber to the answer of what was found, which it makes if there is none.
func (s *Service) join(sub *Subscriber, m *deploy.Match) error {
	k := keyOf(sub.request, m)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.answers[k]
	if a == nil {
		end, err := s.index.Begin()
		if err != nil {
			return err
		}
		a = newAnswer(s, k, sub.request, m, s.laneOf(m.Deployment), end)
		s.answers[k] = a
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.add(sub) && len(a.subs) == 0 {
		s.forget(a)
	}
	return nil
}

// part has a subscriber share an answer no more.
func (s *Service) part(a *answer, sub *Subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.subs, sub)
	if len(a.subs) == 0 {
		s.forget(a)
	}
}

// forget ends an answer that nobody shares any more, or that has failed. The caller holds
// mu and the answer's.
func (s *Service) forget(a *answer) {
	if !a.end() {
		return
	}
	if s.answers[a.key] == a {
		delete(s.answers, a.key)
	}
	if a.lane.users--; a.lane.users == 0 {
		delete(s.lanes, a.lane.plugin)
	}
}

// laneOf returns the lane of a deployment's plugin. The caller holds mu.
func (s *Service) laneOf(d *dispatch.Deployment) *lane {
	p := d.Plugin()
	l := s.lanes[p]
	if l == nil {
		l = &lane{service: s, plugin: p}
		s.lanes[p] = l
	}
	l.users++
	l.resize(d.Env().Limits.Concurrency)
	return l
}

// Refresh has every subscriber follow what serves now, soon: other versions, mounts and
// pauses. It waits for nothing. A nil Service has nobody.
func (s *Service) Refresh() {
	if s == nil {
		return
	}
	select {
	case s.moving <- struct{}{}:
	default:
	}
}

// follow moves subscribers after each Refresh.
func (s *Service) follow() {
	for {
		select {
		case <-s.Taking.Done():
			return
		case <-s.moving:
		}
		for _, a := range s.list() {
			s.move(a)
		}
	}
}

func (s *Service) list() []*answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.answers))
}

// move has those who share an answer share what serves them now.
func (s *Service) move(a *answer) {
	if pause := a.lane.plugin.Pause.Load(); pause != nil && !pause.Writes {
		a.fail(failedWith(errPaused()))
		return
	}
	if a.deployment.Env().Calls { // another version of a called plugin may answer otherwise
		a.renew()
	}
	for _, sub := range a.shared() {
		if err := s.follows(a, sub); err != nil {
			sub.end(failedWith(err))
			sub.part()
		}
	}
}

// follows has one who shares an answer share what serves it now.
func (s *Service) follows(a *answer, sub *Subscriber) error {
	m, result := s.route(sub)
	if result != router.Found {
		return errGone()
	}
	defer m.Deployment.Release()
	switch {
	case !m.Live():
		return errGone()
	case keyOf(sub.request, &m) == a.key:
		return nil
	}
	sub.part()
	return s.join(sub, &m)
}

func errPaused() error {
	return fault.New(fault.Unavailable, "live", "the service is paused by its operator; try again later")
}

// Close ends all runs, and waits for them until ctx ends. Streams are the caller's to
// close before. A nil Service is closed.
func (s *Service) Close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	s.Cancel()
	for _, a := range s.list() {
		a.fail(failedWith(errStopping()))
	}
	err := s.Work.Close(ctx)
	if err == nil {
		s.index.Wait()
	}
	return err
}
