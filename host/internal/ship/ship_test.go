package ship

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/follower"
)

// source makes a store a Source.
type source struct{ *badger.Store }

func (s source) Layout() int        { return badger.Format }
func (s source) Tap(most int64) Tap { return s.Store.Tap(most) }

// faulty is a bucket that fails as a test says.
type faulty struct {
	bucket.Bucket
	mu    sync.Mutex
	fail  func(op, key string) error
	after func(op, key string) error // it was done, and fails even so
}

func (f *faulty) check(op, key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		return nil
	}
	return f.fail(op, key)
}

func (f *faulty) set(fail func(op, key string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *faulty) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	if err := f.check("put", key); err != nil {
		return err
	}
	if err := f.Bucket.Put(ctx, key, r, size); err != nil || f.after == nil {
		return err
	}
	return f.after("put", key)
}

func (f *faulty) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := f.check("get", key); err != nil {
		return nil, err
	}
	return f.Bucket.Get(ctx, key, offset, length)
}

func (f *faulty) List(ctx context.Context, prefix, after string) iter.Seq2[bucket.Object, error] {
	if err := f.check("list", prefix); err != nil {
		return func(yield func(bucket.Object, error) bool) { yield(bucket.Object{}, err) }
	}
	return f.Bucket.List(ctx, prefix, after)
}

// server is a store that ships.
type server struct {
	*testing.T
	dir    string
	bucket *faulty
	cfg    Config
	store  *badger.Store
	ship   *Shipper
	fenced chan error
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newServer(t *testing.T, place, dir string) *server {
	b, err := bucket.Open(place)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{T: t, dir: dir, bucket: &faulty{Bucket: b}, fenced: make(chan error, 1)}
	s.cfg = Config{
		Bucket: s.bucket, Dir: dir, Modules: filepath.Join(dir, "modules"), Every: 40 * time.Millisecond, BaseEvery: time.Hour,
		Keep: time.Hour, Room: func() error { return nil }, MaxQueue: 1 << 20, Server: "test", Clock: time.Now, Log: quiet(), Fenced: func(err error) { s.fenced <- err },
	}
	return s
}

func (s *server) start() *server {
	s.Helper()
	if err := s.tryStart(); err != nil {
		s.Fatal(err)
	}
	return s
}

func (s *server) tryStart() (err error) {
	s.Helper()
	if s.cfg.State, err = ReadState(s.dir, s.bucket.String()); err != nil {
		return err
	}
	s.store, err = badger.Open(badger.Config{Dir: filepath.Join(s.dir, "store"), Reserve: -1, MinFree: -1, Keep: s.cfg.State.Revision, SweepEvery: time.Hour})
	if err != nil {
		s.Fatal(err)
	}
	s.cfg.Source = source{s.store}
	if s.ship, err = Start(s.Context(), s.cfg); err != nil {
		if err := s.store.Close(); err != nil {
			s.Fatal(err)
		}
		return err
	}
	s.Cleanup(func() { s.stop(false) })
	return nil
}

// stop ends it, after all was sent, or at once, as a crash does.
func (s *server) stop(flush bool) {
	if s.store == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	if !flush {
		cancel()
	}
	s.ship.Close(ctx)
	cancel()
	if err := s.store.Close(); err != nil {
		s.Error(err)
	}
	s.store = nil
}

func (s *server) set(key, value string) store.Revision {
	s.Helper()
	snap, err := s.store.Snapshot()
	if err != nil {
		s.Fatal(err)
	}
	defer snap.Release()
	op := store.Op{Key: []byte(key), Value: store.Value{Data: []byte(value)}}
	r, err := s.store.Commit(s.Context(), &store.Effects{Read: snap.Revision(), Now: time.Now(), Parts: []store.Part{{Space: 1, Ops: []store.Op{op}}}})
	if err != nil {
		s.Fatal(err)
	}
	return r
}

// shipped waits until all is there.
func (s *server) shipped() {
	s.Helper()
	published := s.store.Published() // right after a start nothing is known to wait
	s.until("all is shipped", func(st Status) bool { return st.Lag == 0 && st.Revision >= published })
}

func (s *server) until(what string, ok func(Status) bool) {
	s.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(s.ship.Status()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("waited in vain until %s: %+v", what, s.ship.Status())
		}
	}
}

// copied is a copy in a folder of its own.
type copied struct {
	*testing.T
	*Copy
	to *follower.Follower
}

func newCopy(t *testing.T, place string) *copied { return openCopy(t, place, t.TempDir()) }

func openCopy(t *testing.T, place, dir string) *copied {
	t.Helper()
	b, err := bucket.Open(place)
	if err != nil {
		t.Fatal(err)
	}
	c, err := OpenCopy(CopyConfig{Bucket: b, Dir: dir, Modules: filepath.Join(dir, "modules"), Layout: badger.Format, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	to, err := follower.Open(filepath.Join(dir, "store"), quiet())
	if err != nil {
		t.Fatal(err)
	}
	return &copied{t, c, to}
}

// restore goes to the target and returns what the store holds.
func (c *copied) restore(target Target) (values map[string]string, err error) {
	defer c.to.Close() // it is opened again
	b, err := c.Find(c.Context(), target)
	if err != nil {
		return nil, err
	}
	if err := c.Base(c.Context(), b, c.to); err != nil {
		return nil, err
	}
	if err := c.follow(target); err != nil {
		return nil, err
	}
	if err := c.BringModules(c.Context()); err != nil {
		return nil, err
	}
	if err := errors.Join(c.to.Close(), c.Finish()); err != nil {
		return nil, err
	}
	return contents(c.T, c.Dir), nil
}

func (c *copied) follow(target Target) error {
	for {
		more, err := c.Step(c.Context(), target, c.to)
		if err != nil || !more {
			return err
		}
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	s, err := badger.Open(badger.Config{Dir: filepath.Join(dir, "store"), Reserve: -1, MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() // only read
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	all := map[string]string{}
	err = snap.Scan(1, nil, nil, false, func(key []byte, v store.Value) bool {
		all[string(key)] = string(v.Data)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func want(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestWhatIsShippedComesBack(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	s := newServer(t, place, t.TempDir())
	module := []byte("a module")
	if err := os.MkdirAll(s.cfg.Modules, 0o700); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.set("a", "1")
	s.shipped()
	digest := plugin.DigestOf(module).Hex()
	if err := os.WriteFile(filepath.Join(s.cfg.Modules, digest+".wasm"), module, 0o600); err != nil {
		t.Fatal(err)
	}
	at := s.set("a", "2")
	s.shipped()
	time.Sleep(20 * time.Millisecond)
	between := time.Now()
	time.Sleep(20 * time.Millisecond)
	s.set("a", "3")
	s.set("b", "1")
	s.shipped()

	c := newCopy(t, place)
	got, err := c.restore(Target{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "the latest", got, map[string]string{"a": "3", "b": "1"})
	if data, err := os.ReadFile(filepath.Join(c.Dir, "modules", digest+".wasm")); err != nil || !bytes.Equal(data, module) {
		t.Errorf("the module came back as %q, %v", data, err)
	}
	for _, target := range []Target{{Time: between}, {Revision: at}} {
		got, err := newCopy(t, place).restore(target)
		if err != nil {
			t.Fatal(err)
		}
		want(t, target.String(), got, map[string]string{"a": "2"})
	}
	_, err = newCopy(t, place).restore(Target{Time: between.Add(-time.Hour)})
	if fault.CodeOf(err) != fault.NotFound || !strings.Contains(err.Error(), "the earliest is revision") {
		t.Errorf("before the first base: %v", err)
	}
}

// TestRestartGoesOn: after a stop and after a crash no new base is needed.
func TestRestartGoesOn(t *testing.T) {
	t.Parallel()
	place, dir := t.TempDir(), t.TempDir()
	s := newServer(t, place, dir).start()
	s.set("a", "1")
	s.shipped()
	generation := s.ship.Status().Generation
	for i, flush := range []bool{true, false, true, false} {
		if !flush {
			s.bucket.set(func(op, _ string) error { return fault.New(fault.Unavailable, op, "gone") })
		}
		s.set("a", fmt.Sprint(i))
		s.set(fmt.Sprint(i), "x")
		s.stop(flush)
		s = newServer(t, place, dir).start()
	}
	s.shipped()
	if st := s.ship.Status(); st.Generation != generation || st.Bases != 0 {
		t.Errorf("after restarts: %+v, want generation %s and no new base", st, generation)
	}
	got, err := newCopy(t, place).restore(Target{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "after restarts", got, map[string]string{"a": "3", "0": "x", "1": "x", "2": "x", "3": "x"})
}

// TestSlowBucketBeginsAgain: what does not fit into the queue costs a new base and
// holds up no commit.
func TestSlowBucketBeginsAgain(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	s := newServer(t, place, t.TempDir())
	s.cfg.MaxQueue = 2000
	s.start()
	s.set("a", "1")
	s.shipped()
	s.bucket.set(func(op, key string) error {
		if op == "put" && strings.Contains(key, "/seg/") {
			return fault.New(fault.Exhausted, op, "no room in the bucket")
		}
		return nil
	})
	for i := range 200 {
		s.set(fmt.Sprint("k", i), strings.Repeat(fmt.Sprint(i), 50))
		if s.ship.Status().Restarts > 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	s.until("it begins again", func(st Status) bool { return st.Restarts > 0 })
	before := s.ship.Status().Bases
	s.bucket.set(nil)
	s.set("a", "2")
	s.shipped()
	if st := s.ship.Status(); st.Bases != before+1 {
		t.Errorf("%d bases, want one more than %d", st.Bases, before)
	}
	s.stop(true)
	got, err := newCopy(t, place).restore(Target{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "after a slow bucket", got, contents(t, s.dir))
}

func TestFaultsAreFailures(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	s := newServer(t, place, t.TempDir())
	s.bucket.set(func(op, _ string) error { return fault.New(fault.Unavailable, op, "the bucket is gone") })
	s.start() // not an error: it is tried again
	s.set("a", "1")
	s.until("it fails", func(st Status) bool { return st.Failures > 0 && st.LastError == "the bucket is gone" && st.Late() })
	s.bucket.set(nil)
	s.shipped()
	if st := s.ship.Status(); st.LastError != "" || st.Base.IsZero() {
		t.Errorf("once it works again: %+v", st)
	}
}

// TestDamageIsNamed damages what was shipped in every way and restores.
func TestDamageIsNamed(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	s := newServer(t, place, t.TempDir()).start()
	s.until("there is a base", func(st Status) bool { return !st.Base.IsZero() })
	for i := range 5 {
		s.set("a", fmt.Sprint(i))
		s.shipped()
	}
	s.stop(true)
	seg := func(i int) string {
		all, err := filepath.Glob(filepath.Join(place, "gen", "*", "seg", "*"))
		if err != nil || len(all) < 5 {
			t.Fatalf("segments %q, %v", all, err)
		}
		return all[i]
	}
	change := func(i int, f func([]byte) []byte) func() {
		path := seg(i)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if after := f(bytes.Clone(before)); after == nil {
			err = os.Remove(path)
		} else {
			err = os.WriteFile(path, after, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := os.WriteFile(path, before, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	other, err := os.ReadFile(seg(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		at   int
		f    func([]byte) []byte
		want string
	}{
		{"flipped", 2, func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, "cut or damaged"},
		{"flipped header", 2, func(b []byte) []byte { b[20] ^= 1; return b }, "cut or damaged"},
		{"truncated", 4, func(b []byte) []byte { return b[:len(b)-7] }, "cut or damaged"},
		{"empty", 4, func([]byte) []byte { return []byte{} }, "cut or damaged"},
		{"foreign", 3, func([]byte) []byte { return []byte("#!/bin/sh\necho something else, and long enough to have a hash\n") }, "cut or damaged"},
		{"reordered", 2, func([]byte) []byte { return other }, "it is another object"},
		{"missing", 2, func([]byte) []byte { return nil }, "it is missing"},
	} {
		mend := change(tt.at, tt.f)
		_, err := newCopy(t, place).restore(Target{})
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), tt.want) || !strings.Contains(err.Error(), "/seg/") {
			t.Errorf("%s: %v, want %q and the name", tt.name, err, tt.want)
		}
		mend()
	}
	got, err := newCopy(t, place).restore(Target{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "mended", got, map[string]string{"a": "4"})
}

// TestStandbyFollows opens a copy again and again, and has it take over.
func TestStandbyFollows(t *testing.T) {
	t.Parallel()
	place, dir := t.TempDir(), t.TempDir()
	s := newServer(t, place, t.TempDir()).start()
	s.until("there is a base", func(st Status) bool { return !st.Base.IsZero() })
	c := openCopy(t, place, dir)
	b, err := c.Find(t.Context(), Target{})
	if err == nil {
		err = c.Base(t.Context(), b, c.to)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		at := s.set("a", fmt.Sprint(i))
		s.shipped()
		if err := c.follow(Target{}); err != nil || c.State.Revision < at {
			t.Fatalf("follows to %d, %v, want %d", c.State.Revision, err, at)
		}
		if err := c.to.Close(); err != nil {
			t.Fatal(err)
		}
		c = openCopy(t, place, dir)
	}
	claim, err := c.Claim(t.Context(), "standby", s.store.ID(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s.set("a", "too late")
	select {
	case err := <-s.fenced:
		if !strings.Contains(err.Error(), "standby has taken over") {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the old server was not told")
	}
	if !s.ship.Status().Fenced {
		t.Error("the status does not say so")
	}
	s.stop(false)
	if err := newServer(t, place, s.dir).tryStart(); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("the old server starts again: %v", err)
	}
	if err := errors.Join(c.to.Close(), c.Finish()); err != nil {
		t.Fatal(err)
	}
	next := newServer(t, place, dir).start()
	next.set("a", "of the standby")
	next.shipped()
	if st := next.ship.Status(); st.Generation != claim.Generation {
		t.Errorf("ships as %s, claimed %s", st.Generation, claim.Generation)
	}
	got, err := newCopy(t, place).restore(Target{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "after the takeover", got, map[string]string{"a": "of the standby"})
}

func TestPlaceOfAnother(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	s := newServer(t, place, t.TempDir()).start()
	s.until("there is a base", func(st Status) bool { return !st.Base.IsZero() })
	err := newServer(t, place, t.TempDir()).tryStart()
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "another store") {
		t.Errorf("another store ships to the same place: %v", err)
	}
	// A restored copy does not take the place of a server that is there.
	c := newCopy(t, place)
	if _, err := c.restore(Target{}); err != nil {
		t.Fatal(err)
	}
	again := newServer(t, place, c.Dir)
	again.cfg.Clock = func() time.Time { return time.Now().Add(-time.Second) } // it was there a moment ago
	if err := again.tryStart(); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("a copy ships to the place of its original: %v", err)
	}
	s.stop(true)
	again.cfg.Clock = func() time.Time { return time.Now().Add(time.Minute) }
	again.start()
	again.set("a", "1")
	again.shipped()
}

// TestStrayFiles: what others have put into a place neither stops a server nor a copy,
// and stays.
func TestStrayFiles(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	strays := []string{
		"epochs/README.txt", "epochs/zzz", "epochs/000000000009-ABCDEFABCDEF", "epochs/0000000000009-aaaaaaaaaaaa", "epochs/00000000000x-aaaaaaaaaaaa",
		"epochs/old/000000000009-aaaaaaaaaaaa", "gen/README.txt", "modules/README.txt", "modules/zz",
	}
	put := func(keys ...string) {
		t.Helper()
		for _, key := range keys {
			name := filepath.Join(place, filepath.FromSlash(key))
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte("a stray"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(strays...)
	s := newServer(t, place, t.TempDir())
	s.cfg.Keep, s.cfg.BaseEvery = time.Millisecond, 100*time.Millisecond // what it may remove it does
	if err := os.MkdirAll(s.cfg.Modules, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.cfg.Modules, "notes.wasm"), []byte("no module"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.set("a", "1")
	s.shipped()
	all, err := placeOf(s).generations(t.Context(), "")
	if err != nil || len(all) != 1 || all[0].epoch() != 1 {
		t.Fatalf("generations %q, %v", all, err)
	}
	put(all[0].segPrefix()+"zzz", all[0].basePrefix()+"zzz", all[0].segPrefix()+"999x")
	bases := s.ship.Status().Bases
	s.until("old bases are removed", func(st Status) bool { return st.Bases > bases+1 })
	s.set("a", "2")
	s.shipped()
	s.stop(true) // a base after each moment would take away what a restore is about to read
	c := newCopy(t, place)
	got, err := c.restore(Target{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "beside strays", got, map[string]string{"a": "2"})
	if _, err := os.Stat(filepath.Join(place, "modules", "notes")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is no module was sent: %v", err)
	}
	for _, key := range strays {
		if _, err := os.Stat(filepath.Join(place, filepath.FromSlash(key))); err != nil {
			t.Errorf("a stray is gone: %v", err)
		}
	}
}

// placeOf is where a server ships to.
func placeOf(s *server) place { return place{s.bucket} }

// TestRetention keeps what one may go back to, and no more.
func TestRetention(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	s := newServer(t, place, t.TempDir())
	s.cfg.BaseEvery, s.cfg.Keep = 100*time.Millisecond, 200*time.Millisecond
	s.start()
	for i := range 30 {
		s.set("a", fmt.Sprint(i))
		time.Sleep(30 * time.Millisecond)
	}
	s.until("there are bases", func(st Status) bool { return st.Bases >= 4 })
	s.shipped()
	s.stop(true)
	bases, _ := filepath.Glob(filepath.Join(place, "gen", "*", "base-*"))
	segments, _ := filepath.Glob(filepath.Join(place, "gen", "*", "seg", "*"))
	if uint64(len(bases)) >= s.ship.Status().Bases || uint64(len(segments)) >= s.ship.Status().Segments {
		t.Errorf("%d bases and %d segments are kept of %+v", len(bases), len(segments), s.ship.Status())
	}
	got, err := newCopy(t, place).restore(Target{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "what is kept", got, map[string]string{"a": "29"})
}

// TestClaimsThatWereNotAnswered: a claim whose answer is lost is the server's own, and
// so is the place after it has begun again.
func TestClaimsThatWereNotAnswered(t *testing.T) {
	t.Parallel()
	place, dir := t.TempDir(), t.TempDir()
	s := newServer(t, place, dir)
	first := true
	s.bucket.after = func(op, key string) error {
		if op == "put" && strings.HasPrefix(key, epochsPrefix) && first {
			first = false
			return fault.New(fault.Unavailable, op, "the answer is lost")
		}
		return nil
	}
	s.start()
	s.set("a", "1")
	s.shipped()
	s.stop(true)
	if err := Break(dir); err != nil { // what was to be kept is gone
		t.Fatal(err)
	}
	s = newServer(t, place, dir).start()
	s.set("a", "2")
	s.shipped()
	if st := s.ship.Status(); st.Restarts != 1 || st.Bases != 1 {
		t.Errorf("after what was kept is gone: %+v, want a new beginning", st)
	}
	s.stop(false)
	newServer(t, place, dir).start().shipped()
	got, err := newCopy(t, place).restore(Target{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "after a new beginning", got, map[string]string{"a": "2"})
}

// TestEncrypted: what is shipped is read with the identity, and with no other.
func TestEncrypted(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, place, t.TempDir())
	if s.cfg.Crypt, err = ToRecipients(identity.Recipient().String()); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.set("a", "in the open, this would be found")
	s.shipped()
	s.stop(true)
	if _, err := newCopy(t, place).restore(Target{}); fault.CodeOf(err) != fault.Denied || !strings.Contains(err.Error(), "--identity") {
		t.Errorf("without the identity: %v", err)
	}
	c := newCopy(t, place)
	if c.Crypt, err = ByIdentity(identity.String()); err != nil {
		t.Fatal(err)
	}
	got, err := c.restore(Target{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "with the identity", got, map[string]string{"a": "in the open, this would be found"})
	if _, err := ToRecipients("age1nobody"); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("no recipient: %v", err)
	}
}
