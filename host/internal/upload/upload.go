package upload

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Upload is one that is open, or done and not expired. Info is only read. Whoever has it
// (Take) may call Append, Sync, Whole and Finish.
type Upload struct {
	record
	desk *Desk
	id   string
	busy chan struct{} // full while somebody has it

	mu   sync.Mutex
	ends func() // has whoever has it give it up soon; nil = it will anyway

	size int64 // bytes, of which Offset are durable
	file *os.File
	sum  hash.Hash // of the bytes; nil = of none of them
}

// ID returns the id, which nobody guesses.
func (u *Upload) ID() string { return u.id }

func (u *Upload) path() string { return filepath.Join(u.desk.cfg.Dir, u.id) }

// takeTime is how long one waits for whoever is asked to give an upload up.
const takeTime = 5 * time.Second

// Take gives the upload to the caller alone, until Leave. Whoever has it is asked to give
// it up: often a connection that is dead, which only its client knows. end, if not nil,
// asks the caller so in turn; it is called at most once. False = it is not given up, ctx
// ends, or it was removed meanwhile: Desk.Find does not find it then.
func (u *Upload) Take(ctx context.Context, end func()) bool {
	u.mu.Lock()
	if u.ends != nil {
		u.ends()
		u.ends = nil
	}
	u.mu.Unlock()
	late := time.NewTimer(takeTime)
	defer late.Stop()
	select {
	case u.busy <- struct{}{}:
	case <-late.C:
		return false
	case <-ctx.Done():
		return false
	}
	if !u.desk.has(u) {
		<-u.busy
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ends = end
	return true
}

// Leave gives the upload to others.
func (u *Upload) Leave() {
	if u.file != nil {
		_ = u.file.Close() // Sync has said what is durable
		u.file = nil
	}
	u.mu.Lock()
	u.ends = nil
	u.mu.Unlock()
	<-u.busy
}

// IsDone reports whether the plugin has taken it. Its bytes are gone then.
func (u *Upload) IsDone() bool { return u.Done }

// Durable returns how many bytes are durable.
func (u *Upload) Durable() int64 {
	if u.Done {
		return u.Length
	}
	return u.Offset
}

// syncEvery is how many bytes are lost at most when the process ends.
const syncEvery = 32 << 20

// Write implements io.Writer: it appends to the bytes. Errors are for the client, with the
// codes TooLarge (over the length, or the room), Unavailable and Exhausted.
func (u *Upload) Write(p []byte) (n int, err error) {
	if u.size+int64(len(p)) > u.Length {
		return 0, errLong
	}
	if err := u.desk.cfg.Room.Take(u.Plugin, u.size, int64(len(p))); err != nil {
		return 0, err
	}
	if err = u.open(); err == nil {
		n, err = u.file.WriteAt(p, u.size)
	}
	if err != nil {
		u.desk.cfg.Room.Give(u.Plugin, int64(len(p)))
		u.sum = nil // it may count bytes that are not there
		return 0, u.failed(err)
	}
	if u.size == 0 {
		u.sum = sha256.New()
	}
	if u.sum != nil {
		u.sum.Write(p) // it never fails
	}
	u.size += int64(n)
	if u.size-u.Offset >= syncEvery {
		return n, u.Sync()
	}
	return n, nil
}

func (u *Upload) open() (err error) {
	if u.file == nil {
		u.file, err = os.OpenFile(u.path(), os.O_RDWR, 0o600)
	}
	return err
}

// Sync makes durable what was appended. Only then is it acknowledged.
func (u *Upload) Sync() error {
	if u.Offset == u.size || u.Done {
		return nil
	}
	err := u.open()
	if err == nil {
		err = u.file.Sync()
	}
	if err == nil {
		before := u.Offset
		u.Offset = u.size
		if err = u.save(); err != nil {
			u.Offset = before
		}
	}
	if err != nil {
		u.desk.cfg.Room.Give(u.Plugin, u.size-u.Offset)
		u.size, u.sum = u.Offset, nil // the client sends the rest again
		return u.failed(err)
	}
	return nil
}

// Whole returns the file of an upload that is complete, until Leave, and the SHA-256 of
// its bytes, which are read again if the process has not seen all of them.
func (u *Upload) Whole() (*os.File, [sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	if err := u.open(); err != nil {
		return nil, sum, u.failed(err)
	}
	if u.sum == nil {
		h := sha256.New()
		n, err := io.Copy(h, io.NewSectionReader(u.file, 0, u.Length))
		if err == nil && n < u.Length {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, sum, u.failed(err)
		}
		u.sum = h
	}
	u.sum.Sum(sum[:0])
	return u.file, sum, nil
}

// Finish notes that the plugin has taken the upload, and removes its bytes.
func (u *Upload) Finish() error {
	u.Done = true
	err := u.save()
	u.drop()
	u.desk.finished(u)
	if err != nil {
		return u.failed(err)
	}
	return nil
}

// save makes durable what is known.
func (u *Upload) save() error {
	data, err := json.Marshal(&u.record)
	if err != nil {
		return err
	}
	return durable.Replace(u.path()+recordSuffix, data)
}

// drop removes the bytes.
func (u *Upload) drop() {
	_ = os.Remove(u.path()) // what is left the next start removes
	if u.size > 0 {
		u.desk.cfg.Room.Give(u.Plugin, u.size)
		u.size = 0
	}
}

func (u *Upload) failed(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		u.desk.cfg.Log.Error("the disk is full: an upload cannot be kept", "dir", u.desk.cfg.Dir, "error", err)
		return errFull
	}
	return u.desk.failed(err)
}

var (
	errLong = fault.New(fault.TooLarge, "", "the upload has more bytes than its length says")
	errFull = fault.New(fault.Exhausted, "", "the disk is too full to go on with the upload")
)
