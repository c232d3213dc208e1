package badger

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// stillTiny is tiny without compactions: a test's damage would stop them for good.
func stillTiny(o *badger.Options) {
	tiny(o)
	o.NumCompactors = 0
}

// image is a store as a crash leaves it, with tables and a log, and what is in it.
type image struct {
	dir  string
	want map[string]string
}

func makeImage(t *testing.T) image {
	t.Helper()
	im := image{want: make(map[string]string)}
	s := open(t, Config{tune: tiny})
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 1200 {
		key, gone := fmt.Sprintf("k%d", rng.IntN(400)), fmt.Sprintf("k%d", rng.IntN(400))
		value := fmt.Sprintf("%d-", n) + randomText(rng, 10+rng.IntN(3000))
		err := transact(s, func(tx *store.Tx) error {
			if err := tx.Set([]byte(key), []byte(value), 0); err != nil || gone == key {
				return err
			}
			return tx.Delete([]byte(gone))
		})
		if err != nil {
			t.Fatal(err)
		}
		im.want[key] = value
		if gone != key {
			delete(im.want, gone)
		}
	}
	time.Sleep(200 * time.Millisecond) // for flushes and compactions to end
	im.dir = copyStore(t, s.dir)
	closeStore(t, s)
	return im
}

func randomText(rng *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + rng.IntN(26))
	}
	return string(b)
}

// harm is a way to damage a file.
type harm struct {
	name string
	do   func(b []byte) []byte // nil: delete it
}

func harms(rng *rand.Rand, size, flips int) []harm {
	all := []harm{
		{"deleted", nil},
		{"cut by one byte", func(b []byte) []byte { return b[:max(0, len(b)-1)] }},
		{"cut in half", func(b []byte) []byte { return b[:len(b)/2] }},
		{"cut to nothing", func([]byte) []byte { return nil }},
		{"with garbage behind", func(b []byte) []byte { return append(b, "garbage that nobody wrote"...) }},
		{"with its middle zero", func(b []byte) []byte {
			clear(b[len(b)/3 : len(b)/3+min(len(b)/3, 600)])
			return b
		}},
	}
	for i := range flips {
		at := rng.IntN(max(size, 1))
		switch i { // the ends, which hold what is needed to read the rest
		case 0, 1, 2, 3:
			at = max(0, size-1-i*i*5)
		case 4, 5:
			at = max(0, min(size-1, (i-4)*9))
		}
		bit := byte(1) << rng.IntN(8)
		all = append(all, harm{fmt.Sprintf("with bit %#02x of byte %d of %d flipped", bit, at, size), func(b []byte) []byte {
			if len(b) > at {
				b[at] ^= bit
			}
			return b
		}})
	}
	return all
}

// TestDamage damages each file of a store in many ways. Either the start refuses
// and names a file, or each read gives the right value or an error: never a
// wrong value, a key that is not found, a deleted one, or a list that ends early.
func TestDamage(t *testing.T) {
	im := makeImage(t)
	entries, err := os.ReadDir(im.dir)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	refused, served := 0, 0
	for _, e := range entries {
		if e.Name() == "LOCK" {
			continue
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range harms(rng, int(info.Size()), often(8, 200)) {
			what := e.Name() + " " + h.name
			dir := copyStore(t, im.dir)
			if err := inflict(filepath.Join(dir, e.Name()), h); err != nil {
				t.Fatal(err)
			}
			s, err := Open(Config{Dir: dir, Reserve: -1, ScrubEvery: -1, tune: stillTiny})
			if err != nil {
				refused++
				if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), ".") || strings.Contains(err.Error(), "goroutine") {
					t.Errorf("%s: refused with %v", what, err)
				}
			} else {
				served++
				if _, wrong := im.check(t, s); len(wrong) > 0 {
					t.Errorf("%s: %q", what, wrong)
				}
				closeStore(t, s)
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d refused, %d served", refused, served)
}

// inflict damages a file in place: a process may have mapped it.
func inflict(path string, h harm) error {
	if h.do == nil {
		return os.Remove(path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	b = h.do(b)
	_, err = f.WriteAt(b, 0)
	return errors.Join(err, f.Truncate(int64(len(b))), f.Close())
}

// check reads everything. It returns how many reads failed, and what was wrong.
func (im image) check(t *testing.T, s *Store) (failed int, wrong []string) {
	t.Helper()
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	for i := range 400 {
		key := fmt.Sprintf("k%d", i)
		v, ok, err := snap.Get(1, []byte(key))
		want, there := im.want[key]
		switch {
		case err != nil:
			failed++
			wantCode(t, "get", err, fault.Internal)
		case ok != there || string(v.Data) != want:
			wrong = append(wrong, fmt.Sprintf("%s: got %.12q, %v, want %.12q, %v", key, v.Data, ok, want, there))
		}
	}
	for _, reverse := range []bool{false, true} {
		got := make(map[string]string)
		err := snap.Scan(1, nil, nil, reverse, func(key []byte, v store.Value) bool {
			got[string(key)] = string(v.Data)
			return true
		})
		switch {
		case err != nil:
			failed++
			wantCode(t, "scan", err, fault.Internal)
		case !maps.Equal(got, im.want):
			wrong = append(wrong, fmt.Sprintf("a scan gives %d keys that differ from the %d there are", len(got), len(im.want)))
		}
	}
	return failed, wrong
}

// TestDamageWhileServing damages tables under a running store. Reads of it fail.
// A flip in the few bytes that hold a block's checksum may pass the count of bad
// blocks by; then the watch, which sees that the file changed, notices it.
func TestDamageWhileServing(t *testing.T) {
	im := makeImage(t)
	tables, err := filepath.Glob(filepath.Join(im.dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables %v, %v", tables, err)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	noticed, late := 0, 0
	for round := range often(25, 1000) {
		dir := copyStore(t, im.dir)
		s, err := Open(Config{Dir: dir, Reserve: -1, ScrubEvery: -1, tune: stillTiny})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.Base(tables[round%len(tables)]))
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		st, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		at := rng.Int64N(st.Size() * 9 / 10) // blocks; what follows is the watch's
		b := make([]byte, 1)
		_, err = f.ReadAt(b, at)
		b[0] ^= 1 << rng.IntN(8)
		if err == nil {
			_, err = f.WriteAt(b, at)
		}
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
		failed, wrong := im.check(t, s)
		if len(wrong) > 0 {
			late++
			t.Logf("round %d, %s at %d: %q", round, filepath.Base(path), at, wrong)
			waitFor(t, "the watch to notice", func() bool { return s.Health() != nil })
		}
		if failed > 0 {
			noticed++
			wantCode(t, "Health after a damaged read", s.Health(), fault.Unavailable)
			wantCode(t, "set after a damaged read", set(s, "new", "v"), fault.Unavailable)
		}
		closeStore(t, s)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of the rounds met the damage, %d noticed it late", noticed, late)
	if noticed == 0 || late > max(1, noticed/100) {
		t.Error("too few rounds met the damage, or too many late")
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
