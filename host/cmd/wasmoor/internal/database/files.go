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
	"github.com/wasmoor/wasmoor/host/internal/fault"
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
	info, err := os.Stat(name)
	switch {
	case name == "-" || err != nil:
	case info.IsDir():
		return nil, 0, cli.Usage("%s is a folder; --import takes a file of SQLite", name)
	case info.Mode().IsRegular():
		if err := alone(name); err != nil {
			return nil, 0, err
		}
		size = info.Size()
	}
	from, err := p.FromFile(ctx, name)
	return from, size, err
}

// alone refuses a file of SQLite of which a part is in another file: the rows of a log, or
// pages that SQLite would put back first.
func alone(name string) error {
	if real, err := filepath.EvalSymlinks(name); err == nil { // SQLite looks there
		name = real
	}
	const logged = 2 // both versions of the format, of a file that has a log
	if head := headOf(name, 20); len(head) == 20 && string(head[:len(fileMagic)]) == fileMagic && head[18] == logged && head[19] == logged {
		if info, err := os.Stat(name + "-wal"); err == nil && info.Size() > 0 {
			return apart(name, "-wal", "rows that are not in it yet", "PRAGMA wal_checkpoint(TRUNCATE)")
		}
	}
	// A journal that is kept has zeros there once its transaction has ended.
	if string(headOf(name+"-journal", len(journalMagic))) == journalMagic {
		return apart(name, "-journal", "what a transaction that did not end has changed", "SELECT count(*) FROM sqlite_schema")
	}
	return nil
}

// What files of SQLite, and their journals, begin with.
const (
	fileMagic    = "SQLite format 3\x00"
	journalMagic = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
)

func apart(name, more, has, statement string) error {
	return fault.New(fault.Conflict, "", fmt.Sprintf("nothing was done: the file %s%s has %s; end what uses the file and have SQLite put the two together: sqlite3 %s '%s'", name, more, has, name, statement))
}

// headOf returns the first bytes of a file, as far as there are any.
func headOf(name string, n int) []byte {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // only read
	head := make([]byte, n)
	n, _ = io.ReadFull(f, head)
	return head[:n]
}
