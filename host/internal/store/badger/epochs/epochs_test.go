package epochs

import (
	"sync/atomic"
	"testing"
	"time"

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

func TestEpochsDiscardBelowTheOldestReader(t *testing.T) {
	clock := newManual()
	e := New(10, time.Minute, clock.now)
	publish := func(rev, want store.Revision) {
		t.Helper()
		if got := e.Publish(rev); got != want {
			t.Fatalf("publish(%d): discard below %d, want %d", rev, got, want)
		}
	}
	publish(11, 11)
	one, again := e.Enter(), e.Enter()
	publish(15, 11)
	two := e.Enter()
	publish(20, 11)
	e.Leave(one)
	publish(21, 11)
	e.Leave(again)
	publish(22, 15)
	clock.advance(time.Minute + 1)
	three := e.Enter()
	publish(23, 22)
	if !two.Stale() || three.Stale() {
		t.Fatal("only the old reader is stale")
	}
	e.Leave(two)
	publish(24, 22)
	e.Leave(three)
	publish(25, 25)
	if e.Readers() != 0 || e.Newest() != 25 {
		t.Fatalf("%d readers, newest %d", e.Readers(), e.Newest())
	}
}

func TestHoldsKeepWhatNobodyReads(t *testing.T) {
	e := New(10, time.Minute, time.Now)
	wants := func(rev, want store.Revision) {
		t.Helper()
		if got := e.Publish(rev); got != want {
			t.Fatalf("Publish(%d): discard below %d, want %d", rev, got, want)
		}
	}
	early, newest := e.Hold(7), e.Hold(0)
	wants(11, 7)
	early.Move(9)
	early.Move(8) // what was let go stays so
	wants(12, 9)
	early.Release()
	early.Release()
	wants(13, 10)
	newest.Release()
	wants(14, 14)
}
