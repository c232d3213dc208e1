package badger

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// chain is a transaction on top of what is decided: it appends to k and is sealed.
func chain(t *testing.T, s *Store) (store.Snapshot, *store.Settling) {
	t.Helper()
	snap, err := s.Latest()
	wantCode(t, "Latest", err, "")
	tx := store.Begin(snap, 1, store.Quota{}, time.Now())
	defer tx.Close()
	data, _, err := tx.Get([]byte("k"))
	wantCode(t, "Get", err, "")
	wantCode(t, "Set", tx.Set([]byte("k"), append(slices.Clip(data), '+'), 0), "")
	_, settling, err := s.Seal(t.Context(), tx.Effects())
	wantCode(t, "Seal", err, "")
	return snap, settling
}

// TestFailedWriteUnderTransactionsOnTop breaks the disk with transactions sealed on
// top of the group that is being written: its members do not know what came of
// them, those on top are never written, and whoever read either is refused.
func TestFailedWriteUnderTransactionsOnTop(t *testing.T) {
	broken := errors.New("input/output error")
	for _, reachesDisk := range []bool{false, true} {
		t.Run(fmt.Sprintf("reaches disk %v", reachesDisk), func(t *testing.T) {
			entered, fail := make(chan struct{}), make(chan struct{})
			held := false
			dir := t.TempDir()
			s := open(t, Config{Dir: dir, Persist: func(_ store.Revision, write func() error) error {
				if !held {
					return write()
				}
				close(entered)
				<-fail
				if reachesDisk {
					return errors.Join(write(), broken)
				}
				return broken
			}})
			wantCode(t, "set", set(s, "k", "0"), "")
			durable, err := s.Latest()
			wantCode(t, "Latest", err, "")
			durable.Release()
			held = true

			first, writing := chain(t, s)
			<-entered
			second, sealed := chain(t, s)
			reader, err := s.Latest()
			wantCode(t, "Latest", err, "")
			if v, _, _ := reader.Get(1, []byte("k")); string(v.Data) != "0++" {
				t.Errorf("on top of what is sealed, k = %q", v.Data)
			}
			reader.Release()
			if v, _ := get(t, s, "k"); v != "0" {
				t.Errorf("what is not durable is read: %q", v)
			}
			close(fail)
			wantCode(t, "a member of the group", writing.Wait(), fault.Unknown)
			wantCode(t, "on top of it", sealed.Wait(), fault.Unavailable)
			wantCode(t, "who read the member's write", second.Durable(), fault.Unavailable)
			wantCode(t, "who read what is on top", reader.Durable(), fault.Unavailable)
			wantCode(t, "who read what is durable", errors.Join(first.Durable(), durable.Durable()), "")

			late, err := s.Latest()
			wantCode(t, "Latest", err, "")
			if v, _, _ := late.Get(1, []byte("k")); string(v.Data) != "0" || late.Durable() != nil {
				t.Errorf("afterwards k = %q, %v", v.Data, late.Durable())
			}
			late.Release()
			wantCode(t, "set", set(s, "k", "1"), fault.Unavailable)
			closeStore(t, s)

			s = open(t, Config{Dir: dir})
			want := map[bool]string{false: "0", true: "0+"}[reachesDisk]
			if v, _ := get(t, s, "k"); v != want {
				t.Errorf("reopened: k = %q, want %q", v, want)
			}
		})
	}
}

// TestRefusalsWaitForWhatTheyRestOn fills a quota with a commit that is not durable:
// who is refused for it learns so when it is.
func TestRefusalsWaitForWhatTheyRestOn(t *testing.T) {
	g := newGate()
	s := open(t, Config{Persist: g.persist})
	effects := func(key string) *store.Effects {
		p := store.Part{Space: 1, Quota: store.Quota{Keys: 1}, Ops: []store.Op{{Key: []byte(key)}}}
		return &store.Effects{Now: time.Now(), Parts: []store.Part{p}}
	}
	g.closed.Store(true)
	_, first, err := s.Seal(t.Context(), effects("a"))
	wantCode(t, "the first", err, "")
	<-g.entered
	_, rests, err := s.Seal(t.Context(), effects("b"))
	wantCode(t, "over the quota", err, fault.Exhausted)
	if rests != first {
		t.Error("the refusal does not rest on the first")
	}
	refused := make(chan error, 1)
	go func() {
		_, err := s.Commit(t.Context(), effects("b"))
		refused <- err
	}()
	select {
	case err := <-refused:
		t.Fatalf("refused before it is known to be right: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(g.pass)
	wantCode(t, "over the quota", <-refused, fault.Exhausted)
}

// TestLatestOverTwoGroups holds a group back and seals another: a snapshot shows
// what both and the disk hold together, in both directions, without what expired
// or was dropped, and stays so when they are published.
func TestLatestOverTwoGroups(t *testing.T) {
	g := newGate()
	s := open(t, Config{Persist: g.persist})
	wantCode(t, "set", set(s, "a", "disk", "b", "disk", "c", "disk"), "")
	g.closed.Store(true)
	var last *store.Settling
	step := func(f func(tx *store.Tx) error) {
		t.Helper()
		snap, err := s.Latest()
		wantCode(t, "Latest", err, "")
		tx := store.Begin(snap, 1, store.Quota{}, time.Unix(100, 0))
		defer tx.Close()
		wantCode(t, "step", f(tx), "")
		_, last, err = s.Seal(t.Context(), tx.Effects())
		wantCode(t, "Seal", err, "")
	}
	step(func(tx *store.Tx) error {
		return errors.Join(tx.Delete([]byte("b")), tx.Add([]byte("n"), 2), tx.Set([]byte("t"), nil, time.Second))
	})
	<-g.entered
	step(func(tx *store.Tx) error {
		return errors.Join(tx.Set([]byte("b0"), []byte("open"), 0), tx.Set([]byte("c"), []byte("open"), 0), tx.Add([]byte("n"), 3))
	})
	snap, err := s.Latest()
	wantCode(t, "Latest", err, "")
	defer snap.Release()
	step(func(tx *store.Tx) error {
		return errors.Join(tx.Set([]byte("c"), []byte("later"), 0), tx.Delete([]byte("a")))
	})
	dropped := make(chan error, 1)
	go func() { dropped <- s.Drop(t.Context(), 1) }()
	waitFor(t, "the drop", func() bool {
		after, err := s.Latest()
		wantCode(t, "Latest", err, "")
		defer after.Release()
		_, ok, err := after.Get(1, []byte("c"))
		return err == nil && !ok
	})
	look := func(when string) {
		t.Helper()
		for _, reverse := range []bool{false, true} {
			var got []string
			wantCode(t, "Scan", snap.Scan(1, []byte("a"), []byte("s"), reverse, func(key []byte, v store.Value) bool {
				got = append(got, fmt.Sprintf("%s=%s", key, v.Data))
				return true
			}), "")
			want := []string{"a=disk", "b0=open", "c=open", "n=" + string(store.AppendCounter(nil, 5))}
			if reverse {
				slices.Reverse(want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, reverse %v: %q, want %q", when, reverse, got, want)
			}
		}
		if v, ok, err := snap.Get(1, []byte("t")); err != nil || !ok || v.Expires != 101_000 {
			t.Errorf("%s: t = %+v, %v, %v", when, v, ok, err)
		}
	}
	look("undurable")
	g.closed.Store(false)
	close(g.pass)
	wantCode(t, "Wait", last.Wait(), "")
	wantCode(t, "Drop", <-dropped, "")
	look("published")
}
