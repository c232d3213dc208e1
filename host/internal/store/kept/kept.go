// Package kept is an index over what was read for answers that are kept: it tells each
// of them when a commit changes something that it rests on. It stands beside the
// committer: a commit takes as long with a hundred thousand entries as with none.
// Packages that keep answers import it.
package kept

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/certify"
)

// Store is what an Index needs of a store.Store.
type Store interface {
	Snapshot() (store.Snapshot, error)
	Published() store.Revision
	Follow() *store.Follow
}

// recently bounds what an Index remembers of single writes. Those over it are known
// roughly, so that an entry may be told of nothing, and never the other way round.
var recently = certify.Bounds{Keys: 1 << 14, Bytes: 8 << 20}

// Index knows entries by what they rest on. Safe for concurrent use.
type Index struct {
	store    Store
	most     int64 // see New
	shards   [64]shard
	entries  atomic.Int64
	bytes    atomic.Int64
	touched  atomic.Int64
	coarse   atomic.Int64
	through  atomic.Uint64
	existing entrySet

	mu     sync.Mutex
	users  int
	follow *store.Follow
	recent *certify.Recent // of the groups that were taken; nil = nobody uses the index
	stop   chan struct{}
	going  sync.WaitGroup

	taking sync.Mutex // before mu; groups are taken one after the other
}

// entrySet is every entry, for changes that concern all.
type entrySet struct {
	mu  sync.Mutex
	all map[*Entry]struct{}
}

// New returns an index that follows nothing before Begin. The reads of its entries take
// about most bytes of memory; an entry over that keeps one interval for each key space, and
// is told of more than concerns it.
func New(s Store, most int64) *Index {
	x := &Index{store: s, most: most}
	x.existing.all = map[*Entry]struct{}{}
	return x
}

// Stats is what an index has, and has done.
type Stats struct {
	Entries int64 // that were not told yet
	Bytes   int64 // about what their reads take
	Touched int64 // entries that were told, since the start
	Coarse  int64 // entries that were added with less detail, for want of memory
}

// Stats returns how the index does.
func (x *Index) Stats() Stats {
	return Stats{x.entries.Load(), x.bytes.Load(), x.touched.Load(), x.coarse.Load()}
}

// Through returns up to which revision every entry was told.
func (x *Index) Through() store.Revision { return store.Revision(x.through.Load()) }

// Begin has the index follow commits until end is called. Whoever adds an entry begins
// before the snapshot is opened that was read for it.
func (x *Index) Begin() (end func(), err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.users == 0 {
		follow := x.store.Follow()
		snap, err := x.store.Snapshot() // after: all that is later will be passed
		if err != nil {
			follow.Close()
			return nil, err
		}
		revision := snap.Revision()
		snap.Release()
		x.follow, x.recent = follow, certify.NewRecent(revision, recently)
		x.through.Store(uint64(revision))
		stop := make(chan struct{})
		x.stop = stop
		x.going.Go(func() { x.run(follow, stop) })
	}
	x.users++
	return sync.OnceFunc(x.end), nil
}

func (x *Index) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.users--; x.users == 0 {
		x.follow.Close()
		close(x.stop)
		x.follow, x.recent = nil, nil
	}
}

// Wait returns when everybody who has begun has ended, and nobody is told any more.
func (x *Index) Wait() { x.going.Wait() }

// run takes groups as they come.
func (x *Index) run(follow *store.Follow, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-follow.Changed():
		}
		x.catchUp(follow)
	}
}

// catchUp takes what has come. When it returns, all that it concerns were told.
func (x *Index) catchUp(follow *store.Follow) {
	x.taking.Lock()
	defer x.taking.Unlock()
	groups, lost := follow.Take()
	if lost != 0 {
		x.lose(follow, lost)
	}
	for i := range groups {
		x.take(follow, &groups[i])
	}
}

// Current reports whether every entry was told of all that could be read when it was
// called: then one that still Holds rests on nothing that has changed. That costs two loads
// while nobody writes. Where the index lags it takes what has come, as its own goroutine
// would have, and it is false only where that has not come yet.
func (x *Index) Current() bool {
	published := x.store.Published()
	if x.Through() >= published {
		return true
	}
	x.mu.Lock()
	follow := x.follow
	x.mu.Unlock()
	if follow == nil {
		return false
	}
	for range passing {
		if x.catchUp(follow); x.Through() >= published {
			return true
		}
		runtime.Gosched()
	}
	return false
}

// passing is how often Current looks for a group that can be read already and is about to
// be passed on.
const passing = 8

// take notes what a group has changed, and then tells those that it concerns: an entry
// that is added meanwhile finds it noted, or is told.
func (x *Index) take(from *store.Follow, g *store.Group) {
	if len(g.Dropped) > 0 {
		x.lose(from, g.Revision)
		return
	}
	x.mu.Lock()
	if x.follow != from { // its last user has gone
		x.mu.Unlock()
		return
	}
	for space, key := range g.Changed {
		x.recent.Write(space, key, g.Revision)
	}
	x.recent.Settle(g.Revision, time.Now())
	x.mu.Unlock()
	if x.entries.Load() > 0 {
		for space, key := range g.Changed {
			x.touch(space, key)
		}
	}
	x.through.Store(uint64(g.Revision))
}

// lose tells every entry, because anything may have changed up to a revision.
func (x *Index) lose(from *store.Follow, revision store.Revision) {
	x.mu.Lock()
	if x.follow != from {
		x.mu.Unlock()
		return
	}
	x.recent = certify.NewRecent(revision, recently)
	x.mu.Unlock()
	x.existing.mu.Lock()
	all := slices.Collect(maps.Keys(x.existing.all))
	x.existing.mu.Unlock()
	for _, e := range all {
		e.touch()
	}
	x.through.Store(uint64(revision))
}

// touch tells the entries that rest on a key.
func (x *Index) touch(space store.Space, key []byte) {
	for _, b := range x.shardOfKey(space, key).takeKey(space, key) {
		b.touch()
	}
	for _, b := range x.shardOf(space).takeRanges(space, key) {
		b.touch()
	}
}

// Entry is what one answer rests on. Close it when it was told, or the answer is given up.
type Entry struct {
	index *Index
	wake  func()
	state atomic.Int32 // one of the states
	cost  int64
	in    []place
}

// The states of an entry.
const (
	untouched = iota
	touched
	closed
)

// place is where an entry is known.
type place struct {
	shard *shard
	node  *bucket
}

// Add makes an entry of what was read after Begin. wake is called at most once, soon
// after a commit later than the snapshot has changed something among it, or before Add
// returns where one has. It is called on a goroutine of the index, so it does not take
// long, and may be called while the entry is being closed.
func (x *Index) Add(r store.Reads, wake func()) *Entry {
	e := &Entry{index: x, wake: wake, cost: cost(&r)}
	parts := r.Parts
	if x.bytes.Add(e.cost) > x.most {
		x.coarse.Add(1)
		parts = coarse(parts)
		less := cost(&store.Reads{Parts: parts})
		x.bytes.Add(less - e.cost)
		e.cost = less
	}
	x.entries.Add(1)
	x.existing.mu.Lock()
	x.existing.all[e] = struct{}{}
	x.existing.mu.Unlock()
	for _, p := range parts {
		for _, key := range p.Keys {
			s := x.shardOfKey(p.Space, key)
			e.in = append(e.in, place{s, s.addKey(p.Space, key, e)})
		}
		for _, rng := range p.Ranges {
			s := x.shardOf(p.Space)
			e.in = append(e.in, place{s, s.addRange(p.Space, rng, e)})
		}
	}
	// From here on it is told. What came before is compared.
	x.mu.Lock()
	changed := x.recent == nil || x.recent.WrittenSince(&r)
	x.mu.Unlock()
	if changed {
		e.touch()
	}
	return e
}

func (e *Entry) touch() {
	if e.state.CompareAndSwap(untouched, touched) {
		e.index.touched.Add(1)
		e.wake()
	}
}

// Touched reports whether something that was read has changed since.
func (e *Entry) Touched() bool { return e.state.Load() == touched }

// Holds reports whether the entry was neither told nor closed.
func (e *Entry) Holds() bool { return e.state.Load() == untouched }

// Bytes is about what the entry takes in the index.
func (e *Entry) Bytes() int64 { return e.cost }

// Close gives the entry up. A nil Entry is closed.
func (e *Entry) Close() {
	if e == nil || e.state.Swap(closed) == closed {
		return
	}
	x := e.index
	x.existing.mu.Lock()
	delete(x.existing.all, e)
	x.existing.mu.Unlock()
	for _, at := range e.in {
		at.shard.remove(at.node, e)
	}
	e.in = nil
	x.entries.Add(-1)
	x.bytes.Add(-e.cost)
}

// placeCost is about what one key or interval of an entry takes in addition to its bytes.
const placeCost = 200

func cost(r *store.Reads) (n int64) {
	n = placeCost
	for _, p := range r.Parts {
		for _, key := range p.Keys {
			n += placeCost + int64(len(key))
		}
		for _, rng := range p.Ranges {
			n += placeCost + int64(len(rng.From)+len(rng.To))
		}
	}
	return n
}

// coarse joins what was read to one interval for each key space.
func coarse(parts []store.ReadPart) []store.ReadPart {
	joined := make([]store.ReadPart, len(parts))
	for i, p := range parts {
		var all store.Range
		for j, key := range p.Keys {
			all = cover(all, store.Range{From: key, To: append(slices.Clone(key), 0)}, j == 0)
		}
		for j, rng := range p.Ranges {
			all = cover(all, rng, j == 0 && len(p.Keys) == 0)
		}
		joined[i] = store.ReadPart{Space: p.Space, Ranges: []store.Range{all}}
	}
	return joined
}

// cover returns the interval that holds a and b, or b where it is the first.
func cover(a, b store.Range, first bool) store.Range {
	if first {
		return b
	}
	if slices.Compare(b.From, a.From) < 0 {
		a.From = b.From
	}
	if a.To != nil && (b.To == nil || slices.Compare(b.To, a.To) > 0) {
		a.To = b.To
	}
	return a
}
