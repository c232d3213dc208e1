package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/agekey"
	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/backup"
	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/ship"
)

// destination is where a backup goes.
type destination struct {
	take func(ctx context.Context, r io.Reader, keys []age.Recipient) (backup.Kept, error)
	name func(backup.Kept) string // for a person
}

// place opens a folder or s3://...
func place(text string) (bucket.Bucket, error) {
	if !bucket.IsPlace(text) {
		path, err := filepath.Abs(text)
		if err != nil {
			return nil, cli.FileError("find the folder", err)
		}
		text = path
	}
	b, err := bucket.Open(text)
	if err != nil {
		return nil, cli.Usage("%s", fault.MessageOf(err))
	}
	return b, nil
}

func (p *Commands) destination(dest string) (destination, error) {
	switch {
	case dest == "-":
		if term.IsTerminal(p.Stdout) {
			return destination{}, cli.Usage("a backup is no text for a terminal; send it into a pipe or a file")
		}
		return destination{take: func(ctx context.Context, r io.Reader, keys []age.Recipient) (backup.Kept, error) {
			info, err := backup.Copy(ctx, r, p.Stdout, host.BackupFormats(), keys...)
			return backup.Kept{Info: info}, err
		}}, nil
	case bucket.IsPlace(dest) || isDir(dest) || strings.HasSuffix(dest, "/"):
		to, err := place(dest)
		return destination{
			take: func(ctx context.Context, r io.Reader, keys []age.Recipient) (backup.Kept, error) {
				return backup.Keep(ctx, to, time.Now(), len(keys) > 0, func(w io.Writer) (archive.Info, error) {
					return backup.Copy(ctx, r, w, host.BackupFormats(), keys...)
				})
			},
			name: func(b backup.Kept) string { return to.String() + "/" + b.Name },
		}, err
	}
	if _, err := os.Lstat(dest); err == nil {
		return destination{}, fault.New(fault.Conflict, "", fmt.Sprintf("%s is there already; a backup goes over nothing", dest))
	}
	return destination{
		take: func(ctx context.Context, r io.Reader, keys []age.Recipient) (backup.Kept, error) {
			info, err := toFile(ctx, dest, r, keys)
			return backup.Kept{Info: info}, err
		},
		name: func(backup.Kept) string { return dest },
	}, nil
}

// toFile makes a file that is a whole backup, or none.
func toFile(ctx context.Context, name string, r io.Reader, keys []age.Recipient) (made archive.Info, err error) {
	const op = "write the backup"
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.partial") // mode 0600
	if err != nil {
		return made, cli.FileError(op, err)
	}
	made, err = backup.Copy(ctx, r, f, host.BackupFormats(), keys...)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		if err = os.Link(f.Name(), name); err == nil { // unlike a rename, replaces nothing
			err = durable.SyncDir(filepath.Dir(name))
		}
	}
	err = errors.Join(err, os.Remove(f.Name()))
	if _, ok := errors.AsType[*fault.Error](err); err != nil && !ok {
		return made, cli.FileError(op, err)
	}
	return made, err
}

// source is where a backup comes from.
type source struct {
	r     io.Reader
	name  string // for a person
	note  *archive.Info
	keys  []age.Identity
	close func()
}

// check compares what was read with what the place says of it.
func (s source) check(b archive.Info) error {
	if s.note != nil && (s.note.SHA256 != b.SHA256 || s.note.Revision != b.Revision) {
		return fault.New(fault.Invalid, "", fmt.Sprintf("%s is whole, and another one than its place says: its SHA-256 is %s and not %s", s.name, b.SHA256, s.note.SHA256))
	}
	return nil
}

// open finds a backup.
func (p *Commands) open(ctx context.Context, src, identity string) (s source, err error) {
	s = source{name: src, close: func() {}}
	if identity != "" {
		text, err := cli.ReadFile(ctx, identity, "read the identity", 64<<10)
		if err != nil {
			return s, err
		}
		if s.keys, err = agekey.Identities(string(text)); err != nil {
			return s, cli.Usage("--identity: %s", fault.MessageOf(err))
		}
	}
	switch {
	case src == "-":
		s.r, s.name = p.Stdin, "standard input"
		return s, nil
	case !bucket.IsPlace(src) && !isDir(src):
		f, err := cli.Open(ctx, src, "read the backup")
		if err != nil {
			return s, err
		}
		s.r, s.close = f, func() { _ = f.Close() }
		return s, nil
	}
	at, name := split(src)
	in, err := place(at)
	if err != nil {
		return s, err
	}
	found, err := backup.Find(ctx, in, name)
	if err != nil {
		return s, err
	}
	r, err := in.Get(ctx, found.Name, 0, -1)
	if err != nil {
		return s, err
	}
	s.note, s.name, s.r, s.close = &found.Info, in.String()+"/"+found.Name, r, func() { _ = r.Close() }
	return s, nil
}

// split takes the name of a backup off a place.
func split(src string) (at, name string) {
	u, err := url.Parse(src)
	if err != nil || !backup.IsName(path.Base(u.Path)) {
		return src, ""
	}
	name = path.Base(u.Path)
	u.Path = path.Dir(u.Path)
	if u.Path == "/" && u.Scheme == "s3" {
		u.Path = ""
	}
	return u.String(), name
}

// isShipped reports whether src is a place that a server ships to, and returns its
// whole name.
func isShipped(ctx context.Context, src string) (string, bool, error) {
	if src == "-" || !bucket.IsPlace(src) && !isDir(src) {
		return "", false, nil
	}
	if _, name := split(src); name != "" {
		return "", false, nil
	}
	in, err := place(src)
	if err != nil {
		return "", false, err
	}
	ok, err := ship.Holds(ctx, in)
	if !bucket.IsPlace(src) {
		src = in.String() // with its whole path
	}
	return src, ok, err
}
