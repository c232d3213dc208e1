package badger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/reading"
	"github.com/wasmoor/wasmoor/host/internal/store/certify"
)

// onDisk returns how many live Badger keys start with kind.
func onDisk(t *testing.T, s *Store, kind byte) (n int) {
	t.Helper()
	err := s.janitor.read(func(txn *badger.Txn) error {
		return reading.Between(txn, []byte{kind}, []byte{kind + 1}).Run(false, func(*badger.Item) bool {
			n++
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func wantCounts(t *testing.T, s *Store, data, tails, expiries int) {
	t.Helper()
	got := [3]int{onDisk(t, s, layout.KindData), onDisk(t, s, layout.KindTail), onDisk(t, s, layout.KindExpiry)}
	if want := [3]int{data, tails, expiries}; got != want {
		t.Fatalf("%v keys, tails and expiry entries on disk, want %v", got, want)
	}
}

// still stops the background work, so that the test does it.
func still(t *testing.T, cfg Config) *Store {
	t.Helper()
	s := open(t, cfg)
	s.janitor.stop()
	return s
}

func setTTL(s *Store, clock *manual, space store.Space, key string, data []byte, ttl time.Duration) error {
	snap, err := s.Snapshot()
	if err != nil {
		return err
	}
	tx := store.Begin(snap, space, store.Quota{}, clock.now())
	defer tx.Close()
	if err := tx.Set([]byte(key), data, ttl); err != nil {
		return err
	}
	_, err = s.Commit(context.Background(), tx.Effects())
	return err
}

func TestSweepExpired(t *testing.T) {
	clock := newManual()
	s := still(t, Config{Clock: clock.now})
	large := make([]byte, store.MaxValue)
	spaces := []store.Space{1, 2, store.Space(1).In(store.AreaQueue)}
	for i := range 30 {
		wantCode(t, "set", setTTL(s, clock, spaces[i%3], fmt.Sprintf("k%d", i), []byte("value"), time.Duration(1+i%2)*time.Second), "")
	}
	wantCode(t, "set", setTTL(s, clock, 1, "large", large, time.Second), "")
	wantCode(t, "set", setTTL(s, clock, 1, "ever", large, 0), "")
	wantCounts(t, s, 32, 2, 31)
	// Overwriting moves the entry in the index, or takes it away.
	wantCode(t, "set", setTTL(s, clock, 1, "k0", []byte("value"), 0), "")
	wantCode(t, "set", setTTL(s, clock, 2, "k1", []byte("value"), time.Hour), "")
	wantCounts(t, s, 32, 2, 30)

	sweep := func() {
		t.Helper()
		if err := s.janitor.expired(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	sweep()
	wantCounts(t, s, 32, 2, 30)
	clock.advance(time.Second)
	sweep() // 14 small ones and the large one
	wantCounts(t, s, 17, 1, 15)
	clock.advance(time.Second)
	sweep()
	wantCounts(t, s, 3, 1, 1)
	want := []store.Usage{{Keys: 2, Bytes: int64(len("ever"+"k0"+"value")) + store.MaxValue}, {Keys: 1, Bytes: 7}, {}}
	for i, want := range want {
		if got, err := s.Usage(spaces[i]); err != nil || got != want {
			t.Errorf("space %#x: %+v, %v; want %+v", uint64(spaces[i]), got, err, want)
		}
	}
}

// TestSweepLosesAgainstASet sets a key between the moments when the sweep finds
// it expired and when its deletion is decided.
func TestSweepLosesAgainstASet(t *testing.T) {
	clock := newManual()
	s := still(t, Config{Clock: clock.now})
	for _, key := range []string{"renewed", "kept", "same", "gone", "deleted"} {
		wantCode(t, "set", setTTL(s, clock, 1, key, []byte("old"), time.Second), "")
	}
	clock.advance(time.Second)
	found, err := s.janitor.findExpired(clock.now().UnixMilli())
	if err != nil || len(found[1]) != 5 {
		t.Fatalf("found %v, %v", found, err)
	}
	wantCode(t, "set", setTTL(s, clock, 1, "renewed", []byte("new"), time.Second), "")
	wantCode(t, "set", setTTL(s, clock, 1, "kept", []byte("new"), 0), "")
	wantCode(t, "delete", transact(s, func(tx *store.Tx) error { return tx.Delete([]byte("deleted")) }), "")
	if err := s.janitor.submit(certify.SweepExpired, 1, found[1]); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"renewed": "new", "kept": "new", "gone": "", "deleted": ""} {
		if got, _ := get(t, s, key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	wantCounts(t, s, 2, 0, 1)
	if u, _ := s.Usage(1); u.Keys != 2 {
		t.Errorf("usage %+v", u)
	}
}

// TestSweepDropped sweeps a dropped space in steps, begun by one process and
// finished by the next.
func TestSweepDropped(t *testing.T) {
	clock := newManual()
	dir := t.TempDir()
	s := still(t, Config{Dir: dir, Clock: clock.now})
	wantCode(t, "set", setTTL(s, clock, 2, "kept", []byte("v"), time.Hour), "")
	const keys = sweepStep + 10
	wantCode(t, "set", transact(s, func(tx *store.Tx) error {
		for i := range keys {
			if err := tx.Set(fmt.Appendf(nil, "k%04d", i), []byte("v"), time.Hour); err != nil {
				return err
			}
		}
		return nil
	}), "")
	wantCounts(t, s, keys+1, 0, keys+1)
	wantCode(t, "Drop", s.Drop(context.Background(), 1), "")
	first, err := s.janitor.findKeys(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.janitor.submit(certify.SweepDropped, 1, first); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, s, keys+1-sweepStep, 0, keys+1-sweepStep)
	closeStore(t, s)

	s = still(t, Config{Dir: dir, Clock: clock.now})
	if err := s.janitor.spaces(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, s, 1, 0, 1)
	closeStore(t, s)

	s = still(t, Config{Dir: dir, Clock: clock.now})
	if len(s.janitor.unswept) != 0 {
		t.Error("a layout.Swept space is layout.Swept again")
	}
	if onDisk(t, s, layout.KindUsage) != 1 || onDisk(t, s, layout.KindDropped) != 1 {
		t.Error("the dropped space's usage record is still there, or its tombstone is not")
	}
}

// TestExpiredKeysGiveWay: what has expired does not keep new keys out until the next
// sweep, whenever that is.
func TestExpiredKeysGiveWay(t *testing.T) {
	clock := newManual()
	s := open(t, Config{Clock: clock.now, SweepEvery: time.Hour})
	set := func(key string) error {
		p := store.Part{Space: 1, Quota: store.Quota{Keys: 1}, Ops: []store.Op{{Key: []byte(key)}}}
		_, err := s.Commit(t.Context(), &store.Effects{Now: clock.now(), Parts: []store.Part{p}})
		return err
	}
	wantCode(t, "the first", setTTL(s, clock, 1, "a", nil, time.Second), "")
	wantCode(t, "the second", set("b"), fault.Exhausted)
	clock.advance(2 * time.Second)
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := set("b")
		if err == nil {
			break
		}
		wantCode(t, "the second, after the first", err, fault.Exhausted)
		if time.Now().After(end) {
			t.Fatal("it is never taken")
		}
	}
	wantCode(t, "a third", set("c"), fault.Exhausted)
}
