package badger

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/disk"
)

// fakeDisk is a file system of which the test says how much is free.
type fakeDisk struct{ avail atomic.Int64 }

func (d *fakeDisk) free(string) (int64, error) { return d.avail.Load(), nil }

func TestGuardRefusesBeforeTheDiskIsFull(t *testing.T) {
	const minFree = 100 << 20
	d := &fakeDisk{}
	d.avail.Store(minFree)
	s := open(t, Config{MinFree: minFree, free: d.free})
	remove := func(key string) error {
		return transact(s, func(tx *store.Tx) error { return tx.Delete([]byte(key)) })
	}
	wantCode(t, "set", set(s, "k", "1", "l", "1"), "")
	d.avail.Store(minFree - 1)
	wantCode(t, "Health", s.Health(), fault.Exhausted)
	wantCode(t, "set", set(s, "k", "2"), fault.Exhausted)
	if v, _ := get(t, s, "k"); v != "1" {
		t.Errorf("k = %q", v)
	}
	wantCode(t, "delete", remove("k"), "")
	d.avail.Store(minFree/2 - 1)
	wantCode(t, "Health", s.Health(), fault.Exhausted)
	wantCode(t, "delete", remove("l"), fault.Exhausted)
	d.avail.Store(minFree)
	wantCode(t, "Health", s.Health(), "")
	wantCode(t, "set", set(s, "k", "3"), "")
}

// TestReserve fills a disk on which deleting the reserve makes room.
func TestReserve(t *testing.T) {
	const minFree, reserve = 40 << 20, 1 << 20
	dir := t.TempDir()
	path := filepath.Join(dir, disk.ReserveName)
	d := &fakeDisk{}
	cfg := Config{Dir: dir, MinFree: minFree, Reserve: reserve, free: func(string) (int64, error) {
		if _, err := os.Stat(path); err == nil {
			return d.avail.Load(), nil
		}
		return d.avail.Load() + disk.OpenNeeds, nil
	}}
	size := func() int64 {
		st, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return st.Size()
	}
	d.avail.Store(2 * minFree)
	s := open(t, cfg)
	if size() != reserve {
		t.Fatalf("the reserve has %d bytes", size())
	}
	wantCode(t, "set", set(s, "k", "v"), "")
	s.janitor.stop() // the test watches
	d.avail.Store(minFree / 4)
	s.guard.Relieve()
	if size() != reserve {
		t.Fatal("the reserve is given up too early")
	}
	d.avail.Store(minFree/4 - 1)
	s.guard.Relieve()
	if size() != 0 {
		t.Fatal("the reserve is kept while others fill the disk")
	}
	d.avail.Store(2 * minFree)
	s.guard.Restore()
	closeStore(t, s)

	d.avail.Store(0)
	s = open(t, cfg)
	s.janitor.stop()
	if size() != 0 {
		t.Fatal("the reserve is kept on a full disk")
	}
	if v, _ := get(t, s, "k"); v != "v" {
		t.Errorf("k = %q", v)
	}
	wantCode(t, "set", set(s, "k", "w"), fault.Exhausted)
	s.guard.Restore()
	if size() != 0 {
		t.Fatal("the reserve is made again on a full disk")
	}
	d.avail.Store(2 * minFree)
	s.guard.Restore()
	if size() != reserve {
		t.Fatal("the reserve is not made again")
	}
	closeStore(t, s)

	d.avail.Store(-disk.OpenNeeds)
	_, err := Open(cfg)
	wantCode(t, "Open without room even so", err, fault.Exhausted)
}
