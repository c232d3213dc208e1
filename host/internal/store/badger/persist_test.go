package badger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// TestSlowPersist holds a write: readers see the state before, commits wait for
// their answer without being lost, and what waits is certified in order.
func TestSlowPersist(t *testing.T) {
	entered, hold := make(chan struct{}, 10), make(chan struct{})
	var slow atomic.Bool
	s := open(t, Config{Persist: func(_ store.Revision, write func() error) error {
		if slow.Load() {
			entered <- struct{}{}
			<-hold
		}
		return write()
	}})
	wantCode(t, "set", set(s, "k", "before"), "")
	read := s.epochs.Newest()
	slow.Store(true)
	answers := make(chan error, 3)
	commit := func(key, value string, reads ...[]byte) {
		p := store.Part{Space: 1, Keys: reads, Ops: []store.Op{{Key: []byte(key), Value: store.Value{Data: []byte(value)}}}}
		_, err := s.Commit(t.Context(), &store.Effects{Read: read, Now: time.Now(), Parts: []store.Part{p}})
		answers <- err
	}
	go commit("k", "after")
	<-entered
	before := s.committer.brought()
	go commit("l", "depends", []byte("k"))
	waitFor(t, "the second", func() bool { return s.committer.brought() == before+1 })
	go commit("m", "after")
	waitFor(t, "the third", func() bool { return s.committer.brought() == before+2 })
	if v, _ := get(t, s, "k"); v != "before" {
		t.Errorf("what is not durable is read: %q", v)
	}
	wantCode(t, "Health", s.Health(), "")
	select {
	case err := <-answers:
		t.Fatalf("answered before it was durable: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	slow.Store(false)
	close(hold)
	codes := map[fault.Code]int{}
	for range 3 {
		codes[fault.CodeOf(<-answers)]++
	}
	if codes[""] != 2 || codes[fault.Conflict] != 1 {
		t.Errorf("answers %v, want 2 commits and a conflict", codes)
	}
	if v, _ := get(t, s, "k"); v != "after" {
		t.Errorf("k = %q", v)
	}
}

// TestPersistFails breaks the disk under many writers, in several ways. Who was
// answered has lost nothing; who was not is told that the outcome is unknown, or
// that nothing was done; and the store takes nothing until it is opened again.
func TestPersistFails(t *testing.T) {
	for name, broken := range map[string]func(write func() error) error{
		"before it is written": func(func() error) error { return syscall.EIO },
		"after it is written":  func(write func() error) error { return errors.Join(write(), syscall.EIO) },
		"no space":             func(func() error) error { return fmt.Errorf("write 00001.mem: %w", syscall.ENOSPC) },
		"slow, then no space": func(func() error) error {
			time.Sleep(50 * time.Millisecond)
			return syscall.ENOSPC
		},
	} {
		t.Run(name, func(t *testing.T) {
			var groups atomic.Int64
			dir := t.TempDir()
			s := open(t, Config{Dir: dir, Persist: func(_ store.Revision, write func() error) error {
				if groups.Add(1) == 20 {
					return broken(write)
				}
				return write()
			}})
			acked, tried := writeUntilBroken(t, s)
			wantCode(t, "set", set(s, "x", "y"), fault.Unavailable)
			wantCode(t, "Drop", s.Drop(context.Background(), 1), fault.Unavailable)
			wantCode(t, "Health", s.Health(), fault.Unavailable)
			for w := range acked {
				if v, _ := get(t, s, fmt.Sprintf("a%d", w)); v != count(acked[w]) {
					t.Errorf("writer %d was acknowledged %d, readers see %q", w, acked[w], v)
				}
			}
			closeStore(t, s)

			s = open(t, Config{Dir: dir})
			checkWhole(t, s, len(acked))
			for w := range acked {
				v, _ := get(t, s, fmt.Sprintf("a%d", w))
				if n, _ := strconv.Atoi(v); n < acked[w] || n > tried[w] {
					t.Errorf("writer %d was acknowledged %d and tried %d, the disk has %d", w, acked[w], tried[w], n)
				}
			}
			wantCode(t, "set after reopening", set(s, "x", "y"), "")
		})
	}
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// writeUntilBroken has writers commit until they fail, and returns up to where
// each was acknowledged, and what it tried.
func writeUntilBroken(t *testing.T, s *Store) (acked, tried [8]int) {
	var wg sync.WaitGroup
	for w := range acked {
		wg.Go(func() {
			for n := 1; ; n++ {
				err := set(s, fmt.Sprintf("a%d", w), strconv.Itoa(n), fmt.Sprintf("b%d-%d", w, n), strconv.Itoa(n))
				switch fault.CodeOf(err) {
				case "":
					acked[w], tried[w] = n, n
					continue
				case fault.Unknown:
					tried[w] = n
				case fault.Unavailable:
				default:
					t.Errorf("writer %d: %v", w, err)
				}
				return
			}
		})
	}
	wg.Wait()
	return acked, tried
}
