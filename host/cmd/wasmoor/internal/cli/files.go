package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// ReadFile reads a file of at most max bytes.
func ReadFile(file, op string, max int64) ([]byte, error) {
	f, err := os.Open(file)
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
		return ReadFile(arg[1:], "read the data", max)
	}
	return []byte(arg), nil
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
