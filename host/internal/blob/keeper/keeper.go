// Package keeper keeps the host's blobs: it opens their store where the operator says, and
// sweeps what no plugin names. Package host imports it.
package keeper

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/names"
	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Times of the sweeps. A sweep spares what is younger than the grace, whatever holds it.
// The first one, and one that a plugin with much to remove asks for, spare only what is
// younger than a rest. The latter begins a rest after it was asked for.
const (
	every = time.Hour
	first = time.Minute // after the start
	grace = time.Hour
	rest  = 5 * time.Minute
)

// Open opens the store of blobs of a data folder. Place is where the blobs are, "" = in the
// folder blobs there; what is being written is always there. Health says whether the disk
// of the data folder has room, and so many bytes stay free on that of a place that is a
// folder. Errors: Invalid.
func Open(dataDir, place string, health func() error, minFree int64, log *slog.Logger) (*blob.Store, error) {
	cfg := blob.Config{Dir: filepath.Join(dataDir, "blobs"), Health: health, MinFree: minFree, Log: log}
	if place != "" {
		b, err := bucket.Open(place)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, "", `configuration key "blobs": `+fault.MessageOf(err), err)
		}
		cfg.Bucket = b
	}
	return blob.OpenStore(cfg)
}

// Config is what a Service works with.
type Config struct {
	Blobs   *blob.Store
	Store   store.Store                                    // has the names
	Plugins func(context.Context) ([]plugin.Plugin, error) // those that are deleted among them
	Server  string                                         // for a person who reads whose the place is
	Log     *slog.Logger                                   // nil drops it
}

// Stats are what the sweeps have found and done, and what the place has.
type Stats struct {
	Place      blob.Stats
	blob.Swept           // of the last, but for what was removed
	Removed    int64     // blobs, over all
	Failures   int64     // sweeps that failed
	At         time.Time // of the last that ended well; zero = none has
}

// Service sweeps every hour. Close it.
type Service struct {
	cfg  Config
	stop context.CancelFunc
	done chan struct{}

	mu    sync.Mutex
	stats Stats
}

// reach is for how long a start waits for the place.
const reach = 10 * time.Second

// Start begins. Errors: Conflict, the place has the blobs of another data folder. One that does
// not answer is no error: no sweep removes anything before it has said whose it is.
func Start(ctx context.Context, cfg Config) (*Service, error) {
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	asking, end := context.WithTimeout(ctx, reach)
	err := cfg.Blobs.Claim(asking, cfg.Server)
	end()
	if fault.CodeOf(err) == fault.Conflict {
		return nil, err
	}
	if err != nil {
		cfg.Log.Warn("the place of the blobs does not say whose it is; it is asked again", "place", cfg.Blobs.String(), "error", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Service{cfg: cfg, stop: stop, done: make(chan struct{})}
	go s.run(ctx)
	return s, nil
}

// TakeOver has a place be nobody's, "" = none: who opens it next has it.
func TakeOver(ctx context.Context, dataDir, place string) error {
	blobs, err := Open(dataDir, place, nil, 0, nil)
	if err != nil {
		return err
	}
	return blobs.Disclaim(ctx)
}

// Close ends a sweep that is under way, and waits for that. nil is fine.
func (s *Service) Close() {
	if s != nil {
		s.stop()
		<-s.done
	}
}

// Blobs returns the store that it sweeps.
func (s *Service) Blobs() *blob.Store { return s.cfg.Blobs }

// Stats returns them.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Place = s.cfg.Blobs.Stats()
	return st
}

func (s *Service) run(ctx context.Context) {
	defer close(s.done)
	young := rest
	for wait := first; ; wait = every {
		pressed, ok := pause(ctx, wait, s.cfg.Blobs.Pressed())
		if !ok {
			return
		}
		if pressed {
			young = rest
		}
		if _, err := s.Sweep(ctx, time.Now().Add(-young)); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("blobs that nobody names are not removed", "place", s.cfg.Blobs.String(), "error", err)
		}
		young = grace
	}
}

// pause waits, for a rest alone when a sweep is needed. Not ok: ctx has ended.
func pause(ctx context.Context, wait time.Duration, need <-chan struct{}) (pressed, ok bool) {
	select {
	case <-ctx.Done():
		return false, false
	case <-time.After(wait):
		return false, true
	case <-need:
	}
	select {
	case <-ctx.Done():
		return true, false
	case <-time.After(rest):
		return true, true
	}
}

// Sweep removes the blobs that no plugin names and that were put before a time. It removes
// none while the store may not know all names: after a commit whose outcome is unknown, or
// without its plugins. Conflict: the place has become another data folder's.
func (s *Service) Sweep(ctx context.Context, before time.Time) (blob.Swept, error) {
	swept, err := s.sweep(ctx, before)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Removed += swept.Removed
	if err != nil {
		s.stats.Failures++
		return swept, err
	}
	s.stats.Swept, s.stats.At = swept, time.Now()
	if swept.Removed > 0 {
		s.cfg.Log.Info("removed blobs that nobody names", "blobs", swept.Removed, "bytes", swept.RemovedBytes)
	}
	return swept, nil
}

func (s *Service) sweep(ctx context.Context, before time.Time) (blob.Swept, error) {
	if err := s.cfg.Blobs.Claim(ctx, s.cfg.Server); err != nil {
		return blob.Swept{}, err
	}
	return s.cfg.Blobs.Sweep(ctx, s.named(ctx), before)
}

// named gives the blobs that have a name, once for each name.
func (s *Service) named(ctx context.Context) iter.Seq2[blob.Digest, error] {
	return func(yield func(blob.Digest, error) bool) {
		plugins, err := s.cfg.Plugins(ctx)
		if err == nil && len(plugins) == 0 {
			err = fault.New(fault.Unavailable, "sweep", "the store has no plugins; it may have lost its records")
		}
		var snap store.Snapshot
		if err == nil {
			snap, err = s.cfg.Store.Snapshot()
		}
		if err != nil {
			yield(blob.Digest{}, err)
			return
		}
		defer snap.Release()
		now, err := s.cfg.Plugins(ctx) // other data may have been put in place of a plugin's meanwhile
		if err != nil {
			yield(blob.Digest{}, err)
			return
		}
		seen := map[uint64]bool{}
		for _, p := range append(plugins, now...) {
			if seen[p.Keys()] {
				continue
			}
			seen[p.Keys()] = true
			more := true
			err := names.Digests(snap, store.Space(p.Keys()), func(d blob.Digest) bool {
				more = yield(d, nil)
				return more
			})
			if err != nil {
				yield(blob.Digest{}, fault.Wrap(fault.CodeOf(err), "sweep", fmt.Sprintf("the names of plugin %q cannot be read; no blob of the host is removed until its data is restored or it is purged", p.Name), err))
				return
			}
			if !more {
				return
			}
		}
		// After the names: who has let go of a blob before has had its commit end.
		if err := s.cfg.Store.Health(); fault.CodeOf(err) == fault.Unavailable {
			yield(blob.Digest{}, err)
		}
	}
}
