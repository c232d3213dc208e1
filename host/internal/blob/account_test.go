package blob

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// shop may have ten bytes that no name counts.
var shop = Account{Owner: "shop", Most: 10}

func (f *fixture) putFor(t *testing.T, by Account, text string) *Held {
	t.Helper()
	held, err := f.Put(t.Context(), by, strings.NewReader(text), 100)
	if err != nil {
		t.Fatalf("put %q: %v", text, err)
	}
	return held
}

func (f *fixture) refuses(t *testing.T, what string, by Account, text string) {
	t.Helper()
	held, err := f.Put(t.Context(), by, strings.NewReader(text), 100)
	if fault.CodeOf(err) != fault.Exhausted {
		held.Release()
		t.Errorf("%s: %v, want Exhausted", what, err)
	}
}

// TestWhatNoNameCountsIsCharged: open writers, blobs that have no name yet, and those that
// have none any more.
func TestWhatNoNameCountsIsCharged(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *fixture) {
		w, err := f.Create(shop, 100)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("123456")); err != nil {
			t.Fatal(err)
		}
		f.refuses(t, "next to an open writer", shop, "other")
		f.putFor(t, Account{Owner: "other", Most: 10}, "others").Named()
		held, err := w.Finish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f.refuses(t, "next to a blob without a name", shop, "other")
		held.Named()
		f.putFor(t, shop, "1234567890").Named()
		f.Lost(shop, 6)
		f.refuses(t, "next to one that has lost its name", shop, "other")
		select {
		case <-f.Pressed():
		default:
			t.Error("no sweep is asked for")
		}
		if s := f.Stats(); s.OpenBytes != 0 || s.LostBytes != 6 || s.PutBytes != 22 {
			t.Errorf("got %+v", s)
		}
		if _, err := f.Sweep(t.Context(), namesOf(), time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		f.refuses(t, "after a sweep that spares it", shop, "other")
		done, err := f.Keep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s := f.sweep(t); s.Removed != 0 {
			t.Fatalf("a sweep while all is kept: %+v", s)
		}
		f.forgive(time.Now().Add(2 * time.Minute))
		f.refuses(t, "after a sweep while all is kept", shop, "other")
		done()
		f.sweep(t)
		f.forgive(time.Now().Add(2 * time.Minute))
		f.putFor(t, shop, "other").Named()
		if len(f.accounts) != 0 {
			t.Errorf("accounts are kept: %v", f.accounts)
		}
	})
}

// TestWhatEndsWithoutANameIsGone at once, and is not charged for.
func TestWhatEndsWithoutANameIsGone(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *fixture) {
		for range 3 { // each would fill the account
			held := f.putFor(t, shop, "1234567890")
			again := held.Again()
			held.Drop()
			if !f.has(t, held.Digest) {
				t.Fatal("it is gone though it is held")
			}
			again.Drop()
			again.Drop()
			if f.has(t, held.Digest) {
				t.Fatal("it is there")
			}
		}
		before := f.put(t, []byte("before"))
		before.Release()
		f.putFor(t, shop, "before").Drop()
		if !f.has(t, before.Digest) {
			t.Error("what was there before is gone")
		}
		for what, end := range map[string]func(*Held){"named": (*Held).Named, "perhaps": (*Held).Release} {
			mine := f.putFor(t, Account{Owner: "large", Most: 100}, what)
			other, err := f.Hold(t.Context(), mine.Digest, mine.Size)
			if err != nil {
				t.Fatal(err)
			}
			end(other)
			mine.Drop()
			if !f.has(t, mine.Digest) {
				t.Errorf("what another has %s is gone", what)
			}
		}
		if s := f.Stats(); s.OpenBytes != 0 || s.LostBytes != int64(len("perhaps")) {
			t.Errorf("got %+v", s)
		}
	})
}

func TestAPlaceThatFailsKeepsTheCharge(t *testing.T) {
	t.Parallel()
	f := open(t, &pausing{Bucket: folderBucket(t), fails: fault.New(fault.Unavailable, "put", "no answer")})
	if _, err := f.Put(t.Context(), shop, strings.NewReader("123456"), 100); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("put: %v", err)
	}
	if s := f.Stats(); s.LostBytes != 6 || s.OpenBytes != 0 || s.Failures != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestAFolderOnAFullDisk(t *testing.T) {
	t.Parallel()
	f := open(t, folderBucket(t))
	f.cfg.MinFree, f.Store.free = 100, func(string) (int64, error) { return 105, nil }
	f.refuses(t, "a blob that leaves too little", shop, "123456")
	f.putFor(t, shop, "12345").Named()
	if n, s := f.unbornFiles(t), f.Stats(); n != 0 || s.OpenBytes != 0 {
		t.Errorf("%d files are left, %+v", n, s)
	}
}

func folderBucket(t *testing.T) bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pausing is a bucket that has what deletes wait, and puts fail.
type pausing struct {
	bucket.Bucket
	began, goOn chan struct{} // of a delete; nil = it does not wait
	fails       error
}

func (p *pausing) Delete(ctx context.Context, key string) error {
	if p.began != nil {
		close(p.began)
		<-p.goOn
	}
	return p.Bucket.Delete(ctx, key)
}

func (p *pausing) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	if p.fails != nil {
		return p.fails
	}
	return p.Bucket.Put(ctx, key, r, size)
}

// TestAPutThatMeetsARemoval waits for it, and has the bytes there after it: of a sweep,
// and of the end of a request that has given no name.
func TestAPutThatMeetsARemoval(t *testing.T) {
	t.Parallel()
	for name, removing := range map[string]func(*fixture, *Held){
		"sweep": func(f *fixture, old *Held) {
			old.Release()
			if s := f.sweep(t); s.Removed != 1 {
				t.Errorf("got %+v", s)
			}
		},
		"drop": func(_ *fixture, old *Held) { old.Drop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &pausing{Bucket: folderBucket(t), began: make(chan struct{}), goOn: make(chan struct{})}
			f := open(t, b)
			old := f.putFor(t, shop, "same")
			var both sync.WaitGroup
			both.Go(func() { removing(f, old) })
			<-b.began
			put := make(chan *Held, 1)
			both.Go(func() { put <- f.putFor(t, shop, "same") })
			if !f.has(t, old.Digest) {
				t.Error("it is gone before it is removed")
			}
			close(b.goOn)
			both.Wait()
			(<-put).Named()
			if !f.has(t, old.Digest) {
				t.Error("a blob that has a name is missing")
			}
		})
	}
}
