package certify

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// disk is what an engine could read at each revision: the priors come from it.
type disk struct {
	states map[place][]version
}

type place struct {
	space store.Space
	key   string
}

type version struct {
	rev   store.Revision
	state store.State
}

func (d *disk) at(p place, rev store.Revision) (s store.State) {
	for _, v := range d.states[p] {
		if v.rev <= rev {
			s = v.state
		}
	}
	return s
}

func (d *disk) apply(e *Entry) {
	for _, w := range e.Writes {
		p := place{w.Space, string(w.Key)}
		d.states[p] = append(d.states[p], version{e.Revision, w.Next})
	}
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// draft is an entry before it is known what revisions there are.
type draft struct {
	kind   Kind
	space  store.Space
	lag    store.Revision // how far back it read
	keys   []string
	ranges []store.Range
	writes []Write
	quota  store.Quota
	now    time.Time
}

func randomDrafts(rng *rand.Rand, n int) []draft {
	drafts := make([]draft, n)
	now := epoch
	for i := range drafts {
		now = now.Add(time.Duration(rng.IntN(4000)) * time.Millisecond)
		drafts[i] = randomDraft(rng, now)
	}
	return drafts
}

func randomDraft(rng *rand.Rand, now time.Time) draft {
	d := draft{space: store.Space(1 + rng.IntN(2)), lag: store.Revision(rng.IntN(12)), now: now}
	key := func() string { return string(rune('a' + rng.IntN(12))) }
	switch rng.IntN(40) {
	case 0:
		d.kind, d.space = Drop, 3
		return d
	case 1:
		d.kind, d.space = SweepDropped, 3
	case 2:
		d.kind = SweepExpired
	case 3:
		d.space = 3
	}
	if rng.IntN(2) == 0 {
		d.keys = []string{key()}
	}
	if rng.IntN(3) == 0 {
		d.ranges = []store.Range{{From: []byte(key())}}
	}
	if rng.IntN(4) == 0 {
		d.quota.Keys = int64(3 + rng.IntN(5))
	}
	for k := 'a'; k < 'm'; k++ {
		if rng.IntN(5) != 0 {
			continue
		}
		w := Write{Kind: store.OpKind(rng.IntN(3)), Space: d.space, Key: []byte{byte(k)}, Delta: int64(rng.IntN(9))}
		if d.kind != Commit {
			w.Kind, w.Delta = store.OpDelete, 0
		}
		if w.Kind == store.OpSet {
			w.Next = store.StateOf(store.Value{Data: make([]byte, []int{0, 3, 8}[rng.IntN(3)])})
			w.Next.Expires = []int64{0, now.Add(5 * time.Second).UnixMilli()}[rng.IntN(2)]
		}
		w.Expires = now.Add(-time.Second).UnixMilli()
		d.writes = append(d.writes, w)
	}
	return d
}

// entry makes d concrete at a revision; what it overwrites is read at seen.
func (d *draft) entry(base, revision, seen store.Revision, on *disk) *Entry {
	read := max(base, revision-min(revision, d.lag))
	e := &Entry{Kind: d.kind, Space: d.space, Seen: seen, Writes: slices.Clone(d.writes)}
	if d.kind == Commit {
		p := store.Part{Space: d.space, Quota: d.quota, Ranges: d.ranges}
		for _, k := range d.keys {
			p.Keys = append(p.Keys, []byte(k))
		}
		e.Effects = &store.Effects{Read: read, Now: d.now, Parts: []store.Part{p}}
	}
	for i := range e.Writes {
		e.Writes[i].Prior = on.at(place{d.space, string(e.Writes[i].Key)}, seen)
	}
	return e
}

// decided is what came of an entry, as text.
func decided(e *Entry, err error) string {
	if err != nil {
		conflict, _ := errors.AsType[*store.Conflict](err)
		return fmt.Sprintf("%s %v", fault.CodeOf(err), conflict)
	}
	return fmt.Sprintf("revision %d %+v", e.Revision, e.Writes)
}

// run decides drafts in order. Writes become readable late: lag tells how many
// revisions the disk is behind, and with it what is released and what a prior
// was read at.
func run(drafts []draft, b Bounds, lag func() store.Revision) (decisions []string, usage []store.Usage) {
	const base = 5
	log := New(base, map[store.Space]store.Usage{}, map[store.Space]bool{}, b)
	on := &disk{states: map[place][]version{}}
	published := store.Revision(base)
	for _, d := range drafts {
		seen := max(base, published-min(published, lag()))
		e := d.entry(base, log.Revision(), seen, on)
		for i := range e.Writes {
			if w := &e.Writes[i]; log.Stale(e, w) {
				w.Prior = on.at(place{w.Space, string(w.Key)}, published)
			}
		}
		err := log.Decide(e)
		decisions = append(decisions, decided(e, err))
		if err == nil {
			on.apply(e)
		}
		published = max(published, log.Revision()-min(log.Revision(), lag()))
		log.Release(published)
	}
	for space := range store.Space(4) {
		usage = append(usage, log.Usage(space))
	}
	return decisions, usage
}

// TestDecisionsRestOnTheOrderAlone decides the same entries where each is on
// disk at once, where none ever is, and where groups come and go: every decision
// is the same, to the key that a conflict names.
func TestDecisionsRestOnTheOrderAlone(t *testing.T) {
	codes := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		drafts := randomDrafts(rand.New(rand.NewPCG(seed, 1)), 200)
		b := Bounds{Keys: rapid.SampledFrom([]int{1, 4, 12, 100}).Draw(t, "keys"), Bytes: 1 << 20}
		want, used := run(drafts, b, func() store.Revision { return 0 })
		for _, text := range want {
			codes[text[:8]]++
		}
		rng := rand.New(rand.NewPCG(seed, 2))
		for name, lag := range map[string]func() store.Revision{
			"never":  func() store.Revision { return 1 << 40 },
			"groups": func() store.Revision { return store.Revision(rng.IntN(20)) },
		} {
			got, gotUsed := run(drafts, b, lag)
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("%s on disk, entry %d: %s, want %s", name, i, got[i], want[i])
				}
			}
			if !slices.Equal(used, gotUsed) {
				t.Fatalf("%s on disk: usage %v, want %v", name, gotUsed, used)
			}
		}
	})
	for _, code := range []string{"revision", "conflict", "exhauste", "invalid ", "not_foun"} {
		if codes[code] == 0 {
			t.Errorf("no decision was %q: the test shows nothing of it", code)
		}
	}
}

// TestConflictsAreThoseOfAModel compares conflicts with a plain history of
// writes; there are none but for what was read and written since, while nothing
// is forgotten.
func TestConflictsAreThoseOfAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
		log := New(0, map[store.Space]store.Usage{}, map[store.Space]bool{}, Bounds{Keys: 1 << 20, Bytes: 1 << 30})
		on := &disk{states: map[place][]version{}}
		latest := map[place]store.Revision{}
		for i, d := range randomDrafts(rng, 300) {
			e := d.entry(0, log.Revision(), log.Revision(), on)
			if e.Kind == Commit && !log.Dropped(e.Space) {
				want := false
				for p, rev := range latest {
					read := slices.Contains(d.keys, p.key) || len(d.ranges) > 0 && d.ranges[0].Contains([]byte(p.key))
					want = want || p.space == d.space && read && rev > e.Effects.Read
				}
				err := log.Decide(e)
				if got := fault.CodeOf(err) == fault.Conflict; got != want {
					t.Fatalf("entry %d: %v, want a conflict: %v", i, err, want)
				}
				if err != nil {
					continue
				}
			} else if err := log.Decide(e); err != nil {
				continue
			}
			on.apply(e)
			for _, w := range e.Writes {
				stays := e.Kind == SweepExpired && w.Next.Exists
				if !stays && (w.Prior.Exists || w.Next.Exists) {
					latest[place{w.Space, string(w.Key)}] = e.Revision
				}
			}
		}
	})
}
