package badger

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// manual is a clock that tests move.
type manual struct{ at atomic.Int64 }

func newManual() *manual {
	m := &manual{}
	m.at.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return m
}

func (m *manual) now() time.Time          { return time.Unix(0, m.at.Load()) }
func (m *manual) advance(d time.Duration) { m.at.Add(int64(d)) }

func TestSnapshotAge(t *testing.T) {
	clock := newManual()
	s := open(t, Config{Clock: clock.now, MaxSnapshotAge: time.Minute})
	wantCode(t, "set", set(s, "k", "1"), "")
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	read := func() error {
		_, _, err := snap.Get(1, []byte("k"))
		if err != nil {
			return err
		}
		return snap.Scan(1, nil, nil, false, func([]byte, store.Value) bool { return true })
	}
	clock.advance(time.Minute)
	wantCode(t, "set", set(s, "k", "2"), "")
	wantCode(t, "as old as allowed", read(), "")
	clock.advance(1)
	wantCode(t, "no commit, nothing discarded", read(), "")
	wantCode(t, "set", set(s, "k", "3"), "")
	wantCode(t, "too old", read(), fault.Conflict)
	wantCode(t, "too old", snap.Scan(1, nil, nil, false, nil), fault.Conflict)
	if v, _ := get(t, s, "k"); v != "3" {
		t.Errorf("k = %q", v)
	}
	snap.Release()
	wantCode(t, "released", read(), fault.Internal)
}

// TestNewSnapshotIsYoung opens a snapshot beside an old one of the same
// revision: the age of the old one must not be its own.
func TestNewSnapshotIsYoung(t *testing.T) {
	clock := newManual()
	s := open(t, Config{Clock: clock.now, MaxSnapshotAge: time.Minute})
	wantCode(t, "set", set(s, "k", "1"), "")
	snapshot := func() store.Snapshot {
		snap, err := s.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		return snap
	}
	old := snapshot()
	defer old.Release()
	clock.advance(time.Minute + time.Second)
	fresh := snapshot()
	defer fresh.Release()
	wantCode(t, "set", set(s, "other", "2"), "")
	if _, ok, err := fresh.Get(1, []byte("k")); err != nil || !ok {
		t.Errorf("a snapshot 0 s old reads %v, %v", ok, err)
	}
	_, _, err := old.Get(1, []byte("k"))
	wantCode(t, "read of the old one", err, fault.Conflict)
}
