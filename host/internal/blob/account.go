package blob

import (
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Account is who is charged for bytes that no name counts, and how many these may be. The
// zero one is the host, which is charged for nothing.
type Account struct {
	Owner string
	Most  int64 // bytes
}

// account is what an owner has on the disk that no name counts.
type account struct {
	open int64  // of writers, and of new blobs that somebody holds
	lost []lost // by time
}

// lost is bytes that have lost their name, and that a sweep removes.
type lost struct {
	minute time.Time
	bytes  int64
}

func (a *account) lostBytes() (n int64) {
	for _, l := range a.lost {
		n += l.bytes
	}
	return n
}

// charge counts n bytes more of an account. Exhausted: it has too many.
func (s *Store) charge(to Account, n int64) error {
	if to.Owner == "" || n == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(to.Owner)
	gone := a.lostBytes()
	if a.open+gone+n > to.Most {
		if gone > 0 {
			s.press()
		}
		return fault.New(fault.Exhausted, "put blob", fmt.Sprintf(
			"%d bytes of the plugin's blobs have no name yet, %d have none any more, this takes %d, and all may have %d (as many as blobs.bytes); try again when requests that put blobs have ended, and what was deleted is removed, which takes about ten minutes",
			a.open, gone, n, to.Most))
	}
	a.open += n
	return nil
}

func (s *Store) account(owner string) *account {
	a := s.accounts[owner]
	if a == nil {
		a = &account{}
		s.accounts[owner] = a
	}
	return a
}

// give takes n bytes off that were charged. The caller holds mu.
func (s *Store) give(owner string, n int64) {
	if owner == "" || n == 0 {
		return
	}
	a := s.account(owner)
	if a.open -= n; a.open == 0 && len(a.lost) == 0 {
		delete(s.accounts, owner)
	}
}

// uncharge takes n bytes off that were charged.
func (s *Store) uncharge(by Account, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.give(by.Owner, n)
}

// lose has n bytes that were charged wait for a sweep. The caller holds mu.
func (s *Store) lose(owner string, n int64) {
	a := s.account(owner)
	a.open -= n
	s.wait(a, n)
}

// Lost says that n bytes of an owner have lost their name with a commit.
func (s *Store) Lost(by Account, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(by.Owner)
	s.wait(a, n)
	if a.lostBytes() > by.Most/2 {
		s.press()
	}
}

func (s *Store) wait(a *account, n int64) {
	minute := time.Now().Truncate(time.Minute)
	if last := len(a.lost) - 1; last >= 0 && a.lost[last].minute.Equal(minute) {
		a.lost[last].bytes += n
		return
	}
	a.lost = append(a.lost, lost{minute, n})
}

// forgive forgets what a sweep has removed: all that had lost its name before then, unless
// it has spared some for whoever keeps all.
func (s *Store) forgive(before time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spared {
		return
	}
	for owner, a := range s.accounts {
		for len(a.lost) > 0 && a.lost[0].minute.Add(time.Minute).Before(before) {
			a.lost = a.lost[1:]
		}
		if a.open == 0 && len(a.lost) == 0 {
			delete(s.accounts, owner)
		}
	}
}

func (s *Store) press() {
	select {
	case s.pressed <- struct{}{}:
	default:
	}
}

// Pressed has one once an owner has much that a sweep would remove.
func (s *Store) Pressed() <-chan struct{} { return s.pressed }
