package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"filippo.io/age"

	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// Folder is where a backup is brought to. Package restoring guards it.
type Folder struct {
	Known    archive.Header // formats that this program knows
	Modules  string         // a folder, which is made
	Settings string         // a file
	Blobs    *blob.Store    // nil: they are only checked
	// Store takes the store's one group, to its end.
	Store func(context.Context, stream.Group) error
}

// Verify reads a backup to its end and returns an error unless it is whole and one
// that this program can restore. See archive.Read.
func Verify(ctx context.Context, r io.Reader, known archive.Header, identities ...age.Identity) (archive.Info, error) {
	return read(ctx, r, Folder{Known: known, Store: pass}, identities)
}

// Copy verifies a plain backup while it writes it to w, encrypted when there are
// recipients. What w has after an error is no backup.
func Copy(ctx context.Context, r io.Reader, w io.Writer, known archive.Header, recipients ...age.Recipient) (archive.Info, error) {
	sealed, err := archive.Seal(w, recipients...)
	if err != nil {
		return archive.Info{}, err
	}
	info, err := Verify(ctx, io.TeeReader(r, sealed), known)
	if err == nil {
		err = sealed.Close()
	}
	if err != nil {
		return archive.Info{}, err
	}
	return sealed.Of(info), nil
}

// Land brings a backup into a folder. What is there after an error is not whole. See
// archive.Read.
func Land(ctx context.Context, r io.Reader, to Folder, identities ...age.Identity) (archive.Info, error) {
	if err := os.MkdirAll(to.Modules, 0o700); err != nil {
		return archive.Info{}, fault.Wrap(fault.Unavailable, "restore", to.Modules, err)
	}
	return read(ctx, r, to, identities)
}

func read(ctx context.Context, r io.Reader, to Folder, identities []age.Identity) (archive.Info, error) {
	l := &landing{ctx: ctx, to: to}
	info, err := archive.Read(reader{ctx, r}, l, identities...)
	if err == nil && info.Revision != l.revision {
		err = fault.New(fault.Invalid, "", fmt.Sprintf("the backup is damaged: its store is of revision %d, and its index says %d", l.revision, info.Revision))
	}
	return info, err
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, gaveUp(err)
	}
	return r.r.Read(p)
}

// landing implements archive.Content.
type landing struct {
	ctx      context.Context
	to       Folder
	revision uint64
}

func (l *landing) Begin(h archive.Header) error {
	if h.Plugin != "" {
		return fault.New(fault.Invalid, "", fmt.Sprintf("this is the data of the plugin %.63q and no backup of a server; bring it into one with: wasmoor data import %.63s FILE", h.Plugin, h.Plugin))
	}
	for _, part := range []struct {
		name        string
		have, known int
	}{{"store", h.Layout, l.to.Known.Layout}, {"records", h.Records, l.to.Known.Records}, {"ABI", h.ABI, l.to.Known.ABI}} {
		if part.have > part.known {
			return fault.New(fault.Invalid, "", fmt.Sprintf(
				"the backup was made by a newer wasmoor, %q: its %s has format %d, this one knows %d; use that version", h.Program, part.name, part.have, part.known))
		}
	}
	return nil
}

func (l *landing) Settings(text []byte) error {
	if l.to.Settings == "" {
		return nil
	}
	return durable.Replace(l.to.Settings, text)
}

func (l *landing) Module(digits string, module []byte) error {
	if l.to.Modules == "" {
		return nil
	}
	return durable.Replace(filepath.Join(l.to.Modules, digits+".wasm"), module)
}

func (l *landing) Store(r io.Reader) (entries int64, err error) {
	in := stream.NewReader(r)
	g, err := in.Next()
	if err != nil {
		return 0, err
	}
	if g.Before != 0 {
		return 0, fault.New(fault.Invalid, "", "the backup is damaged: its store does not begin with nothing")
	}
	l.revision = uint64(g.Revision)
	all := g.Entries
	g.Entries = func(yield func(stream.Entry, error) bool) {
		for e, err := range all {
			if err == nil {
				entries++
			}
			if !yield(e, err) {
				return
			}
		}
	}
	if err := l.to.Store(l.ctx, g); err != nil {
		return entries, err
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		return entries, errors.Join(fault.New(fault.Invalid, "", "the backup is damaged: its store does not end where it should"), err)
	}
	return entries, nil
}

// pass only reads.
func pass(_ context.Context, g stream.Group) error {
	for _, err := range g.Entries {
		if err != nil {
			return err
		}
	}
	return nil
}
