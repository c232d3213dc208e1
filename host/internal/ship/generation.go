package ship

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// generation ships until something ends it.
func (s *Shipper) generation(ctx context.Context) (err error) {
	if s.state.Generation == "" {
		if err := s.retry(ctx, "claim the place", func() error { return s.claim(ctx) }); err != nil {
			return err
		}
	}
	s.empty()
	tap := s.Source.Tap(maxTapped)
	s.mu.Lock()
	s.tap = tap
	s.mu.Unlock()
	defer func() {
		if errors.As(err, new(lost)) {
			s.restart(ctx, tap)
		}
		tap.Close()
	}()
	c := &collector{Shipper: s, tap: tap, seq: s.state.Seq, hash: s.state.Hash}
	if s.state.Seq == 0 && s.state.Base.IsZero() {
		if err := s.save(func(st *State) { st.Revision = tap.From() }); err != nil { // the base will be there
			return err
		}
		tap.Release(tap.From())
	}
	if s.state.Revision != tap.Kept() {
		return lost(fmt.Sprintf("all up to revision %d was sent, and the store knows what changed after %d", s.state.Revision, tap.Kept()))
	}
	g, work := errgroup.WithContext(ctx)
	c.bases = g
	g.Go(func() error { return c.run(work) })
	g.Go(func() error { return s.upload(work, tap) })
	g.Go(func() error { return s.watch(work) })
	return g.Wait()
}

func (s *Shipper) claim(ctx context.Context) error {
	if err := s.mayShip(ctx); err != nil {
		return err
	}
	// The name is noted first: a claim that was written, and its answer lost, is ours.
	next, err := s.place.next(ctx)
	if err != nil {
		return err
	}
	if err := s.save(func(st *State) { st.Claim = next }); err != nil {
		return err
	}
	c := Claim{Generation: next, Store: s.Source.ID(), Server: s.Server, Time: s.Clock().UTC()}
	if err := s.place.write(ctx, next.claimKey(), c); err != nil {
		return err
	}
	s.own = next
	s.Log.Info("a new generation of shipped commits begins", "to", s.place.String(), "generation", string(c.Generation))
	return s.save(func(st *State) { st.Generation, st.Claim = next, "" })
}

// save changes the state, on the disk first.
func (s *Shipper) save(change func(*State)) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	st := s.state
	s.mu.Unlock()
	change(&st)
	if err := st.write(s.Dir); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = st
	return nil
}

// restart forgets the generation: what follows is another. What was kept for it is
// let go once that is on the disk.
func (s *Shipper) restart(ctx context.Context, tap Tap) {
	for pause := time.Second; ctx.Err() == nil; pause = min(2*pause, 15*time.Second) {
		err := s.save(func(st *State) { *st = State{Place: st.Place, Last: s.own, Through: st.Through, Gone: st.Gone} })
		if err == nil {
			tap.Forget()
			break
		}
		s.failed("write how far was shipped", err)
		wait(ctx, pause)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.exposed.IsZero() {
		s.exposed = s.state.Through
	}
	if s.exposed.IsZero() {
		s.exposed = s.Clock()
	}
	s.status.Restarts++
}

// empty forgets what waits on the disk: the store has it as well, or a base will.
func (s *Shipper) empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.queue {
		_ = os.Remove(w.path)
	}
	s.queue, s.queued, s.oldest, s.basing = nil, 0, time.Time{}, false
}
