// Package ticking has the requests of schedules made when they are due. That one was
// made is an effect of the commit of what its handler wrote; one that failed is noted by
// a commit of its own. Package host wires it.
package ticking

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	capcron "github.com/wasmoor/wasmoor/host/internal/capability/cron"
	"github.com/wasmoor/wasmoor/host/internal/cron"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

// Config is what a Service works with. All fields are required.
type Config struct {
	Store store.Store
	// Serving returns the plugins that serve.
	Serving func() []deploy.Installed
	// Run makes a request.
	Run   func(context.Context, *trigger.Request) trigger.Outcome
	Clock func() time.Time
	Log   *slog.Logger
}

// Service follows the schedules of all plugins. Safe for concurrent use.
type Service struct {
	*trigger.Work
	cfg Config

	mu      sync.Mutex
	started bool
	jobs    map[key]*job
}

// key names a schedule.
type key struct {
	space store.Space
	name  string
}

// New returns a Service that does nothing before Start. Close it.
func New(cfg Config) *Service {
	const late = "runs of schedules still go on; they come again after the next start"
	return &Service{Work: trigger.NewWork(late), cfg: cfg, jobs: map[key]*job{}}
}

// Start begins to follow the schedules.
func (s *Service) Start() {
	s.mu.Lock()
	s.started = true
	s.mu.Unlock()
	s.Refresh()
}

// Refresh takes over what serves now: which schedules there are, and which plugins are
// paused. It waits for nothing. A nil Service has nothing to do, nor has one before Start.
func (s *Service) Refresh() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Stopped() || !s.started {
		return
	}
	serves := map[store.Space]bool{}
	kept := map[key]bool{}
	for _, p := range s.cfg.Serving() {
		serves[p.Space] = true
		for _, d := range capcron.Of(p.Manifest) {
			k := key{p.Space, d.Name}
			kept[k] = true
			j := s.jobs[k]
			if j == nil {
				j = newJob(s, k)
				s.jobs[k] = j
				s.Go(j.follow)
			}
			j.use(p.Name, &d, p.Paused)
		}
	}
	for k, j := range s.jobs {
		if !kept[k] {
			j.leave(serves[k.space])
		}
	}
}

// Close is Drain that stops the handlers: commits that have begun end. What was going on
// comes again after the next start. A nil Service is closed.
func (s *Service) Close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s.Work.Close(ctx)
}

// Stats is how a schedule does.
type Stats struct {
	Plugin, Name   string
	Schedule, Zone string
	Request        string // that it makes: method and path
	Paused         bool   // the plugin is
	Running        bool
	At             time.Time     // when something is to be done next; zero = never, or it is not known yet
	Late           time.Duration // what is due or goes on is so late; 0 = nothing is
	LateAll        time.Duration // so late began all runs together, since the start
	Refused        int64         // runs that found no place, since the start
	Record         cron.Record
}

// Stats returns how all schedules do that are followed, by plugin and name.
func (s *Service) Stats() (list []Stats) {
	s.mu.Lock()
	jobs := make([]*job, 0, len(s.jobs))
	for _, j := range s.jobs {
		jobs = append(jobs, j)
	}
	s.mu.Unlock()
	for _, j := range jobs {
		list = append(list, j.stats())
	}
	slices.SortFunc(list, func(a, b Stats) int {
		return cmp.Or(cmp.Compare(a.Plugin, b.Plugin), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// Of returns the Stats of a plugin, none where it does not serve.
func (s *Service) Of(plugin string) []Stats {
	return slices.DeleteFunc(s.Stats(), func(o Stats) bool { return o.Plugin != plugin })
}

// Fire makes the request of a schedule now, and returns when it is over; the schedule
// goes on as if it had not been. The end of ctx ends waiting for a place, not the run.
// Errors: NotFound (the plugin has no such schedule, or does not serve), Conflict (a run
// goes on), Unavailable and others with which the request was not handled.
func (s *Service) Fire(ctx context.Context, space store.Space, name string) (cron.Run, error) {
	s.mu.Lock()
	j := s.jobs[key{space, name}]
	s.mu.Unlock()
	done, ok := s.Begin()
	if ok {
		defer done()
	}
	if !ok || j == nil {
		return cron.Run{}, fault.New(fault.NotFound, "", fmt.Sprintf("no schedule %.63q is followed; list them with: wasmoor cron list", name))
	}
	return j.fire(ctx)
}
