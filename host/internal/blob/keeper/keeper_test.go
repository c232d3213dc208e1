package keeper

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/names"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

type fixture struct {
	*Service
	t     *testing.T
	dir   string
	store *badger.Store
	blobs *blob.Store
	all   []plugin.Plugin
	fails error
}

func open(t *testing.T) *fixture {
	f := &fixture{t: t, dir: t.TempDir(), all: []plugin.Plugin{{Space: 1}, {Space: 2}}}
	var err error
	if f.store, err = badger.Open(badger.Config{Dir: t.TempDir(), MinFree: -1, Reserve: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.store.Close() })
	if f.blobs, err = Open(f.dir, "", f.store.Health, 0, nil); err != nil {
		t.Fatal(err)
	}
	f.Service, err = Start(t.Context(), Config{Blobs: f.blobs, Store: f.store, Plugins: func(context.Context) ([]plugin.Plugin, error) { return f.all, f.fails }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// change commits what do does with the names of a space.
func (f *fixture) change(space store.Space, do func(part *store.Tx) error) error {
	f.t.Helper()
	snap, err := f.store.Snapshot()
	if err != nil {
		f.t.Fatal(err)
	}
	tx := store.Begin(snap, space, store.Quota{}, time.Now())
	defer tx.Close()
	if err := do(names.Part(tx, space)); err != nil {
		return err
	}
	_, err = f.store.Commit(context.Background(), tx.Effects())
	return err
}

var quota = names.Quota{Count: 3, Bytes: 100}

func (f *fixture) put(space store.Space, name, data string) {
	f.t.Helper()
	held, err := f.blobs.Put(f.t.Context(), blob.Account{}, strings.NewReader(data), 100)
	if err != nil {
		f.t.Fatal(err)
	}
	defer held.Release()
	err = f.change(space, func(part *store.Tx) error {
		_, _, err := names.Put(part, []byte(name), &names.Record{Digest: held.Digest, Size: held.Size, Type: "text/plain", Metadata: []byte("m")}, quota)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) drop(space store.Space, name string) {
	f.t.Helper()
	err := f.change(space, func(part *store.Tx) error { _, _, err := names.Delete(part, []byte(name)); return err })
	if err != nil {
		f.t.Fatal(err)
	}
}

// sweep sweeps as if all were old.
func (f *fixture) sweep() (blob.Swept, error) {
	return f.Sweep(f.t.Context(), time.Now().Add(time.Hour))
}

func (f *fixture) usage(space store.Space) names.Usage {
	f.t.Helper()
	snap, err := f.store.Snapshot()
	if err != nil {
		f.t.Fatal(err)
	}
	defer snap.Release()
	u, err := names.UsageOf(snap, space)
	if err != nil {
		f.t.Fatal(err)
	}
	return u
}

func TestSweep(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.put(1, "a", "shared")
	f.put(2, "a", "shared")
	f.put(2, "b", "own")
	f.put(2, "b", "another") // in place of it
	if got, want := f.usage(2), (names.Usage{Count: 2, Bytes: 13}); got != want {
		t.Errorf("usage: got %+v, want %+v", got, want)
	}
	f.drop(1, "a")
	f.drop(1, "a")
	want := blob.Swept{Blobs: 2, Bytes: 13, Removed: 1, RemovedBytes: 3}
	if got, err := f.sweep(); got != want || err != nil {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	f.drop(2, "a")
	if got, err := f.sweep(); got.Removed != 1 || got.Blobs != 1 || err != nil {
		t.Errorf("once the other has dropped it too: %+v, %v", got, err)
	}
	if got := f.usage(1); got != (names.Usage{}) {
		t.Errorf("usage of who dropped all: %+v", got)
	}
	if s := f.Stats(); s.Removed != 2 || s.Blobs != 1 || s.At.IsZero() {
		t.Errorf("stats: %+v", s)
	}
}

// TestASweepThatMayNotKnowAllNames removes nothing.
func TestASweepThatMayNotKnowAllNames(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.put(1, "a", "text")
	f.fails = errors.New("no registry")
	if got, err := f.sweep(); err == nil || got.Removed != 0 {
		t.Errorf("a registry that fails: %+v, %v", got, err)
	}
	f.fails, f.all = nil, nil
	if got, err := f.sweep(); fault.CodeOf(err) != fault.Unavailable || got.Removed != 0 {
		t.Errorf("without plugins: %+v, %v", got, err)
	}
	f.all = []plugin.Plugin{{Space: 1}}
	if got, err := f.sweep(); err != nil || got.Blobs != 1 || got.Missing != 0 {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
	if s := f.Stats(); s.Failures != 2 {
		t.Errorf("%d failures, want 2", s.Failures)
	}
}

// damage puts bytes where the record of a name is.
func (f *fixture) damage(space store.Space, name string, data []byte) {
	f.t.Helper()
	if err := f.change(space, func(part *store.Tx) error { return part.Set([]byte("n"+name), data, 0) }); err != nil {
		f.t.Fatal(err)
	}
}

// TestASweepWithADamagedRecord removes what it can judge, and nothing where it cannot know
// which blob is named.
func TestASweepWithADamagedRecord(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.all[1].Name = "shop"
	f.put(1, "a", "whole")
	f.put(2, "b", "named")
	f.put(2, "c", "dropped")
	f.drop(2, "c")
	named := sha256.Sum256([]byte("named"))
	negative := append(append([]byte{1}, named[:]...), append(bytes.Repeat([]byte{0xff}, 16), 0)...)
	f.damage(2, "b", negative[:len(negative)-9]) // its digest is there
	if got, err := f.sweep(); err != nil || got.Removed != 1 || got.Blobs != 2 || got.Missing != 0 {
		t.Errorf("a record that is cut: %+v, %v", got, err)
	}
	f.damage(2, "b", negative)
	err := f.change(2, func(part *store.Tx) error { _, _, err := names.Get(part, []byte("b")); return err })
	if fault.CodeOf(err) != fault.Internal || !strings.Contains(err.Error(), "-1 bytes") {
		t.Errorf("a size below zero: %v", err)
	}
	f.damage(2, "b", []byte{9})
	f.drop(1, "a")
	if got, err := f.sweep(); err == nil || got.Removed != 0 || !strings.Contains(err.Error(), `"shop"`) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("a record that says nothing: %+v, %v", got, err)
	}
}

// doubtful is a store that has a commit of an unknown outcome while its names are read.
type doubtful struct {
	store.Store
	fails error
}

func (d *doubtful) Snapshot() (store.Snapshot, error) {
	d.fails = fault.New(fault.Unavailable, "commit", "the outcome is unknown")
	return d.Store.Snapshot()
}

func (d *doubtful) Health() error { return d.fails }

// TestACommitThatIsInDoubtMeanwhile has a sweep remove nothing.
func TestACommitThatIsInDoubtMeanwhile(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.put(1, "a", "text")
	f.drop(1, "a")
	f.cfg.Store = &doubtful{Store: f.store}
	if got, err := f.sweep(); fault.CodeOf(err) != fault.Unavailable || got.Removed != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	f.cfg.Store = f.store
	if got, err := f.sweep(); err != nil || got.Removed != 1 {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
}

// TestAPlaceOfAnother is not opened, nor swept once it is taken over.
func TestAPlaceOfAnother(t *testing.T) {
	t.Parallel()
	f := open(t)
	place, dirs := t.TempDir(), map[string]string{"production": t.TempDir(), "drill": t.TempDir(), "next": t.TempDir()}
	start := func(of string) (*Service, error) { // all have the same store
		blobs, err := Open(dirs[of], place, nil, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		return Start(t.Context(), Config{Blobs: blobs, Store: f.store, Plugins: f.cfg.Plugins, Server: of})
	}
	production, err := start("production")
	if err != nil {
		t.Fatal(err)
	}
	defer production.Close()
	again, err := start("production")
	if err != nil {
		t.Fatalf("it is opened again: %v", err)
	}
	again.Close()
	kept, err := production.Blobs().Put(t.Context(), blob.Account{}, strings.NewReader("text"), 10)
	if err != nil {
		t.Fatal(err)
	}
	kept.Release()
	if drill, err := start("drill"); fault.CodeOf(err) != fault.Conflict {
		drill.Close()
		t.Fatalf("another folder opens it: %v", err)
	}
	if err := TakeOver(t.Context(), t.TempDir(), place); err != nil {
		t.Fatal(err)
	}
	next, err := start("next")
	if err != nil {
		t.Fatalf("after it was taken over: %v", err)
	}
	defer next.Close()
	if got, err := production.Sweep(t.Context(), time.Now().Add(time.Hour)); fault.CodeOf(err) != fault.Conflict || got.Removed != 0 {
		t.Errorf("the server before sweeps: %+v, %v", got, err)
	}
	if got, err := next.Sweep(t.Context(), time.Now().Add(time.Hour)); err != nil || got.Removed != 1 {
		t.Errorf("its new owner sweeps: %+v, %v", got, err)
	}
}

// TestPause: a sweep that is needed comes after a rest, and not after the whole time.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		need := make(chan struct{}, 1)
		for _, c := range []struct {
			need bool
			want time.Duration
		}{{false, every}, {true, rest}, {false, every}} {
			if c.need {
				need <- struct{}{}
			}
			start := time.Now()
			if pressed, ok := pause(ctx, every, need); !ok || pressed != c.need || time.Since(start) != c.want {
				t.Errorf("needed %v: %v, %v after %v", c.need, pressed, ok, time.Since(start))
			}
		}
		cancel()
		if _, ok := pause(ctx, every, need); ok {
			t.Error("it goes on after its end")
		}
		need <- struct{}{}
		if _, ok := pause(ctx, every, need); ok {
			t.Error("it goes on after its end though it is needed")
		}
	})
}

func TestQuota(t *testing.T) {
	t.Parallel()
	f := open(t)
	put := func(name string, size int64) error {
		return f.change(1, func(part *store.Tx) error {
			_, _, err := names.Put(part, []byte(name), &names.Record{Size: size}, quota)
			return err
		})
	}
	for _, step := range []struct {
		name string
		size int64
		want fault.Code
	}{
		{"a", 60, ""}, {"b", 41, fault.Exhausted}, {"b", 40, ""}, {"a", 61, fault.Exhausted}, {"a", 10, ""}, {"c", 1, ""}, {"d", 0, fault.Exhausted}, {"c", 50, ""},
	} {
		if got := fault.CodeOf(put(step.name, step.size)); got != step.want {
			t.Errorf("%s of %d bytes: %q, want %q", step.name, step.size, got, step.want)
		}
	}
	if got := f.usage(1); got != (names.Usage{Count: 3, Bytes: 100}) {
		t.Errorf("usage: %+v", got)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	if _, err := Open(t.TempDir(), "relative/path", nil, 0, nil); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), `"blobs"`) {
		t.Errorf("got %v", err)
	}
	place := t.TempDir()
	s, err := Open(t.TempDir(), place, nil, 0, nil)
	if err != nil || s.String() != place {
		t.Errorf("got %v, %v", s, err)
	}
}
