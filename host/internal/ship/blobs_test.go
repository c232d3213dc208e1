package ship

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/cargo"
	"github.com/wasmoor/wasmoor/host/internal/blob/names"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

func blobsIn(t *testing.T, dir string) *blob.Store {
	t.Helper()
	s, err := blob.OpenStore(blob.Config{Dir: filepath.Join(dir, "blobs")})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keep puts a blob without a name.
func (s *server) keep(text string) {
	s.Helper()
	held, err := s.cfg.Blobs.Put(s.Context(), blob.Account{}, strings.NewReader(text), 1<<20)
	if err != nil {
		s.Fatal(err)
	}
	held.Release()
}

// name gives bytes a name, or takes it.
func (s *server) name(name, text string, take bool) store.Revision {
	s.Helper()
	snap, err := s.store.Snapshot()
	if err != nil {
		s.Fatal(err)
	}
	tx := store.Begin(snap, 1, store.Quota{}, time.Now())
	defer tx.Close()
	part := names.Part(tx, 1)
	if take {
		_, _, err = names.Delete(part, []byte(name))
	} else {
		_, _, err = names.Put(part, []byte(name), &names.Record{Digest: sha256.Sum256([]byte(text)), Size: int64(len(text))}, names.Quota{Count: 100, Bytes: 1 << 20})
	}
	if err != nil {
		s.Fatal(err)
	}
	r, err := s.store.Commit(s.Context(), tx.Effects())
	if err != nil {
		s.Fatal(err)
	}
	return r
}

// brought restores up to a target and returns which of some blobs have come, and how many
// that are named have not.
func brought(t *testing.T, place string, crypt Crypt, target Target, texts ...string) (got []string, missing int64) {
	t.Helper()
	c := newCopy(t, place)
	c.Crypt = crypt
	c.Blobs = blobsIn(t, c.Dir)
	b, err := c.Find(t.Context(), target)
	if err == nil {
		err = c.Base(t.Context(), b, c.to)
	}
	if err == nil {
		err = c.follow(target)
	}
	if err == nil {
		missing, err = cargo.Missing(t.Context(), c.to, c.Blobs)
	}
	if err = errors.Join(err, c.to.Close()); err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		r, err := c.Blobs.Open(t.Context(), sha256.Sum256([]byte(text)), 0, -1)
		if fault.CodeOf(err) == fault.NotFound {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil || string(data) != text {
			t.Errorf("%q has come as %q, %v", text, data, err)
		}
		got = append(got, text)
	}
	return got, missing
}

// TestBlobsAreThereBeforeTheirNames: in a base, in a segment, encrypted too; a name whose
// bytes come later, as those of an import do, is made whole; what has no bytes is counted.
func TestBlobsAreThereBeforeTheirNames(t *testing.T) {
	t.Parallel()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	sealed := Crypt{
		Seal: func(w io.Writer) (io.WriteCloser, error) { return age.Encrypt(w, id.Recipient()) },
		Open: func(r io.Reader) (io.Reader, error) { return age.Decrypt(r, id) },
	}
	for _, crypt := range []Crypt{{}, sealed} {
		place, dir := t.TempDir(), t.TempDir()
		s := newServer(t, place, dir)
		s.cfg.Blobs, s.cfg.Crypt = blobsIn(t, dir), crypt
		s.start()
		s.keep("first")
		s.name("a", "first", false)
		s.shipped()
		s.keep("second")
		s.bucket.set(func(op, key string) error {
			if op == "put" && strings.HasPrefix(key, blobsPrefix) {
				return fault.New(fault.Unavailable, op, "gone")
			}
			return nil
		})
		s.name("b", "second", false)
		s.until("it fails", func(st Status) bool { return st.LastError != "" })
		if got, missing := brought(t, place, crypt, Target{}, "first", "second"); len(got) != 1 || missing != 0 {
			t.Errorf("a name has come before its bytes: %q, %d missing", got, missing)
		}
		s.bucket.set(nil)
		s.name("c", "later", false)
		s.shipped()
		if got, missing := brought(t, place, crypt, Target{}, "first", "second", "later"); len(got) != 2 || missing != 1 {
			t.Errorf("%q have come, %d missing", got, missing)
		}
		s.keep("later")
		s.set("x", "1")
		s.shipped()
		if got, missing := brought(t, place, crypt, Target{}, "first", "second", "later"); len(got) != 3 || missing != 0 {
			t.Errorf("%q have come, %d missing", got, missing)
		}
		err := filepath.WalkDir(filepath.Join(place, "blobs"), func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			if data, err := os.ReadFile(path); err != nil || bytes.Contains(data, []byte("first")) && crypt.Seal != nil {
				t.Errorf("%s is plain, %v", path, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		s.stop(true)
	}
}

// TestBlobsStayAsLongAsABaseNamesThem, and no longer.
func TestBlobsStayAsLongAsABaseNamesThem(t *testing.T) {
	t.Parallel()
	place, dir := t.TempDir(), t.TempDir()
	s := newServer(t, place, dir)
	s.cfg.Blobs = blobsIn(t, dir)
	s.start()
	s.set("x", "1")
	s.shipped()
	s.keep("old")
	s.keep("kept")
	at := s.name("a", "old", false)
	s.name("b", "kept", false)
	s.shipped()
	s.name("a", "", true)
	s.shipped()
	s.keep("kept")
	digest := blob.Digest(sha256.Sum256([]byte("old")))
	if err := os.Remove(filepath.Join(dir, "blobs", digest.String()[:2], digest.String())); err != nil {
		t.Fatal(err)
	}
	retain := func(first time.Time) []string {
		t.Helper()
		if err := s.ship.retainBlobs(t.Context(), Base{Generation: s.ship.Status().Generation, Time: first}, nil); err != nil {
			t.Fatal(err)
		}
		got, _ := brought(t, place, Crypt{}, Target{Revision: at}, "old")
		return got
	}
	for range 2 { // marked; and the mark is young
		if got := retain(time.Now()); len(got) != 1 {
			t.Errorf("%q have come", got)
		}
	}
	if got := retain(time.Now().Add(2 * goneFor)); len(got) != 0 {
		t.Errorf("nobody goes back to %q", got)
	}
	s.keep("old") // and comes back
	s.name("a", "old", false)
	s.shipped()
	if got, missing := brought(t, place, Crypt{}, Target{}, "old", "kept"); len(got) != 2 || missing != 0 {
		t.Errorf("%q have come, %d missing", got, missing)
	}
	s.stop(true)
}

// TestAMarkEndsWithANewName: of a blob that comes and goes between two looks the time of
// its first going counts no more.
func TestAMarkEndsWithANewName(t *testing.T) {
	t.Parallel()
	place, dir := t.TempDir(), t.TempDir()
	s := newServer(t, place, dir)
	s.cfg.Blobs = blobsIn(t, dir)
	s.start()
	s.set("x", "1")
	s.shipped()
	var at store.Revision
	comeAndGo := func() {
		t.Helper()
		s.keep("old")
		at = s.name("a", "old", false)
		s.shipped()
		s.name("a", "", true)
		s.shipped()
		digest := blob.Digest(sha256.Sum256([]byte("old")))
		if err := os.Remove(filepath.Join(dir, "blobs", digest.String()[:2], digest.String())); err != nil {
			t.Fatal(err)
		}
	}
	look := func() []string {
		t.Helper()
		if err := s.ship.retainBlobs(t.Context(), Base{Generation: s.ship.Status().Generation, Time: time.Now().Add(2 * goneFor)}, nil); err != nil {
			t.Fatal(err)
		}
		got, _ := brought(t, place, Crypt{}, Target{Revision: at}, "old")
		return got
	}
	comeAndGo()
	if got := look(); len(got) != 1 { // is marked
		t.Fatalf("%q have come", got)
	}
	s.stop(true)
	s.start() // knows the marks of the run before
	comeAndGo()
	if got := look(); len(got) != 1 {
		t.Errorf("%q have come: the mark of the first going has counted", got)
	}
	if got := look(); len(got) != 0 {
		t.Errorf("nobody goes back to %q", got)
	}
	s.stop(true)
}

// TestWhatABaseNamesStays though the server has lost its bytes, as with a folder that is
// not mounted: what was shipped is the last copy.
func TestWhatABaseNamesStays(t *testing.T) {
	t.Parallel()
	place, dir := t.TempDir(), t.TempDir()
	s := newServer(t, place, dir)
	var ahead atomic.Int64
	s.cfg.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	s.cfg.Blobs = blobsIn(t, dir)
	s.start()
	s.keep("kept")
	s.name("a", "kept", false)
	s.shipped()
	s.until("there is a base", func(st Status) bool { return st.Bases > 0 })
	if err := os.RemoveAll(filepath.Join(dir, "blobs")); err != nil {
		t.Fatal(err)
	}
	for range 4 { // each looks at the blobs after the one before has
		ahead.Add(int64(3 * s.cfg.Keep))
		bases := s.ship.Status().Bases
		s.until("there is another base", func(st Status) bool { return st.Bases > bases })
	}
	if got, missing := brought(t, place, Crypt{}, Target{}, "kept"); len(got) != 1 || missing != 0 {
		t.Errorf("%q have come, %d missing", got, missing)
	}
	s.stop(true)
}

// TestABaseKeepsItsBlobs until their bytes are there.
func TestABaseKeepsItsBlobs(t *testing.T) {
	t.Parallel()
	place, dir := t.TempDir(), t.TempDir()
	s := newServer(t, place, dir)
	s.start()
	at := s.name("a", "swept", false)
	s.shipped()
	s.stop(true)
	s.cfg.Blobs, s.cfg.BaseEvery = blobsIn(t, dir), time.Millisecond
	s.keep("swept")
	s.bucket.set(func(op, key string) error {
		if op == "put" && strings.HasPrefix(key, blobsPrefix) {
			return fault.New(fault.Unavailable, op, "gone")
		}
		return nil
	})
	s.start()
	s.until("the base does not get further", func(st Status) bool { return st.LastError != "" })
	s.name("a", "", true)
	swept, err := s.cfg.Blobs.Sweep(t.Context(), func(func(blob.Digest, error) bool) {}, time.Now().Add(time.Hour))
	if err != nil || swept.Removed != 0 {
		t.Errorf("a sweep has taken what a base needs: %+v, %v", swept, err)
	}
	s.bucket.set(nil)
	s.until("the base is there", func(st Status) bool { return st.Bases > 0 })
	if got, missing := brought(t, place, Crypt{}, Target{Revision: at}, "swept"); len(got) != 1 || missing != 0 {
		t.Errorf("%q have come, %d missing", got, missing)
	}
	s.stop(true)
}
