package ship

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// Source is the store whose commits are shipped.
type Source interface {
	ID() string
	Layout() int
	Tap(most int64) Tap
	Changes(since, until store.Revision) stream.Group
}

// Tap takes off what is committed; Next fails with Exhausted when it has missed some.
type Tap interface {
	From() store.Revision
	Kept() store.Revision
	Next(ctx context.Context) (stream.Group, error)
	Hold(revision store.Revision) (release func())
	Release(revision store.Revision)
	Oldest() time.Time
	Forget()
	Close()
}

// Config says what is shipped, and where. Every field counts.
type Config struct {
	Bucket    bucket.Bucket
	Source    Source
	State     State         // of ReadState, before the store was opened
	Dir       string        // the data folder
	Modules   string        // the folder of modules
	Blobs     *blob.Store   // has the bytes of blobs; nil: the servers that follow reach them
	Every     time.Duration // a commit is there at most so much later
	BaseEvery time.Duration
	Keep      time.Duration // for how long one can go back
	MaxQueue  int64         // bytes that may wait on the disk
	Room      func() error  // says why the disk has no room; nil = it has
	Server    string        // name of this server, for a person
	Crypt     Crypt
	Clock     func() time.Time
	Log       *slog.Logger
	// Fenced is called when another server has taken over; the shipper has ended.
	Fenced func(error)
}

const (
	maxTapped  = 64 << 20         // bytes of groups in memory
	maxSegment = 16 << 20         // bytes of a segment, about
	reach      = 10 * time.Second // for which a start waits for the bucket
)

// Shipper ships. Close it.
type Shipper struct {
	Config
	place    place
	cancel   context.CancelFunc
	flushAll context.CancelFunc
	done     chan struct{}
	flush    context.Context // done once all is to be sent at once
	ready    chan struct{}   // has one when something was queued
	own      Generation      // the last one of this server
	saving   sync.Mutex      // one writes the state at a time

	mu      sync.Mutex
	state   State
	queue   []sealed
	queued  int64     // bytes of queue
	oldest  time.Time // commit of the open segment, zero = none
	exposed time.Time // since when there is no base of this generation, zero = there is one
	basing  bool      // a base is on its way
	tap     Tap       // of this generation, nil = before the first
	status  Status    // its counts
	late    bool      // and said so

	looking sync.Mutex      // one looks after modules at a time
	known   map[string]bool // modules in the bucket; nil = not asked yet

	sending sync.Mutex
	blobs   sentBlobs
}

// sealed is a segment that waits on the disk.
type sealed struct {
	blobs       []blob.Digest // that it names
	path        string
	seq         uint64
	hash        string
	size        int64
	to          store.Revision
	first, last time.Time // of its commits
}

// Start begins to ship. It looks whether this server may: Conflict when another one
// ships there, or has taken over. A bucket that does not answer is no error: that is
// tried again.
func Start(ctx context.Context, cfg Config) (*Shipper, error) {
	s := &Shipper{Config: cfg, place: place{cfg.Bucket}, state: cfg.State, done: make(chan struct{}), ready: make(chan struct{}, 1)}
	s.own = cmp.Or(cfg.State.Generation, cfg.State.Last)
	if cfg.State.Base.IsZero() {
		s.exposed = cfg.State.Through
		if s.exposed.IsZero() {
			s.exposed = cfg.Clock()
		}
	}
	if err := os.RemoveAll(s.scratch()); err != nil {
		return nil, fault.Wrap(fault.Unavailable, "ship commits", "cannot empty "+s.scratch(), err)
	}
	if err := os.MkdirAll(s.scratch(), 0o700); err != nil {
		return nil, fault.Wrap(fault.Unavailable, "ship commits", "cannot make "+s.scratch(), err)
	}
	look, end := context.WithTimeout(ctx, reach)
	err := s.mayShip(look)
	end()
	if fault.CodeOf(err) == fault.Conflict {
		return nil, err
	}
	if err != nil {
		s.failed("look who ships there", err)
	}
	run, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.flush, s.flushAll = context.WithCancel(run)
	go s.run(run)
	return s, nil
}

// scratch is a folder for segments on their way; what is in it at a start is in the
// store as well.
func (s *Shipper) scratch() string { return filepath.Join(s.Dir, "ship") }

// mayShip returns a Conflict when the place belongs to somebody else.
func (s *Shipper) mayShip(ctx context.Context) error {
	newest, err := s.place.newest(ctx)
	if err != nil || newest == nil || newest.Generation == s.own || newest.Generation == s.state.Claim {
		return err
	}
	if newest.Store != s.Source.ID() {
		return fault.New(fault.Conflict, "ship commits", fmt.Sprintf(
			"%s holds the commits of another store, shipped by %s since %s; name another place in ship_to",
			s.place, newest.Server, newest.Time.Format(time.RFC3339)))
	}
	if s.own != "" && newest.Generation > s.own {
		return fencedBy(s.place, *newest)
	}
	alive, err := s.place.alive(ctx, newest.Generation)
	if err != nil {
		return err
	}
	if now := s.Clock(); alive.Recent(now) {
		return fault.New(fault.Conflict, "ship commits", fmt.Sprintf(
			"%s ships this store to %s, the last time %s ago; stop it first, or wait %s",
			newest.Server, s.place, now.Sub(alive.Time).Round(time.Second), 3*alive.Every))
	}
	return nil
}

// fence returns a Conflict when another server has taken over, and Exhausted when the
// claim is gone.
func (s *Shipper) fence(ctx context.Context) error {
	newest, err := s.place.newest(ctx)
	switch {
	case err != nil:
		return err
	case newest == nil || newest.Generation < s.own:
		return lost(fmt.Sprintf("%s no longer has what this server claimed: %s is gone", s.place, s.own))
	case newest.Generation > s.own:
		return fencedBy(s.place, *newest)
	}
	return nil
}

// lost is why what follows cannot be proven to follow what is there.
type lost string

func (l lost) Error() string { return string(l) }

// fencedBy is the error of a server that is not to serve any more.
func fencedBy(p place, c Claim) error {
	return fault.New(fault.Conflict, "ship commits", fmt.Sprintf(
		"%s has taken over this store at %s (%s in %s); this server must not serve any more: what it commits would be lost. To begin anew here, restore into an empty folder; to serve what is here on its own, serve without ship_to",
		c.Server, c.Time.Format(time.RFC3339), c.Generation, p))
}

// Close sends what waits, as far as ctx allows, and ends.
func (s *Shipper) Close(ctx context.Context) {
	s.flushAll()
	for {
		st := s.Status()
		if st.Lag == 0 || st.LastError != "" {
			break
		}
		select {
		case <-ctx.Done():
		case <-s.done:
		case <-time.After(20 * time.Millisecond):
			continue
		}
		break
	}
	s.cancel()
	<-s.done
}

// Status returns how it goes.
func (s *Shipper) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Place, st.Generation, st.Every = s.place.String(), s.state.Generation, s.Every
	st.Queued, st.Revision, st.Base = s.queued, s.state.Revision, s.state.Base
	since := s.waits()
	if !s.exposed.IsZero() {
		since = s.exposed
	}
	if !since.IsZero() {
		st.Lag = max(s.Clock().Sub(since), 1)
	}
	return st
}

// waits returns since when a commit waits, zero = none does. The caller holds mu.
func (s *Shipper) waits() time.Time {
	switch {
	case len(s.queue) > 0:
		return s.queue[0].first
	case !s.oldest.IsZero():
		return s.oldest
	case s.tap != nil:
		return s.tap.Oldest()
	}
	return time.Time{}
}

func (s *Shipper) run(ctx context.Context) {
	defer close(s.done)
	for ctx.Err() == nil {
		err := s.generation(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case fault.CodeOf(err) == fault.Conflict:
			s.mu.Lock()
			s.status.Fenced = true
			s.mu.Unlock()
			s.Log.Error("commits are not shipped any more", "error", err)
			s.Fenced(err)
			return
		case errors.As(err, new(lost)):
			s.Log.Error("commits were not shipped in time and can no longer be sent one by one: a new base is made", "to", s.place.String(), "error", err)
		default:
			s.failed("ship commits", err)
		}
		wait(ctx, time.Second)
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// failed counts a failure, and logs the first of a row.
func (s *Shipper) failed(what string, err error) {
	s.mu.Lock()
	s.status.Failures++
	first := s.status.LastError == ""
	s.status.LastError = fault.MessageOf(err)
	s.mu.Unlock()
	if first {
		s.Log.Warn(what+" failed; it is tried again", "to", s.place.String(), "error", err)
	}
}

func (s *Shipper) works() {
	s.mu.Lock()
	failed := s.status.LastError != ""
	s.status.LastError = ""
	s.mu.Unlock()
	if failed {
		s.Log.Info("shipping commits works again", "to", s.place.String())
	}
}

// retry calls f until it works, ctx ends, or the error is one to end with.
func (s *Shipper) retry(ctx context.Context, what string, f func() error) error {
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 15*time.Second) {
		err := f()
		switch {
		case err == nil:
			s.works()
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case fault.CodeOf(err) == fault.Conflict || errors.As(err, new(lost)):
			return err
		}
		s.failed(what, err)
		wait(ctx, pause)
	}
}

// watch logs when the lag is too large, and when it is well again.
func (s *Shipper) watch(ctx context.Context) error {
	for ctx.Err() == nil {
		wait(ctx, min(s.Every, time.Second))
		st := s.Status()
		if st.Late() == s.late {
			continue
		}
		if s.late = st.Late(); s.late {
			s.Log.Error("commits are not shipped in time: losing the machine now would lose them", "to", st.Place, "lag", st.Lag.Round(time.Second), "ship_every", st.Every, "queued", st.Queued, "last_error", st.LastError)
		} else {
			s.Log.Info("commits are shipped in time again", "to", st.Place)
		}
	}
	return ctx.Err()
}
