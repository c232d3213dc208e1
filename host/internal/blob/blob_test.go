package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func TestMain(m *testing.M) {
	_ = os.Setenv("AWS_ACCESS_KEY_ID", "id")
	_ = os.Setenv("AWS_SECRET_ACCESS_KEY", "hidden")
	os.Exit(m.Run())
}

// fixture is a store, and its bucket, which can be made to fail.
type fixture struct {
	*Store
	dir     string
	failing atomic.Bool
}

// both runs a test with blobs in a folder and in S3.
func both(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		test(t, open(t, nil))
	})
	t.Run("s3", func(t *testing.T) {
		t.Parallel()
		f := &fixture{}
		f.open(t, service(t, &f.failing))
		test(t, f)
	})
}

func open(t *testing.T, b bucket.Bucket) *fixture {
	f := &fixture{}
	f.open(t, b)
	return f
}

func (f *fixture) open(t *testing.T, b bucket.Bucket) {
	t.Helper()
	f.dir = filepath.Join(t.TempDir(), "blobs")
	var err error
	if f.Store, err = OpenStore(Config{Dir: f.dir, Bucket: b}); err != nil {
		t.Fatal(err)
	}
}

// service is something like S3 that answers 500 while it fails.
func service(t *testing.T, failing *atomic.Bool) bucket.Bucket {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	next := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if failing.Load() {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusForbidden) // is not tried again
			return
		}
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	b, err := bucket.Open("s3://bucket/blobs?region=us-east-1&endpoint=" + url.QueryEscape(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (f *fixture) put(t *testing.T, data []byte) *Held {
	t.Helper()
	held, err := f.Put(t.Context(), Account{}, iotest.HalfReader(bytes.NewReader(data)), int64(len(data)))
	if err != nil {
		t.Fatalf("put: %v", err)
	}
	if want := Digest(sha256.Sum256(data)); held.Digest != want || held.Size != int64(len(data)) {
		t.Fatalf("held %s of %d bytes, want %s of %d", held.Digest, held.Size, want, len(data))
	}
	return held
}

func (f *fixture) read(ctx context.Context, d Digest, offset, length int64) ([]byte, error) {
	r, err := f.Open(ctx, d, offset, length)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func (f *fixture) has(t *testing.T, d Digest) bool {
	t.Helper()
	there, err := f.Store.Has(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return there
}

// unborn is how many files are still written.
func (f *fixture) unbornFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir(f.Store.unborn)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func namesOf(list ...*Held) iter.Seq2[Digest, error] {
	return func(yield func(Digest, error) bool) {
		for _, h := range list {
			if !yield(h.Digest, nil) {
				return
			}
		}
	}
}

// sweep sweeps as if all were old.
func (f *fixture) sweep(t *testing.T, named ...*Held) Swept {
	t.Helper()
	swept, err := f.Sweep(t.Context(), namesOf(named...), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return swept
}

func random(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(data)
	return data
}

func TestWhatIsPutIsThere(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *fixture) {
		for _, n := range []int{0, 1, 100, 300_000} {
			data := random(n)
			held := f.put(t, data)
			f.put(t, data).Release() // again
			for _, r := range [][2]int64{{0, -1}, {0, 10}, {50, 20}, {99, 5}, {int64(n), -1}} {
				want := data[min(r[0], int64(n)):]
				if r[1] >= 0 {
					want = want[:min(r[1], int64(len(want)))]
				}
				if got, err := f.read(t.Context(), held.Digest, r[0], r[1]); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes, range %v: got %d, %v", n, r, len(got), err)
				}
			}
			held.Release()
		}
		if _, err := f.read(t.Context(), Digest{1}, 0, -1); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("what is not there: %v", err)
		}
		if n := f.unbornFiles(t); n != 0 {
			t.Errorf("%d files are left", n)
		}
	})
}

// TestADamagedSizeHeals when the same is put again.
func TestADamagedSizeHeals(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *fixture) {
		for _, data := range []string{"", "1", "whole"} {
			held := f.put(t, []byte(data))
			for _, damaged := range []string{"who", "whole and more"} {
				if err := f.bucket.Put(t.Context(), held.Digest.key(), strings.NewReader(damaged), int64(len(damaged))); err != nil {
					t.Fatal(err)
				}
				f.put(t, []byte(data)).Release()
				if got, err := f.read(t.Context(), held.Digest, 0, -1); err != nil || string(got) != data {
					t.Errorf("%q in place of %q: %q, %v", damaged, data, got, err)
				}
			}
			held.Release()
		}
	})
}

// TestNothingIsLeftOfAFailure: of too many bytes, a reader that fails, an abort.
func TestNothingIsLeftOfAFailure(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *fixture) {
		if _, err := f.Put(t.Context(), Account{}, bytes.NewReader(random(11)), 10); fault.CodeOf(err) != fault.TooLarge {
			t.Errorf("too much: %v", err)
		}
		broken := errors.New("broken")
		if _, err := f.Put(t.Context(), Account{}, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), 10); !errors.Is(err, broken) {
			t.Errorf("a reader that fails: %v", err)
		}
		w, err := f.Create(Account{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("half"))
		w.Abort()
		w.Abort()
		if _, err := w.Write([]byte("more")); err == nil {
			t.Error("a writer that has ended writes")
		}
		if _, err := w.Finish(t.Context()); err == nil {
			t.Error("a writer that was aborted finishes")
		}
		over, err := f.Create(Account{}, 3)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = over.Write([]byte("four"))
		if _, err := over.Finish(t.Context()); fault.CodeOf(err) != fault.TooLarge {
			t.Errorf("a writer that wrote too much finishes: %v", err)
		}
		if n, s := f.unbornFiles(t), f.sweep(t); n != 0 || s.Blobs+s.Removed != 0 {
			t.Errorf("%d files are left, and %+v", n, s)
		}
	})
}

func TestASweepTakesWhatNobodyHas(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *fixture) {
		named, held, other := f.put(t, []byte("named")), f.put(t, []byte("held")), f.put(t, []byte("other!"))
		named.Release()
		other.Release()
		other.Release() // is no second one
		if s, err := f.Sweep(t.Context(), namesOf(named), time.Now().Add(-time.Hour)); err != nil || s.Removed != 0 || s.Unnamed != 2 || s.Bytes != 15 {
			t.Errorf("what is young: %+v, %v", s, err)
		}
		again := held.Again()
		held.Release()
		if s := f.sweep(t, named); s != (Swept{Blobs: 2, Bytes: 9, Unnamed: 1, UnnamedBytes: 4, Removed: 1, RemovedBytes: 6}) {
			t.Errorf("got %+v", s)
		}
		if !f.has(t, named.Digest) || !f.has(t, held.Digest) || f.has(t, other.Digest) {
			t.Error("it took the wrong ones")
		}
		again.Release()
		if s := f.sweep(t); s.Removed != 2 || s.Blobs != 0 {
			t.Errorf("when all have let go: %+v", s)
		}
		if s := f.sweep(t, named); s.Missing != 1 {
			t.Errorf("one that is missing: %+v", s)
		}
		if len(f.held)+len(f.deleting) != 0 || f.touched != nil {
			t.Error("something is kept of what is over")
		}
	})
}

// TestASweepSparesWhatIsNamedMeanwhile: a blob that had no name when the names were read,
// was held and let go.
func TestASweepSparesWhatIsNamedMeanwhile(t *testing.T) {
	t.Parallel()
	f := open(t, nil)
	data := []byte("old")
	old := f.put(t, data)
	old.Release()
	meanwhile := func(yield func(Digest, error) bool) { f.put(t, data).Release() }
	if s, err := f.Sweep(t.Context(), meanwhile, time.Now().Add(time.Hour)); err != nil || s.Removed != 0 || !f.has(t, old.Digest) {
		t.Errorf("got %+v, %v", s, err)
	}
	broken := errors.New("broken")
	failing := func(yield func(Digest, error) bool) { yield(Digest{}, broken) }
	if s, err := f.Sweep(t.Context(), failing, time.Now().Add(time.Hour)); !errors.Is(err, broken) || s.Removed != 0 || !f.has(t, old.Digest) {
		t.Errorf("names that cannot be read: %+v, %v", s, err)
	}
}

// TestPutsAndSweepsAtOnce: whoever holds a blob can read it, whatever is swept.
func TestPutsAndSweepsAtOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithCancel(t.Context())
		var writers, sweeper sync.WaitGroup
		sweeper.Go(func() {
			for ctx.Err() == nil {
				if _, err := f.Sweep(ctx, namesOf(), time.Now().Add(time.Hour)); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
		for range 4 {
			writers.Go(func() {
				for i := range 60 {
					data := fmt.Appendf(nil, "blob %d", i%3)
					held, err := f.Put(t.Context(), Account{}, bytes.NewReader(data), 100)
					if err != nil {
						t.Error(err)
						return
					}
					if got, err := f.read(t.Context(), held.Digest, 0, -1); err != nil || !bytes.Equal(got, data) {
						t.Errorf("got %q, %v", got, err)
					}
					held.Release()
				}
			})
		}
		writers.Wait()
		cancel()
		sweeper.Wait()
		if s := f.sweep(t); s.Blobs != 0 {
			t.Errorf("%d are left", s.Blobs)
		}
	})
}

func TestAStartRemovesWhatWasWritten(t *testing.T) {
	t.Parallel()
	f := open(t, nil)
	held := f.put(t, []byte("whole"))
	w, err := f.Create(Account{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte("half"))
	_ = w.file.Close() // killed
	next, err := OpenStore(Config{Dir: f.dir})
	if err != nil {
		t.Fatal(err)
	}
	f.Store = next
	if !f.has(t, held.Digest) || f.unbornFiles(t) != 0 {
		t.Error("the wrong files are there")
	}
}

func TestAServiceThatFails(t *testing.T) {
	t.Parallel()
	f := &fixture{}
	f.open(t, service(t, &f.failing))
	f.failing.Store(true)
	if _, err := f.Put(t.Context(), Account{}, strings.NewReader("text"), 10); fault.CodeOf(err) != fault.Denied {
		t.Errorf("put: %v", err)
	}
	if _, err := f.Sweep(t.Context(), namesOf(), time.Now()); fault.CodeOf(err) != fault.Denied {
		t.Errorf("sweep: %v", err)
	}
	f.failing.Store(false)
	if n, s := f.unbornFiles(t), f.sweep(t); n+int(s.Blobs) != 0 || len(f.held) != 0 {
		t.Errorf("%d files and %d blobs are left", n, s.Blobs)
	}
}

func TestAFullDisk(t *testing.T) {
	t.Parallel()
	full := false
	f := open(t, nil)
	f.cfg.Health = func() error {
		if full {
			return fault.New(fault.Exhausted, "write", "the disk is nearly full")
		}
		return nil
	}
	w, err := f.Create(Account{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	full = true
	if _, err := w.Write([]byte("more")); fault.CodeOf(err) != fault.Exhausted {
		t.Errorf("write: %v", err)
	}
	if _, err := w.Finish(t.Context()); fault.CodeOf(err) != fault.Exhausted {
		t.Errorf("finish: %v", err)
	}
	if _, err := f.Create(Account{}, 100); fault.CodeOf(err) != fault.Exhausted {
		t.Errorf("create: %v", err)
	}
	if n := f.unbornFiles(t); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// TestAnotherFolder than that of what is being written.
func TestAnotherFolder(t *testing.T) {
	t.Parallel()
	b, err := bucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, b)
	held := f.put(t, []byte("text"))
	if got, err := f.read(t.Context(), held.Digest, 0, -1); err != nil || string(got) != "text" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestAdopt: the bytes of a file become a blob, which stays when the file's name goes.
func TestAdopt(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		data := []byte("adopted")
		d := Digest(sha256.Sum256(data))
		path := filepath.Join(filepath.Dir(f.dir), "spooled")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = file.Close() }()
		for range 2 { // the second time it is there
			held, err := f.Adopt(t.Context(), Account{}, file, d, int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			held.Release()
		}
		before, err := os.Stat(path)
		if err != nil {
			t.Fatalf("the file has lost its name: %v", err)
		}
		if kept, err := os.Stat(filepath.Join(f.dir, d.key())); err == nil && !os.SameFile(before, kept) {
			t.Error("it was copied")
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if got, err := f.read(t.Context(), d, 0, -1); string(got) != string(data) || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// TestWhoKeepsAllLosesNone, named or not, until done.
func TestWhoKeepsAllLosesNone(t *testing.T) {
	t.Parallel()
	f := open(t, nil)
	f.put(t, []byte("unnamed")).Release()
	done, err := f.Keep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s := f.sweep(t); s.Removed != 0 || s.Unnamed != 1 {
		t.Errorf("while somebody keeps all: %+v", s)
	}
	done()
	done() // is no second one
	if s := f.sweep(t); s.Removed != 1 {
		t.Errorf("afterwards: %+v", s)
	}
}
