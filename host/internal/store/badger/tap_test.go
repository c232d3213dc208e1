package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/follower"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// work commits n times, in every way that changes something.
func work(t testing.TB, s *Store, seed uint64, n int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		space := store.Space(1 + rnd.IntN(4))
		key := fmt.Appendf(nil, "key%d", rnd.IntN(40))
		op := store.Op{Key: key}
		switch k := rnd.IntN(10); {
		case k < 4:
			op.Value.Data = fmt.Appendf(nil, "value %d of %d", i, seed)
		case k == 4 && i%5 == 0:
			op.Value.Data = bytes.Repeat([]byte{byte(i)}, store.MaxValue) // with a tail
		case k == 5:
			op.Value = store.Value{Data: []byte("soon gone"), Expires: s.clock().Add(-time.Second).UnixMilli()}
		case k == 6:
			op = store.Op{Kind: store.OpAdd, Key: []byte("count"), Delta: int64(i)}
		default:
			op.Kind = store.OpDelete
		}
		e := &store.Effects{Read: s.epochs.Newest(), Now: s.clock(), Parts: []store.Part{{Space: space, Ops: []store.Op{op}}}}
		if _, err := s.Commit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.janitor.expired(t.Context()); err != nil {
		t.Fatal(err)
	}
	doomed := store.Space(100 + seed)
	e := &store.Effects{Read: s.epochs.Newest(), Now: s.clock(), Parts: []store.Part{{Space: doomed, Ops: []store.Op{{Key: []byte("k"), Value: store.Value{Data: []byte("v")}}}}}}
	if _, err := s.Commit(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if err := s.Drop(t.Context(), doomed); err != nil {
		t.Fatal(err)
	}
	for swept := false; !swept; time.Sleep(time.Millisecond) {
		s.janitor.mu.Lock()
		swept = len(s.janitor.unswept) == 0
		s.janitor.mu.Unlock()
	}
}

// contents is all that a store has written, but for which commit came before.
func contents(t testing.TB, s *Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	g := s.Changes(0, s.epochs.Newest())
	for e, err := range g.Entries {
		if err != nil {
			t.Fatal(err)
		}
		all[string(e.Key)] = string(e.Value)
	}
	return all
}

// sent is g after a way over the wire.
func sent(t testing.TB, groups []stream.Group, apply func(stream.Group) error) {
	t.Helper()
	var b bytes.Buffer
	w := stream.NewWriter(&b)
	for _, g := range groups {
		if err := w.Write(g); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := stream.NewReader(&b)
	for {
		g, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = apply(g)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// taken returns the groups up to a revision.
func taken(t testing.TB, tap *Tap, until store.Revision) (all []stream.Group) {
	t.Helper()
	last := tap.From()
	for last < until {
		g, err := tap.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if g.Before != last {
			t.Fatalf("a group follows %d, the one before ended at %d", g.Before, last)
		}
		last = g.Revision
		all = append(all, g)
	}
	return all
}

// TestFollowerIsTheSame has a follower begin with a base, take groups, and catch up
// with what a restart has cut off; then it is opened as a store.
func TestFollowerIsTheSame(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	s := openAt(t, Config{Dir: dir})
	work(t, s, 1, 200)
	tap := s.Tap(1 << 30)
	f, err := follower.Open(to, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	apply := func(g stream.Group) error { return f.Apply(t.Context(), g) }
	sent(t, []stream.Group{s.Changes(0, tap.From())}, apply)
	work(t, s, 2, 200)
	shipped := s.epochs.Newest()
	sent(t, taken(t, tap, shipped), apply)
	tap.Release(shipped)
	if f.Revision() != shipped {
		t.Fatalf("the follower is at %d, want %d", f.Revision(), shipped)
	}
	work(t, s, 3, 200) // that nobody takes
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)

	s = openAt(t, Config{Dir: dir, Keep: shipped})
	work(t, s, 4, 100)
	if err := s.db.Flatten(1); err != nil { // all that may be discarded is
		t.Fatal(err)
	}
	tap = s.Tap(1 << 30)
	if tap.Kept() != shipped {
		t.Fatalf("changes after %d are kept, want %d", tap.Kept(), shipped)
	}
	if f, err = follower.Open(to, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	catchUp := s.Changes(tap.Kept(), tap.From())
	sent(t, []stream.Group{catchUp, catchUp}, apply) // twice, as after a crash
	work(t, s, 5, 100)
	sent(t, taken(t, tap, s.epochs.Newest()), apply)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	want, at := contents(t, s), s.epochs.Newest()
	tap.Close()
	closeStore(t, s)
	other := open(t, Config{Dir: to})
	if got := other.epochs.Newest(); got != at {
		t.Errorf("the copy is at revision %d, want %d", got, at)
	}
	if diff := cmp.Diff(want, contents(t, other)); diff != "" {
		t.Errorf("the copy differs (-want +got): %.2000s", diff)
	}
	work(t, other, 6, 20) // it is a store like any
}

func openAt(t testing.TB, cfg Config) *Store {
	t.Helper()
	cfg.Reserve, cfg.SweepEvery = -1, time.Hour
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTapForgets: what nobody takes is not kept, and commits go on.
func TestTapForgets(t *testing.T) {
	s := open(t, Config{})
	tap := s.Tap(2000)
	defer tap.Close()
	for range 20 {
		wantCode(t, "set", set(s, "k", "1"), "")
	}
	if _, err := tap.Next(t.Context()); !errors.Is(err, ErrLost) {
		t.Errorf("Next: %v, want ErrLost", err)
	}
	again := s.Tap(1 << 20)
	defer again.Close()
	wantCode(t, "set", set(s, "k", "2"), "")
	if g, err := again.Next(t.Context()); err != nil || g.Before != again.From() {
		t.Errorf("the next tap: %v, %v", g.Before, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := again.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Next at the end: %v", err)
	}
}
