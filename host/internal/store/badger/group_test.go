package badger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/certify"
)

// TestDecisionsDoNotDependOnGroups submits the same effects in groups of
// different sizes, to disks of different speed: each is decided alike.
func TestDecisionsDoNotDependOnGroups(t *testing.T) {
	var effects []*store.Effects
	want := decideInGroups(t, 0, func() int { return 1 }, func(revision store.Revision, i int) *store.Effects {
		effects = append(effects, randomEffects(i, revision))
		return effects[i]
	})
	conflicts := 0
	for _, text := range want {
		if text[:8] == "conflict" {
			conflicts++
		}
	}
	if conflicts < len(want)/20 || conflicts > len(want)/2 {
		t.Fatalf("%d of %d are conflicts: that shows little", conflicts, len(want))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for name, size := range map[string]func() int{
		"pairs": func() int { return 2 }, "all at once": func() int { return len(effects) }, "any": func() int { return 1 + rng.IntN(40) },
	} {
		t.Run(name, func(t *testing.T) {
			got := decideInGroups(t, 300*time.Microsecond, size, func(_ store.Revision, i int) *store.Effects { return effects[i] })
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("effects %d: %s, want %s", i, got[i], want[i])
				}
			}
		})
	}
}

const groupedEffects = 400

// decideInGroups commits what next returns and says what came of each. Next is
// given the newest revision, as far as it is known.
func decideInGroups(t *testing.T, slow time.Duration, size func() int, next func(newest store.Revision, i int) *store.Effects) (decisions []string) {
	s := open(t, Config{WindowKeys: 16, Persist: func(_ store.Revision, write func() error) error {
		time.Sleep(slow)
		return write()
	}})
	for i := 0; i < groupedEffects; {
		var group []*request
		for n := size(); n > 0 && i < groupedEffects; n-- {
			r := s.newRequest(certify.Commit, 1)
			r.entry.Effects = next(s.epochs.Newest(), i)
			wantCode(t, "prepare", s.prepare(r), "")
			group = append(group, r)
			i++
		}
		s.committer.mu.Lock()
		for _, r := range group {
			s.committer.admit(r)
		}
		s.committer.mu.Unlock()
		s.committer.signal()
		for _, r := range group {
			wantCode(t, "write", r.settling.Wait(), "")
			conflict, _ := errors.AsType[*store.Conflict](r.err)
			decisions = append(decisions, fmt.Sprintf("%s %v, revision %d", fault.CodeOf(r.err), conflict, r.entry.Revision))
		}
	}
	return append(decisions, usageText(t, s))
}

func usageText(t *testing.T, s *Store) string {
	u, err := s.Usage(1)
	wantCode(t, "Usage", err, "")
	return fmt.Sprintf("%+v at revision %d", u, s.epochs.Newest())
}

// randomEffects are those of a transaction that began a few revisions ago.
func randomEffects(i int, newest store.Revision) *store.Effects {
	rng := rand.New(rand.NewPCG(7, uint64(i)))
	p := store.Part{Space: 1, Quota: store.Quota{Keys: 22}}
	e := &store.Effects{Now: time.Unix(int64(i), 0), Read: max(1, newest-min(newest, store.Revision(rng.IntN(8))))}
	key := func() []byte { return []byte{byte('a' + rng.IntN(26))} }
	if rng.IntN(2) == 0 {
		p.Keys = [][]byte{key()}
	}
	for k := byte('a'); k <= 'z'; k++ {
		if rng.IntN(12) == 0 {
			op := store.Op{Kind: store.OpKind(rng.IntN(3)), Key: []byte{k}}
			switch op.Kind {
			case store.OpSet:
				op.Value.Data = make([]byte, 7+rng.IntN(2))
			case store.OpAdd:
				op.Delta = 1
			}
			p.Ops = append(p.Ops, op)
		}
	}
	if len(p.Ops) == 0 {
		p.Ops = []store.Op{{Kind: store.OpSet, Key: key()}}
	}
	e.Parts = []store.Part{p}
	return e
}
