// Package data holds the commands that count the data of plugins, and bring it out of a
// server and in. They talk to a server as those of package remote do.
package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Commands are the commands of one run of the program.
type Commands struct{ *remote.Commands }

// New returns the commands, which find their server as those of p do.
func New(p *remote.Commands) *Commands { return &Commands{p} }

// OfData adds what `wasmoor data` has of a server to it.
func (p *Commands) OfData(cmd *cobra.Command) *cobra.Command {
	for _, c := range []*cobra.Command{p.sizesCommand(), p.exportAllCommand(), p.importAllCommand(), p.copyCommand()} {
		p.Flags(c.Flags())
		cmd.AddCommand(c)
	}
	return cmd
}

// OfKeys adds what `wasmoor kv` has of many keys to it.
func (p *Commands) OfKeys(cmd *cobra.Command) *cobra.Command {
	cmd.AddCommand(p.exportCommand(), p.importCommand())
	return cmd
}

// toFile has write fill a file that is not there yet, "-" = standard output. It is whole
// or not there; then what write returned is what went wrong.
func (p *Commands) toFile(name string, write func(io.Writer) error) error {
	if name == "-" {
		return write(p.Stdout)
	}
	const op = "write the file"
	if _, err := os.Lstat(name); err == nil {
		return fault.New(fault.Conflict, "", fmt.Sprintf("%s is there already; name a file that is not", name))
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.partial") // mode 0600
	if err != nil {
		return cli.FileError(op, err)
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		if err = os.Link(f.Name(), name); err == nil { // unlike a rename, replaces nothing
			err = durable.SyncDir(filepath.Dir(name))
		}
	}
	err = errors.Join(err, os.Remove(f.Name()))
	if _, ok := errors.AsType[*fault.Error](err); err != nil && !ok {
		return cli.FileError(op, err)
	}
	return err
}

// fromFile opens a file or a pipe, "-" = standard input. Close it.
func (p *Commands) fromFile(ctx context.Context, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.Stdin), nil
	}
	return cli.Open(ctx, name, "read the file")
}

// flow shows a person how many bytes have passed.
type flow struct {
	io.Reader

	n    int64
	show func(done, total int64)
}

// passing returns a flow of what is read.
func (p *Commands) passing(r io.Reader) *flow { return &flow{Reader: r, show: p.Progress()} }

func (f *flow) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	f.n += int64(n)
	if f.show != nil {
		end := f.n + 1 // nobody knows
		if err != nil {
			end = f.n
		}
		f.show(f.n, end)
	}
	return n, err
}
