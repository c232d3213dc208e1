package hub

import (
	"context"
	"slices"
	"time"

	capsocket "github.com/wasmoor/wasmoor/host/internal/capability/socket"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/socket"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Kept events are removed a moment after there are too many, and a while after they are
// too old.
const (
	trimSoon  = time.Second
	trimEvery = time.Minute
	trimBatch = 500 // events of a commit
)

// keeps notes that a topic keeps one event more.
func (s *Service) keeps() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// trim removes what is beyond what topics keep, until the service stops.
func (s *Service) trim() {
	every := time.NewTicker(trimEvery)
	defer every.Stop()
	for {
		select {
		case <-s.Taking.Done():
			return
		case <-every.C:
		case <-s.dirty:
			select { // what comes in the same moment is done with it
			case <-time.After(trimSoon):
			case <-s.Taking.Done():
				return
			}
		}
		s.Trim(s.Taking)
	}
}

// Trim removes what is beyond what topics keep at this moment.
func (s *Service) Trim(ctx context.Context) {
	for _, p := range s.serving() {
		if err := s.trimPlugin(ctx, &p); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("events of topics cannot be removed; trying again", "plugin", p.Name, "error", err)
		}
	}
}

func (s *Service) trimPlugin(ctx context.Context, p *deploy.Installed) error {
	kept := capsocket.KeptOf(p.Manifest)
	snap, err := s.cfg.Store().Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	var bad error
	err = socket.Topics(snap, p.Space, func(topic string) bool {
		bad = s.trimTopic(ctx, snap, p.Space, topic, kept.Find(topic))
		return bad == nil && ctx.Err() == nil
	})
	if err == nil {
		err = bad
	}
	return err
}

// trimTopic removes what a topic should not keep; of one without a rule that is all.
func (s *Service) trimTopic(ctx context.Context, snap store.Snapshot, space store.Space, topic string, k *socket.Kept) error {
	keep, age := 0, time.Duration(0)
	if k != nil {
		keep, age = k.Events, k.Age
	}
	excess, err := socket.Excess(snap, space, topic, keep, trimBatch)
	if err != nil {
		return err
	}
	old, err := socket.Old(snap, space, topic, s.cfg.Clock().Add(-age), trimBatch)
	if err != nil {
		return err
	}
	if len(old) < len(excess) { // both are the oldest
		old = excess
	}
	if len(old) == 0 {
		return nil
	}
	var tx store.Tx
	tx.Reset(source{s.cfg.Store()}, space, store.Quota{}, s.cfg.Clock())
	defer tx.Close()
	if err := socket.Forget(socket.Part(&tx, space), topic, slices.Clip(old)); err != nil {
		return err
	}
	if _, err := s.cfg.Store().Commit(ctx, tx.Effects()); err != nil {
		return err
	}
	s.counts.trimmed.Add(int64(len(old)))
	if len(old) == trimBatch {
		s.keeps()
	}
	return nil
}

// source opens snapshots of a store.
type source struct{ store.Store }
