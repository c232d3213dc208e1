package backup

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Plan is what a server does by itself.
type Plan struct {
	To         bucket.Bucket
	Every      time.Duration
	Keep       Retention
	Recipients []age.Recipient
	Log        *slog.Logger
}

// Status is how the backups of a schedule go.
type Status struct {
	Every       time.Duration // how often one is made
	Running     bool
	Since       time.Time     // of the start of the schedule: nothing before is counted
	Newest      time.Time     // when the newest backup in the place was made; zero: none is known
	NewestBytes int64         // of it
	Took        time.Duration // the last one that was made
	Made        uint64
	Failures    uint64 // in all
	InARow      int    // failures since the last one that was made
	LastError   string // "" when none failed since
	Late        bool   // the newest is older than it should be by half
}

// Schedule makes backups of a source from time to time. Close it.
type Schedule struct {
	source *Source
	plan   Plan
	life   context.Context //nolint:containedctx // ends with the schedule
	stop   context.CancelFunc
	done   chan struct{}
	works  sync.Mutex // one backup at a time

	mu     sync.Mutex
	status Status
	told   time.Time // when a failure was logged last
}

// The pauses after a failure, and how often one that lasts is logged.
const (
	firstPause = time.Minute
	lastPause  = time.Hour
	tellEvery  = time.Hour
)

// Start begins a schedule: the first backup is due when the newest one in the place is
// old enough, at once when there is none.
func Start(source *Source, plan Plan) *Schedule {
	ctx, stop := context.WithCancel(context.Background())
	s := &Schedule{source: source, plan: plan, life: ctx, stop: stop, done: make(chan struct{}), status: Status{Since: source.Clock(), Every: plan.Every}}
	go s.run(ctx)
	return s
}

// Close ends a schedule, and a backup that is under way.
func (s *Schedule) Close() {
	s.stop()
	<-s.done
	s.works.Lock() // one that was asked for
	defer s.works.Unlock()
}

// Status returns how it goes.
func (s *Schedule) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	newest := st.Newest
	if newest.IsZero() {
		newest = st.Since
	}
	st.Late = s.source.Clock().Sub(newest) > s.plan.Every*3/2
	return st
}

func (s *Schedule) run(ctx context.Context) {
	defer close(s.done)
	pause := firstPause
	for known := false; ctx.Err() == nil; {
		if !known {
			newest, err := s.newest(ctx)
			if known = err == nil; known {
				s.mu.Lock()
				s.status.Newest, s.status.NewestBytes = newest.Created, newest.Size
				s.mu.Unlock()
			} else {
				s.failed(err)
			}
		}
		if known && s.due() <= 0 {
			err := s.Run(ctx)
			known = err == nil || fault.CodeOf(err) == fault.Conflict
		}
		wait := min(s.due(), lastPause) // and look at the clock again
		if known {
			pause = firstPause
		} else {
			wait = min(pause, s.plan.Every)
			pause = min(2*pause, lastPause)
		}
		rest(ctx, max(wait, time.Second))
	}
}

func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// due is how long until the next one.
func (s *Schedule) due() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.Newest.IsZero() {
		return 0
	}
	age := s.source.Clock().Sub(s.status.Newest)
	if age < 0 { // the clock was put back
		return 0
	}
	return s.plan.Every - age
}

// newest returns the newest backup of this store.
func (s *Schedule) newest(ctx context.Context) (newest Kept, err error) {
	l, err := List(ctx, s.plan.To)
	now := s.source.Clock()
	for _, k := range l.Kept {
		if k.Store == s.source.Header.Store && !k.Created.After(now) { // else a clock was wrong
			newest = k
		}
	}
	return newest, err
}

// Begin has a backup made now, apart from the schedule. Conflict while one is under
// way, Unavailable after Close.
func (s *Schedule) Begin() error {
	if err := s.lock(); err != nil {
		return err
	}
	go func() { _ = s.work(s.life) }() // the status says how it went
	return nil
}

// Run makes a backup and tidies up. Errors are those of Begin, and of the backup.
func (s *Schedule) Run(ctx context.Context) error {
	if err := s.lock(); err != nil {
		return err
	}
	return s.work(ctx)
}

func (s *Schedule) lock() error {
	if !s.works.TryLock() {
		return fault.New(fault.Conflict, "", "a backup is under way; `wasmoor backup list` shows it when it is there")
	}
	if s.life.Err() != nil { // Close waits for works, or has had it
		s.works.Unlock()
		return fault.New(fault.Unavailable, "", "the server is about to end, and makes no backup any more")
	}
	s.running(true)
	return nil
}

func (s *Schedule) work(ctx context.Context) error {
	defer s.works.Unlock()
	defer s.running(false)
	began := time.Now()
	k, err := s.source.Put(ctx, s.plan.To, s.plan.Recipients...)
	if err != nil {
		if ctx.Err() == nil {
			s.failed(err)
		}
		return err
	}
	s.made(k, time.Since(began))
	s.tidy(ctx)
	return nil
}

func (s *Schedule) running(running bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Running = running
}

func (s *Schedule) made(k Kept, took time.Duration) {
	s.mu.Lock()
	s.status.Newest, s.status.NewestBytes, s.status.Took = k.Created, k.Size, took
	s.status.Made++
	s.status.InARow, s.status.LastError, s.told = 0, "", time.Time{}
	s.mu.Unlock()
	s.plan.Log.Info("a backup was made", "name", k.Name, "in", s.plan.To.String(), "bytes", k.Size, "revision", k.Revision, "blobs", k.Blobs.Count, "took", took.Round(time.Millisecond))
	if k.Blobs.Missing > 0 {
		s.plan.Log.Error("a backup lacks the bytes of blobs, which were missing or damaged on this server", "name", k.Name, "blobs", k.Blobs.Missing)
	}
}

// failed counts a failure, and logs the first of a row and then one an hour.
func (s *Schedule) failed(err error) {
	s.mu.Lock()
	s.status.Failures++
	s.status.InARow++
	s.status.LastError = err.Error()
	tell, st := time.Since(s.told) >= tellEvery, s.status
	if tell {
		s.told = time.Now()
	}
	s.mu.Unlock()
	if tell {
		s.plan.Log.Error("the backup failed; it is tried again", "to", s.plan.To.String(), "failures_in_a_row", st.InARow, "newest", st.Newest, "error", err)
	}
}

// tidy removes old backups and what is left of others. It is tried again after the
// next backup.
func (s *Schedule) tidy(ctx context.Context) {
	now := s.source.Clock()
	removed, err := Prune(ctx, s.plan.To, s.source.Header.Store, s.plan.Keep, now)
	for _, k := range removed {
		s.plan.Log.Info("an old backup was removed", "name", k.Name, "in", s.plan.To.String())
	}
	if err == nil {
		_, err = Sweep(ctx, s.plan.To, now)
	}
	if err != nil && ctx.Err() == nil {
		s.plan.Log.Error("old backups cannot be removed", "in", s.plan.To.String(), "error", err)
	}
}
