package wire

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// spoolOver is how large a body may be that is kept in memory.
const spoolOver = 1 << 20

// SpoolConfig is what a Spool works with. Dir is required.
type SpoolConfig struct {
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

// Spool keeps bodies over 1 MiB in files while their requests run. The files have
// no name where the system allows that, so that they end with the process. Safe
// for concurrent use; there is nothing to close, each file belongs to a request.
type Spool struct {
	cfg  SpoolConfig
	log  *slog.Logger
	room *limit.Budget
}

// Room is the disk that all bodies share.
func (s *Spool) Room() *limit.Budget { return s.room }

// OpenSpool makes the directory or empties it. Errors are Invalid: it cannot be
// used.
func OpenSpool(cfg SpoolConfig) (*Spool, error) {
	s := &Spool{cfg: cfg, log: OrDiscard(cfg.Log)}
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

// empty removes what a process left that was killed before it could take the
// name from a file, or on a system where open files keep theirs.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = cmp.Or(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// spooled is the file of one body. The zero spooled has none.
type spooled struct {
	file  *os.File
	named bool // it could not be removed while it is open
	share limit.Share
}

// write appends b, and makes the file if there is none.
func (f *spooled) write(s *Spool, b []byte) *Refusal {
	if s.cfg.Health != nil && fault.CodeOf(s.cfg.Health()) == fault.Exhausted {
		return refuseFullDisk
	}
	if f.share.Held() == 0 {
		f.share = s.room.Share()
	}
	switch {
	case f.share.Held()+int64(len(b)) > s.room.Size():
		return refuseLarge
	case !f.share.Take(len(b)):
		return refuseFiles
	}
	err := f.open(s.cfg.Dir)
	if err == nil {
		_, err = f.file.Write(b)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		s.log.Error("the disk is full: a request's body cannot be kept", "dir", s.cfg.Dir, "error", err)
		return refuseFullDisk
	}
	s.log.Error("a request's body cannot be kept", "dir", s.cfg.Dir, "error", err)
	return refuseSpool
}

func (f *spooled) open(dir string) (err error) {
	if f.file != nil {
		return nil
	}
	if f.file, err = os.CreateTemp(dir, "body-"); err != nil { // mode 0600
		f.file = nil
		return err
	}
	f.named = os.Remove(f.file.Name()) != nil
	return nil
}

// close removes the file and gives its share back.
func (f *spooled) close() {
	if f.file != nil {
		_ = f.file.Close() // nobody reads it again
		if f.named {
			_ = os.Remove(f.file.Name()) // the next start does otherwise
		}
		f.file = nil
	}
	f.share.Give()
}

// readFrom writes the beginning of a body that is in buf, and then the rest of it,
// up to max bytes. Only buf is memory.
func (f *spooled) readFrom(ctx *fasthttp.RequestCtx, s *Spool, buf []byte, max int64) *Refusal {
	total := int64(len(buf))
	for end := false; ; {
		if r := f.write(s, buf); r != nil || end {
			return r
		}
		var n int
		var r *Refusal
		if n, end, r = readPiece(ctx, buf[:cap(buf)]); r != nil {
			return r
		}
		buf = buf[:n]
		if total += int64(n); total > max {
			return BodyTooLarge(max)
		}
	}
}

var (
	refuseLarge    = Refusing(http.StatusRequestEntityTooLarge, fault.TooLarge, "the body is larger than all that the server keeps of large bodies (max_body_disk); nothing was done")
	refuseFiles    = Refusing(http.StatusServiceUnavailable, fault.Unavailable, "the bodies of other requests take all the disk there is for them (max_body_disk); try again")
	refuseFullDisk = Refusing(http.StatusInsufficientStorage, fault.Exhausted, "the disk is too full to take a body of this size; nothing was done")
	refuseSpool    = Refusing(http.StatusServiceUnavailable, fault.Unavailable, "the server cannot keep a body of this size at the moment; nothing was done")
)
