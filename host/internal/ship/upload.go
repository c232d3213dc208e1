package ship

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/blob"
)

// upload sends what is queued, in order, and says that this server is there.
func (s *Shipper) upload(ctx context.Context, tap Tap) error {
	beat := time.NewTicker(s.Every)
	defer beat.Stop()
	if err := s.retry(ctx, "say that this server is there", func() error { return s.beat(ctx) }); err != nil {
		return err
	}
	for {
		s.mu.Lock()
		var next *sealed
		if len(s.queue) > 0 {
			next = &s.queue[0]
		}
		s.mu.Unlock()
		var err error
		switch {
		case next != nil:
			if err = s.retry(ctx, "send a segment", func() error { return s.send(ctx, *next) }); err == nil {
				tap.Release(next.to)
			}
		default:
			select {
			case <-s.ready:
				continue
			case <-ctx.Done():
				return ctx.Err()
			case <-beat.C:
				err = s.retry(ctx, "say that this server is there", func() error { return s.beat(ctx) })
			}
		}
		if err != nil {
			return err
		}
	}
}

// send sends one segment, and what it needs before.
func (s *Shipper) send(ctx context.Context, w sealed) error {
	if err := s.fence(ctx); err != nil {
		return err
	}
	if err := s.sendModules(ctx); err != nil {
		return err
	}
	if err := s.sendBlobs(ctx, w.blobs); err != nil {
		return err
	}
	f, err := os.Open(w.path)
	if err != nil {
		return lost("a segment is gone from the disk of the server")
	}
	defer f.Close() //nolint:errcheck // only read
	if err := s.place.Put(ctx, s.own.segKey(w.seq), f, w.size); err != nil {
		return err
	}
	err = s.save(func(st *State) { st.Seq, st.Hash, st.Revision, st.Through = w.seq, w.hash, w.to, w.last })
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.queue = s.queue[1:]
	s.queued -= w.size
	s.status.Segments++
	s.status.Bytes += uint64(w.size)
	s.mu.Unlock()
	_ = os.Remove(w.path) // a start empties the folder too
	return s.alive(ctx)
}

// beat says that this server is there, unless another has taken over.
func (s *Shipper) beat(ctx context.Context) error {
	if err := s.fence(ctx); err != nil {
		return err
	}
	return s.alive(ctx)
}

func (s *Shipper) alive(ctx context.Context) error {
	s.mu.Lock()
	a := Alive{Time: s.Clock().UTC(), Every: s.Every, Revision: s.state.Revision, Through: s.state.Through, Seq: s.state.Seq}
	if s.waits().IsZero() {
		a.Through = a.Time
	}
	s.mu.Unlock()
	return s.place.write(ctx, s.own.aliveKey(), a)
}

const moduleSuffix = ".wasm"

// local returns the modules that are here.
func (s *Shipper) local() (map[string]bool, error) {
	files, err := os.ReadDir(s.Modules)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	here := map[string]bool{}
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), moduleSuffix); ok && isModule(name) {
			here[name] = true
		}
	}
	return here, nil
}

// sendModules sends those that are not there yet: a module lasts here before a
// commit names it.
func (s *Shipper) sendModules(ctx context.Context) error {
	s.looking.Lock()
	defer s.looking.Unlock()
	if s.known == nil {
		known := map[string]bool{}
		for o, err := range s.place.List(ctx, modulesPrefix, "") {
			if err != nil {
				return err
			}
			if name, ok := parseModule(o.Key); ok {
				known[name] = true
			}
		}
		s.known = known
	}
	here, err := s.local()
	if err != nil {
		return err
	}
	for name := range here {
		if s.known[name] {
			continue
		}
		if err := s.sendModule(ctx, name); err != nil {
			return err
		}
		s.known[name] = true
	}
	return nil
}

func (s *Shipper) sendModule(ctx context.Context, name string) error {
	f, err := os.Open(filepath.Join(s.Modules, name+moduleSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nobody names it any more
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return s.place.Put(ctx, modulesPrefix+name, f, info.Size())
}

// retain removes what nobody goes back to: all before the newest base that is older
// than Keep. Named are the blobs that the newest base names.
func (s *Shipper) retain(ctx context.Context, named []blob.Digest) error {
	all, err := s.place.generations(ctx, "")
	if err != nil {
		return err
	}
	until := s.Clock().Add(-s.Keep)
	var first Base
	for _, g := range all {
		bases, err := s.place.bases(ctx, g)
		if err != nil {
			return err
		}
		for _, b := range bases {
			if !b.Time.After(until) {
				first = b
			}
		}
	}
	if first.Generation != "" {
		for _, g := range all {
			if err := s.removeBefore(ctx, g, first); err != nil {
				return err
			}
		}
	}
	if err := s.retainBlobs(ctx, first, named); err != nil {
		return err
	}
	return s.retainModules(ctx, until)
}

// removeBefore removes what lies in a generation and comes before a base.
func (s *Shipper) removeBefore(ctx context.Context, g Generation, first Base) error {
	if g > first.Generation {
		return nil
	}
	var keys []string
	for o, err := range s.place.List(ctx, g.prefix(), "") {
		if err != nil {
			return err
		}
		older := g < first.Generation || strings.HasPrefix(o.Key, g.basePrefix()) && o.Key < g.baseKey(first) ||
			strings.HasPrefix(o.Key, g.segPrefix()) && o.Key < g.segKey(first.Seq)
		if older {
			keys = append(keys, o.Key)
		}
	}
	if g < first.Generation {
		keys = append(keys, g.claimKey())
	}
	for _, key := range keys {
		if err := s.place.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// retainModules removes modules that have not been here since.
func (s *Shipper) retainModules(ctx context.Context, until time.Time) error {
	s.looking.Lock()
	defer s.looking.Unlock()
	here, err := s.local()
	if err != nil {
		return err
	}
	gone := map[string]time.Time{}
	for name := range s.known {
		if here[name] {
			continue
		}
		since, ok := s.state.Gone[name]
		if !ok {
			since = s.Clock().UTC()
		}
		if ok && since.Before(until) {
			if err := s.place.Delete(ctx, modulesPrefix+name); err != nil {
				return err
			}
			delete(s.known, name)
			continue
		}
		gone[name] = since
	}
	return s.save(func(st *State) { st.Gone = gone })
}
