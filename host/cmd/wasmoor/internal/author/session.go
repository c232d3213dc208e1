package author

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/project"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// devSession is one run of `wasmoor dev`: a host, and a loop for each project.
type devSession struct {
	p       *Commands
	in      devFlags
	screen  *devScreen
	scratch *scratch
	loops   []*devLoop

	mu    sync.Mutex
	names map[string]*devLoop // of plugins, with the project whose it is
}

func (p *Commands) dev(ctx context.Context, cfg host.Config, in devFlags) (err error) {
	s := &devSession{p: p, in: in, names: map[string]*devLoop{}, screen: newScreen(p, len(in.dirs) > 1)}
	defer func() { err = errors.Join(err, s.closeLoops()) }()
	for _, dir := range in.dirs {
		l, err := newLoop(s, dir)
		if err != nil {
			return err
		}
		s.loops = append(s.loops, l)
	}
	if err := s.checkSeeds(); err != nil {
		return err
	}
	cfg.Author = &host.Author{Unserved: s.unserved, Logged: s.screen.failure}
	takeRecords(&cfg, s.screen.take)
	if s.scratch, err = startScratch(ctx, cfg); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.scratch.close()) }()
	forget := s.beFound()
	defer forget()
	s.announce()
	return s.run()
}

func (s *devSession) closeLoops() (err error) {
	for _, l := range s.loops {
		err = errors.Join(err, l.watcher.Close())
	}
	return err
}

// checkSeeds refuses seeds of a plugin that the session does not have.
func (s *devSession) checkSeeds() error {
	var names []string
	for _, l := range s.loops {
		if l.project == nil {
			return nil // its name is not known yet
		}
		names = append(names, l.project.Manifest.Name)
	}
	for _, row := range s.in.seeds {
		if row.plugin != "" && !slices.Contains(names, row.plugin) {
			return fault.New(fault.Invalid, "", fmt.Sprintf("%s: plugin %q is not one of %s", row.at, row.plugin, strings.Join(names, ", ")))
		}
	}
	return nil
}

// beFound lets other commands find this session from the projects' folders.
func (s *devSession) beFound() (forget func()) {
	file, err := filepath.Abs(s.scratch.host.TokenFile())
	if err != nil {
		file = s.scratch.host.TokenFile()
	}
	return project.KeepSession(s.in.dirs, project.Session{Server: s.scratch.host.AdminURL(), TokenFile: file})
}

func (s *devSession) announce() {
	h := s.scratch.host
	if s.p.AsJSON {
		s.screen.event(devEvent{Event: "serves", Public: h.PublicURL(), Admin: h.AdminURL(), TokenFile: h.TokenFile()})
		return
	}
	s.p.Announce("dev", h)
	s.p.Note("  next    edit and save. In a project's folder, `wasmoor kv`, `logs`, `trace`, `var` and the like ask this session. Ctrl-C ends it")
	if s.in.data != "" {
		s.p.Note("  data    %s, which lasts", s.in.data)
	}
	if s.in.clock != "" {
		s.p.Note("  clock   %s", s.in.clock)
	}
}

// run runs the loops until the session ends or one of them fails.
func (s *devSession) run() error {
	all, ctx := errgroup.WithContext(s.scratch.ctx)
	for _, l := range s.loops {
		all.Go(func() error { return l.run(ctx) })
	}
	err := all.Wait()
	if errors.Is(err, context.Canceled) { // an interrupt is how a session ends
		return nil
	}
	return err
}

// unserved says for a client why a path is not served yet.
func (s *devSession) unserved(path string) string {
	for _, l := range s.loops {
		if why := l.state.unserved(path, len(s.loops) == 1); why != "" {
			return why
		}
	}
	return ""
}

// claim takes a plugin's name for a project, in place of the one it had.
func (s *devSession) claim(name string, l *devLoop) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other, ok := s.names[name]; ok && other != l {
		return fault.New(fault.Conflict, "", fmt.Sprintf("%s is the name of the plugin in %s too; give one of them another", name, other.dir))
	}
	maps.DeleteFunc(s.names, func(_ string, of *devLoop) bool { return of == l })
	s.names[name] = l
	return nil
}

// devCORS is the policy of --cors: whatever a page on an author's machine may need.
func devCORS(origins []string) adminapi.CORS {
	return adminapi.CORS{
		Origins: origins, Methods: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"},
		Headers:     []string{"accept", "authorization", "content-type", "idempotency-key", "if-match", "if-none-match", "x-request-id", "x-csrf-token"},
		Expose:      []string{"etag", "location", "retry-after", "x-request-id"},
		Credentials: !slices.Contains(origins, "*"),
	}
}

// loopState is what clients are told of a project. Safe for concurrent use.
type loopState struct {
	mu     sync.Mutex
	serves bool
	prefix string // of its mount; "" = not known
	why    string // it does not serve yet
}

// set says why it does not serve yet; "" = it does.
func (s *loopState) set(prefix, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serves = s.serves || why == ""
	s.prefix, s.why = prefix, why
}

func (s *loopState) unserved(path string, only bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serves || !only && s.prefix != "" && path != s.prefix && !strings.HasPrefix(path, strings.TrimSuffix(s.prefix, "/")+"/") {
		return ""
	}
	return s.why
}
