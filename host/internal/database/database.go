// Package database works on the SQLite databases of plugins from outside of their
// requests: it copies them out and in as files, migrates them, and runs statements for
// operators. What fits into a commit is one. What does not is staged: its pages go under
// another generation in several commits, while readers are served and writers refused, and
// one commit makes it current. A server that is killed meanwhile serves what was there.
package database

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/sqlite"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Config is what a Service works with.
type Config struct {
	Store store.Store
	Dir   string // of copies, and of files that are worked on; made when it is needed
	Clock func() time.Time
	Log   *slog.Logger
}

// Service works on databases. It is safe for concurrent use: two changes of one database
// come one after the other. Close it.
type Service struct {
	cfg     Config
	life    context.Context //nolint:containedctx // ends with the service
	stop    context.CancelFunc
	retries sync.WaitGroup

	mu   sync.Mutex
	busy map[string]taken // by database
}

// New returns a Service.
func New(cfg Config) *Service {
	s := &Service{cfg: cfg, busy: map[string]taken{}}
	s.life, s.stop = context.WithCancel(context.Background())
	return s
}

// Close ends what is tried again. nil is fine.
func (s *Service) Close() {
	if s != nil {
		s.stop()
		s.retries.Wait()
	}
}

// Place is a database.
type Place struct {
	Plugin string // for a person, and for names of files
	Space  store.Space
	Name   string
	Quota  store.Quota // of the space
}

// area returns where its pages are.
func (p Place) area() store.Space { return p.Space.In(store.AreaSQL) }

func (p Place) key() string { return fmt.Sprintf("%d/%s", p.Space, p.Name) }

// turn is how somebody takes a turn with a database.
type turn struct {
	lasts bool // it may take minutes
	waits bool // for turns that last
}

// The turns of whoever changes a database.
var (
	stating   = turn{}
	importing = turn{lasts: true}
	migrating = turn{lasts: true, waits: true}
)

// taken is a turn that somebody has.
type taken struct {
	turn
	over chan struct{} // closed when it has ended
}

// alone waits until nobody else changes a database, and keeps others from it until done.
// Unavailable: the turn does not wait for the one that somebody has.
func (s *Service) alone(ctx context.Context, p Place, t turn) (done func(), err error) {
	for {
		s.mu.Lock()
		other, is := s.busy[p.key()]
		if !is {
			mine := taken{t, make(chan struct{})}
			s.busy[p.key()] = mine
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.busy, p.key())
				s.mu.Unlock()
				close(mine.over)
			}, nil
		}
		s.mu.Unlock()
		if other.lasts && !t.waits {
			return nil, fault.New(fault.Unavailable, "sql", fmt.Sprintf("a migration or an import of database %q is under way; nothing was done, try again when it has ended", p.Name))
		}
		select {
		case <-other.over:
		case <-ctx.Done():
			return nil, fault.Wrap(fault.Deadline, "sql", "another change of the database is under way", ctx.Err())
		}
	}
}

// attempts of a change of a database whose plugin writes meanwhile.
const attempts = 8

// change runs f in a transaction with a connection to a database, and commits it. It
// runs f again when something else has committed meanwhile. TooLarge: it changes more than
// a commit takes. Unavailable: the database is held.
func (s *Service) change(ctx context.Context, p Place, f func(*sqlite.Conn) error) (err error) {
	for range attempts {
		if err = s.attempt(ctx, p, true, f); fault.CodeOf(err) != fault.Conflict {
			return err
		}
	}
	return err
}

// attempt runs f in a transaction and commits it, or drops what f writes.
func (s *Service) attempt(ctx context.Context, p Place, commit bool, f func(*sqlite.Conn) error) error {
	var tx store.Tx
	tx.Reset(s.cfg.Store, p.Space, p.Quota, s.cfg.Clock())
	defer tx.Close()
	part := tx.Part(p.area(), store.Quota{})
	entry, err := sqlite.Find(part, p.Name)
	if err != nil {
		return err
	}
	conn, err := sqlite.Open(p.Name, entry.Generation)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.Begin(ctx, part, invoke.Machine, entry.Held)
	err = f(conn)
	conn.End()
	switch {
	case tx.Failure() != nil:
		return tx.Failure()
	case err != nil || !commit || tx.ReadOnly():
		return err
	}
	_, err = s.cfg.Store.Commit(ctx, tx.Effects())
	return err
}

// write commits what f writes into the area of databases of a space, and runs it again
// after a conflict.
func (s *Service) write(ctx context.Context, p Place, f func(*store.Tx) error) (err error) {
	for range attempts {
		var tx store.Tx
		tx.Reset(s.cfg.Store, p.Space, store.Quota{}, s.cfg.Clock())
		part := tx.Part(p.area(), store.Quota{})
		if err = f(part); err == nil && !tx.ReadOnly() {
			_, err = s.cfg.Store.Commit(ctx, tx.Effects())
		}
		tx.Close()
		if fault.CodeOf(err) != fault.Conflict {
			return err
		}
	}
	return err
}

// temp makes a folder for files that are worked on; remove it.
func (s *Service) temp() (dir string, err error) {
	if err = os.MkdirAll(s.cfg.Dir, 0o700); err == nil {
		dir, err = os.MkdirTemp(s.cfg.Dir, tempPrefix)
	}
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, "sql", "no folder for the work on a database can be made", err)
	}
	return dir, nil
}

const tempPrefix = "work-"

// Clean removes what a server that was killed has left in the folder.
func (s *Service) Clean() {
	left, _ := filepath.Glob(filepath.Join(s.cfg.Dir, tempPrefix+"*"))
	for _, dir := range left {
		_ = os.RemoveAll(dir)
	}
}
