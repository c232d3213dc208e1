package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Open opens a file, which may be a pipe: waiting for who writes it ends with ctx.
func Open(ctx context.Context, file, op string) (io.ReadCloser, error) {
	f, err := durable.OpenRegular(file)
	if errors.Is(err, durable.ErrNotRegular) {
		f, err = term.Await(ctx, func() (*os.File, error) { return os.Open(file) })
	}
	if err != nil {
		return nil, FileError(op, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{term.Input(ctx, f), f}, nil
}

// ReadFile reads a file of at most max bytes, which may be a pipe.
func ReadFile(ctx context.Context, file, op string, max int64) ([]byte, error) {
	f, err := Open(ctx, file, op)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return ReadBounded(f, file, op, max)
}

// ReadRegular reads a file of at most max bytes that is no pipe.
func ReadRegular(file, op string, max int64) ([]byte, error) {
	f, err := durable.OpenRegular(file)
	if err != nil {
		return nil, FileError(op, err)
	}
	defer func() { _ = f.Close() }() // only read
	return ReadBounded(f, file, op, max)
}

// ReadBounded reads at most max bytes; name is what an error calls the source.
func ReadBounded(r io.Reader, name, op string, max int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, FileError(op, err)
	}
	if int64(len(data)) > max {
		return nil, fault.New(fault.TooLarge, op, fmt.Sprintf("%s is larger than %s", name, term.Size(max)))
	}
	return data, nil
}

// FileError gives an error of the file system its code. Its text already names
// the path.
func FileError(op string, err error) error {
	code := fault.Internal
	switch {
	case errors.Is(err, fs.ErrNotExist):
		code = fault.NotFound
	case errors.Is(err, fs.ErrPermission):
		code = fault.Denied
	case errors.Is(err, fs.ErrExist):
		code = fault.Conflict
	case errors.Is(err, durable.ErrNotRegular):
		code = fault.Invalid
	}
	return fault.Wrap(code, op, "", err)
}

// InFile says which file an error is about.
func InFile(file string, err error) error {
	return fault.Wrap(fault.CodeOf(err), file, fault.MessageOf(err), nil)
}

// Input reads what the user passes as "@FILE", "-" for standard input, or the
// data itself.
func (p *Program) Input(arg string, max int64) ([]byte, error) {
	switch {
	case arg == "-":
		return ReadBounded(p.Stdin, "standard input", "read standard input", max)
	case strings.HasPrefix(arg, "@"):
		return ReadFile(p.Context(), arg[1:], "read the data", max)
	}
	return []byte(arg), nil
}

// ToFile has write fill a file, "-" = standard output, which is whole or not there. One that
// is there already is replaced at the end, or is a Conflict before anything is done.
func (p *Program) ToFile(name string, replace bool, write func(io.Writer) error) error {
	if name == "-" {
		return write(p.Stdout)
	}
	const op = "write the file"
	if _, err := os.Lstat(name); err == nil && !replace {
		return fault.New(fault.Conflict, "", name+" is there already; name a file that is not")
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.partial") // mode 0600
	if err != nil {
		return FileError(op, err)
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		place := os.Link // unlike a rename, replaces nothing
		if replace {
			place = os.Rename
		}
		if err = place(f.Name(), name); err == nil {
			err = durable.SyncDir(filepath.Dir(name))
		}
	}
	if gone := os.Remove(f.Name()); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	if _, ok := errors.AsType[*fault.Error](err); err != nil && !ok {
		return FileError(op, err)
	}
	return err
}

// FromFile opens a file or a pipe, "-" = standard input. Close it.
func (p *Program) FromFile(ctx context.Context, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.Stdin), nil
	}
	return Open(ctx, name, "read the file")
}

// BuildArtefact is the command that a host starts to build a module.
const BuildArtefact = "build-artefact"

// BuildCommand returns the command line that builds modules: this very program.
func BuildCommand() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, FileError("find this program", err)
	}
	return []string{self, BuildArtefact}, nil
}
