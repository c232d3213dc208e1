// Package spool keeps the bodies of requests that are too large for memory, in files that
// last as long as their requests. Package server/wire fills them, server/upload reads
// them, and package host says where they are.
package spool

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/disk"
)

// Config is what a Spool works with. Dir is required.
type Config struct {
	// Dir holds nothing else: what is found in it is removed.
	Dir string
	// Max is how many bytes all files may have together. Default 1 GiB.
	Max int64
	// Health, if not nil, is asked before each piece that is written, by many
	// goroutines at a time. After an Exhausted fault it is not: the disk has
	// others to serve.
	Health func() error
	// Log receives why a file failed. nil drops it.
	Log *slog.Logger
}

// Spool keeps bodies in files while their requests run. What a process leaves that is
// killed, the next removes. Safe for concurrent use; there is nothing to close, each file
// belongs to a request.
type Spool struct {
	cfg  Config
	log  *slog.Logger
	room *limit.Budget

	mu     sync.Mutex
	owners map[string]int64 // bytes that each has, of those that have any
}

// Room is the disk that all bodies share.
func (s *Spool) Room() *limit.Budget { return s.room }

// Share returns how many of so many bytes the bodies of one owner may have together:
// three quarters, so that the large ones of one leave room for others.
func Share(all int64) int64 { return all / 4 * 3 }

// most is the Share of one owner.
func (s *Spool) most() int64 { return Share(s.room.Size()) }

// Open makes the directory or empties it. Errors are Invalid: it cannot be used.
func Open(cfg Config) (*Spool, error) {
	s := &Spool{cfg: cfg, log: cfg.Log, owners: map[string]int64{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.cfg.Max = cmp.Or(s.cfg.Max, 1<<30)
	s.room = limit.NewBudget(s.cfg.Max)
	err := os.MkdirAll(cfg.Dir, 0o700)
	if err == nil {
		err = empty(cfg.Dir)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "open", fmt.Sprintf("cannot use %q for large bodies", cfg.Dir), err)
	}
	return s, nil
}

// empty removes what a process has left that was killed.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = cmp.Or(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// Admit refuses a body of a size that there is no room for, before any of it is read: for
// ever (TooLarge), because others have the room (Unavailable), or because the disk has
// none (Exhausted). It keeps no room for it: what is claimed takes nothing from those who
// send. A nil Spool refuses none.
func (s *Spool) Admit(owner string, size int64) error {
	switch {
	case s == nil:
		return nil
	case size > s.most():
		return s.tooLarge()
	case size > s.room.Left() || size > s.most()-s.held(owner):
		return errTaken
	case s.isFull():
		return errFull
	}
	if free, err := disk.Free(s.cfg.Dir); err == nil && size > free {
		return errFull
	}
	return nil
}

// isFull reports whether the disk has room for nothing but the store.
func (s *Spool) isFull() bool {
	return s.cfg.Health != nil && fault.CodeOf(s.cfg.Health()) == fault.Exhausted
}

func (s *Spool) held(owner string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owners[owner]
}

// Take takes room for n bytes that an owner keeps elsewhere on the disk, next to the size
// bytes of them that have room already. Errors are those of Admit.
func (s *Spool) Take(owner string, size, n int64) error {
	if s == nil {
		return nil
	}
	if s.isFull() {
		return errFull
	}
	if size+n > s.most() {
		return s.tooLarge()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owners[owner]+n > s.most() || !s.room.Take(n) {
		return errTaken
	}
	s.owners[owner] += n
	return nil
}

// Keep takes room for what is there already, whether it is left or not.
func (s *Spool) Keep(owner string, n int64) {
	if s == nil || n == 0 {
		return
	}
	s.room.Give(-n)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owners[owner] += n
}

// Give gives back room that was taken.
func (s *Spool) Give(owner string, n int64) {
	if s == nil {
		return
	}
	s.room.Give(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owners[owner] -= n; s.owners[owner] == 0 {
		delete(s.owners, owner)
	}
}

// failed says what an error of a file is to a client. The cause is for the log.
func (s *Spool) failed(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		s.log.Error("the disk is full: a request's body cannot be kept", "dir", s.cfg.Dir, "error", err)
		return errFull
	}
	s.log.Error("a request's body cannot be kept", "dir", s.cfg.Dir, "error", err)
	return errFailed
}

func (s *Spool) tooLarge() error {
	return fault.New(fault.TooLarge, "", "the body is over the "+limit.FormatSize(s.most())+
		" that the large bodies of one plugin may have on this server (three quarters of max_body_disk); nothing was done")
}

// What a body meets that cannot be kept. The texts are for clients.
var (
	errTaken  = fault.New(fault.Unavailable, "", "the bodies of other requests take all the disk there is for them (max_body_disk); try again")
	errFull   = fault.New(fault.Exhausted, "", "the disk is too full to take a body of this size; nothing was done")
	errFailed = fault.New(fault.Unavailable, "", "the server cannot keep a body of this size at the moment; nothing was done")
)
