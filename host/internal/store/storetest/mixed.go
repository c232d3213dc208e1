package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// A mixed history is what clients do at the same time to a few keys of a few
// spaces: reads of keys, ranges and records, every kind of write, commits of
// several parts, quotas, times to live, drops. What the store learns next is
// added to reads, writes, and world.apply.

// action is one step of a transaction in one of its parts.
type action func(t *txn, p *txnPart) error

// reads are what a transaction begins with, each as often as it is listed.
func reads() []action { return []action{readKey, readKey, readRange} }

// writes are what it goes on with.
func writes() []action {
	return []action{set, set, setForAWhile, remove, addTo, addTo, takeRecord, deleteRecord, appendTo, guess}
}

// mix says what a mixed history is made of.
type mix struct {
	clients, each int
	drops         bool
}

// mixed is a mixed history under way.
type mixed struct {
	*bench
	mix
	doomed atomic.Uint64 // the space that is dropped next

	mu    sync.Mutex
	drops map[store.Space]dropped
}

// dropped says between which revisions a space was dropped.
type dropped struct{ after, by store.Revision }

// txn is a transaction, and what its client saw of it.
type txn struct {
	rng   *rand.Rand
	whole *store.Tx
	parts []*txnPart

	now      time.Time
	latest   bool           // reads what is decided, durable or not
	read     store.Revision // of the snapshot
	revision store.Revision // of the commit; read where it was read-only
	readOnly bool
	reads    []read
	effects  *store.Effects
}

type txnPart struct {
	*store.Tx
	space store.Space
}

// read is a key, a range or a record that was read, with what was there.
type read struct {
	space store.Space
	key   string
	query *store.Query
	got   string
}

// kept is a snapshot that several transactions read: none of them releases it.
type kept struct{ store.Snapshot }

func (kept) Release() {}

// history runs a mixed history and returns the transactions that committed, in
// the order of their revisions, readers of a revision after its writer.
func (b *bench) history(m mix) (*mixed, []*txn) {
	b.Helper()
	h := &mixed{bench: b, mix: m, drops: map[store.Space]dropped{}}
	h.doomed.Store(1000)
	histories := make([][]*txn, m.clients)
	var refused atomic.Int64
	var wg sync.WaitGroup
	for c := range m.clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(2, uint64(c)))
			for range m.each {
				t, err := h.run(rng)
				switch fault.CodeOf(err) {
				case "":
					histories[c] = append(histories[c], t)
				case fault.Conflict, fault.Exhausted, fault.Invalid, fault.NotFound:
					refused.Add(1)
				default:
					b.Errorf("commit: %v", err)
				}
			}
		})
	}
	wg.Wait()
	all := slices.Concat(histories...)
	slices.SortStableFunc(all, func(x, y *txn) int {
		if x.revision != y.revision {
			return int(int64(x.revision) - int64(y.revision))
		}
		return boolOrder(x.readOnly) - boolOrder(y.readOnly)
	})
	if refused.Load() == 0 || len(all) < m.clients*m.each/5 {
		b.Errorf("%d committed, %d were refused: the history shows nothing", len(all), refused.Load())
	}
	return h, all
}

func boolOrder(v bool) int {
	if v {
		return 1
	}
	return 0
}

// run does one transaction of random steps, and now and then something else.
func (h *mixed) run(rng *rand.Rand) (*txn, error) {
	switch {
	case h.mix.drops && rng.IntN(40) == 0:
		h.drop()
	case rng.IntN(20) == 0:
		if _, err := h.Usage(h.space); err != nil {
			h.Errorf("Usage: %v", err)
		}
		if err := h.Health(); err != nil {
			h.Errorf("Health: %v", err)
		}
	}
	latest := rng.IntN(2) == 0
	snap, err := h.snapshot(latest)
	if err != nil {
		return nil, err
	}
	defer snap.Release()
	t := &txn{rng: rng, latest: latest, read: snap.Revision(), now: h.now.Add(time.Duration(rng.IntN(3000)) * time.Millisecond)}
	h.begin(t, snap)
	var scan sync.WaitGroup // snapshots are safe for concurrent use
	scan.Go(func() {
		if err := snap.Scan(h.space, nil, nil, true, func([]byte, store.Value) bool { return true }); err != nil {
			h.Errorf("Scan: %v", err)
		}
	})
	err = t.steps()
	scan.Wait()
	if err != nil {
		return t, err
	}
	return t, h.decide(t)
}

// begin gives t its parts: one or two of the spaces there are, or an area.
func (h *mixed) begin(t *txn, snap store.Snapshot) {
	doomed := store.Space(h.doomed.Load()) - store.Space(t.rng.IntN(2)) // or the last one
	spaces := []store.Space{h.space, h.space, h.space + 1, h.space.In(store.AreaSQL), doomed, doomed.In(store.AreaQueue)}
	t.rng.Shuffle(len(spaces), func(i, j int) { spaces[i], spaces[j] = spaces[j], spaces[i] })
	spaces = spaces[:1+t.rng.IntN(2)]
	for _, space := range spaces {
		quota := store.Quota{}
		if t.rng.IntN(4) == 0 {
			quota.Keys = 25
		}
		if t.whole == nil {
			t.whole = store.Begin(kept{snap}, space, quota, t.now)
		}
		t.parts = append(t.parts, &txnPart{t.whole.Part(space, quota), space})
	}
}

// steps does a few reads, then a few writes, so that what was read is what was
// stored.
func (t *txn) steps() error {
	for _, actions := range [][]action{reads(), writes()} {
		for range t.rng.IntN(4) {
			part := t.parts[t.rng.IntN(len(t.parts))]
			if err := actions[t.rng.IntN(len(actions))](t, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// decide commits all parts of t as one.
func (h *mixed) decide(t *txn) error {
	t.effects = t.whole.Effects()
	t.readOnly = t.effects.ReadOnly()
	var err error
	t.revision, err = h.settle(t.effects, t.latest)
	return err
}

// drop drops the doomed space, and gives the next one that role.
func (h *mixed) drop() {
	space := store.Space(h.doomed.Add(1)) - 1
	after := h.bench.revision()
	if err := h.Drop(context.Background(), space); err != nil {
		h.Errorf("Drop: %v", err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drops[space] = dropped{after, h.bench.revision()}
}

func mixedKey(rng *rand.Rand) []byte {
	return []byte{"ab"[rng.IntN(2)], "0123456789"[rng.IntN(10)]}
}

func readKey(t *txn, p *txnPart) error {
	key := mixedKey(t.rng)
	data, ok, err := p.Get(key)
	got := absent
	if ok {
		got = string(data)
	}
	t.reads = append(t.reads, read{space: p.space, key: string(key), got: got})
	return err
}

func readRange(t *txn, p *txnPart) error {
	q := store.Query{Prefix: mixedKey(t.rng)[:1], Limit: t.rng.IntN(4), Reverse: t.rng.IntN(2) == 0}
	if t.rng.IntN(2) == 0 {
		q.After = mixedKey(t.rng)
	}
	var got []string
	err := p.List(q, func(key, data []byte) bool {
		got = append(got, string(key)+"="+string(data))
		return true
	})
	t.reads = append(t.reads, read{space: p.space, query: &q, got: strings.Join(got, " ")})
	return err
}

func set(t *txn, p *txnPart) error {
	return p.Set(mixedKey(t.rng), []byte(counter(t.rng.Int64N(1000))), 0)
}

func setForAWhile(t *txn, p *txnPart) error {
	value := []byte(counter(t.rng.Int64N(1000)))
	if t.rng.IntN(3) == 0 {
		value = fmt.Append(nil, "until", t.rng.IntN(100)) // an add does not take it
	}
	return p.Set(mixedKey(t.rng), value, time.Duration(1+t.rng.IntN(2000))*time.Millisecond)
}

func remove(t *txn, p *txnPart) error { return p.Delete(mixedKey(t.rng)) }

func addTo(t *txn, p *txnPart) error { return p.Add(mixedKey(t.rng), t.rng.Int64N(100)) }

// takeRecord sets a record and remembers what it found: setting makes it a read.
func takeRecord(t *txn, p *txnPart) error {
	return onRecord(t, p, func(key []byte) error {
		return p.SetRecord(key, fmt.Append(nil, "record", t.rng.IntN(1000)), time.Duration(t.rng.IntN(2000))*time.Millisecond)
	})
}

func deleteRecord(t *txn, p *txnPart) error { return onRecord(t, p, p.DeleteRecord) }

// onRecord reads a record and changes it; an area that has none gets a write.
func onRecord(t *txn, p *txnPart, change func(key []byte) error) error {
	if p.space.Area() != store.AreaKV {
		return set(t, p)
	}
	key := mixedKey(t.rng)
	data, err := p.Record(key)
	if err != nil {
		return err
	}
	got := absent
	if data != nil {
		got = string(data)
	}
	t.reads = append(t.reads, read{space: p.space.In(store.AreaRecords), key: string(key), got: got})
	return change(key)
}

// testMixed replays a mixed history in the order of the revisions, one
// transaction at a time: each must read again what it read then, and in the end
// the store counts what is there.
func testMixed(t *testing.T, open Opener) {
	b := newBench(t, open, Options{Window: 256})
	h, all := b.history(mix{clients: 8, each: 150, drops: true})
	w := h.replay(all)
	w.matches(b)
	b.reopen()
	w.matches(b)
	if len(h.drops) == 0 {
		t.Error("nothing was dropped")
	}
}
