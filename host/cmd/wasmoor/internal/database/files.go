package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/sqlite/dump"
)

// export writes a database into a file.
func (p *Commands) export(ctx context.Context, c *client.Client, in asked, one adminapi.Database) error {
	if in.exportFile == "-" && term.IsTerminal(p.Stdout) {
		return cli.Usage("--export writes a file of SQLite, which is nothing for a terminal: name a file")
	}
	var n int64
	err := p.ToFile(in.exportFile, in.force, func(w io.Writer) error {
		return c.ExportDatabase(ctx, in.of, func(r io.Reader) (err error) {
			n, err = io.Copy(w, p.Passing(r, one.Bytes))
			return err
		})
	})
	if err != nil {
		return err
	}
	p.Note("database %s of %s: %s", in.of.Database, in.of.Name, term.Size(n))
	return nil
}

// dump writes a database as statements. It comes as a file, which goes when that is done.
func (p *Commands) dump(ctx context.Context, c *client.Client, in asked, one adminapi.Database) (err error) {
	dir, err := os.MkdirTemp("", "wasmoor-dump-")
	if err != nil {
		return cli.FileError("write the database into a file", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "database")
	err = p.ToFile(file, false, func(w io.Writer) error {
		return c.ExportDatabase(ctx, in.of, func(r io.Reader) error {
			_, err := io.Copy(w, p.Passing(r, one.Bytes))
			return err
		})
	})
	if err != nil {
		return err
	}
	return dump.Write(ctx, file, p.Stdout)
}

// importFile puts a file in place of a database.
func (p *Commands) importFile(ctx context.Context, c *client.Client, in asked, one adminapi.Database) error {
	from, size, err := p.source(ctx, in.importFile)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // only read
	if !in.yes && one.Bytes > 0 && term.IsTerminal(p.Stdin) && in.importFile != "-" &&
		!p.Ask(fmt.Sprintf("Replace the database %s of %s, which has %s?", in.of.Database, in.of.Name, term.Size(one.Bytes))) {
		return cli.Usage("nothing was done")
	}
	if err := c.ImportDatabase(ctx, in.of, p.Passing(from, size)); err != nil {
		return err
	}
	p.Note("database %s of %s is that of the file", in.of.Database, in.of.Name)
	return nil
}

// source opens a file, and says how large it is; 0 = nobody knows.
func (p *Commands) source(ctx context.Context, name string) (io.ReadCloser, int64, error) {
	var size int64
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	from, err := p.FromFile(ctx, name)
	return from, size, err
}
