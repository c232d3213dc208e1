package hub

import (
	"cmp"
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
	trimBatch = 500            // events of a commit
	trimMost  = 20 * trimBatch // of a topic at a time
)

// keeps notes that a topic keeps one event more.
func (s *Service) keeps(plugin, topic string) {
	s.mu.Lock()
	if s.kept == nil {
		s.kept = map[string]map[string]bool{}
	}
	if s.kept[plugin] == nil {
		s.kept[plugin] = map[string]bool{}
	}
	s.kept[plugin][topic] = true
	s.mu.Unlock()
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
			s.Trim(s.Taking)
		case <-s.dirty:
			select { // what comes in the same moment is done with it
			case <-time.After(trimSoon):
			case <-s.Taking.Done():
				return
			}
			s.mu.Lock()
			kept := s.kept
			s.kept = nil
			s.mu.Unlock()
			for _, p := range s.serving() {
				if topics := kept[p.Name]; topics != nil { // nobody pays for what others publish
					s.trimPlugin(s.Taking, &p, topics)
				}
			}
		}
	}
}

// Trim removes what is beyond what topics keep at this moment.
func (s *Service) Trim(ctx context.Context) {
	for _, p := range s.serving() {
		s.trimPlugin(ctx, &p, nil)
	}
}

// trimPlugin trims topics of a plugin, nil = all.
func (s *Service) trimPlugin(ctx context.Context, p *deploy.Installed, topics map[string]bool) {
	if err := s.trimTopics(ctx, p, topics); err != nil && ctx.Err() == nil {
		s.cfg.Log.Warn("events of topics cannot be removed; trying again", "plugin", p.Name, "error", err)
	}
}

func (s *Service) trimTopics(ctx context.Context, p *deploy.Installed, topics map[string]bool) error {
	kept := capsocket.KeptOf(p.Manifest)
	snap, err := s.cfg.Store().Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	var bad error
	trim := func(topic string) bool {
		bad = s.trimTopic(ctx, snap, p.Space, topic, kept.Find(topic))
		return bad == nil && ctx.Err() == nil
	}
	if topics == nil {
		err = socket.Topics(snap, p.Space, trim)
		return cmp.Or(err, bad)
	}
	for topic := range topics {
		if !trim(topic) {
			break
		}
	}
	return bad
}

// trimTopic removes what a topic should not keep; of one without a rule that is all.
func (s *Service) trimTopic(ctx context.Context, snap store.Snapshot, space store.Space, topic string, k *socket.Kept) error {
	keep, age := 0, time.Duration(0)
	if k != nil {
		keep, age = k.Events, k.Age
	}
	excess, err := socket.Excess(snap, space, topic, keep, trimMost)
	if err != nil {
		return err
	}
	old, err := socket.Old(snap, space, topic, s.cfg.Clock().Add(-age), trimMost)
	if err != nil {
		return err
	}
	if len(old) < len(excess) { // both are the oldest
		old = excess
	}
	for part := range slices.Chunk(old, trimBatch) {
		if err := s.forget(ctx, space, topic, part); err != nil {
			return err
		}
	}
	return nil
}

// forget removes events of a topic, which are in order.
func (s *Service) forget(ctx context.Context, space store.Space, topic string, old []socket.ID) error {
	var tx store.Tx
	tx.Reset(source{s.cfg.Store()}, space, store.Quota{}, s.cfg.Clock())
	defer tx.Close()
	if err := socket.Forget(socket.Part(&tx, space), topic, old); err != nil {
		return err
	}
	if _, err := s.cfg.Store().Commit(ctx, tx.Effects()); err != nil {
		return err
	}
	s.counts.trimmed.Add(int64(len(old)))
	return nil
}

// source opens snapshots of a store.
type source struct{ store.Store }
