package database

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/sqlite"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Progress is told how much of a long work is done, in bytes; all is 0 where it is not
// known.
type Progress func(done, all int64)

// Export writes a database as an ordinary file of SQLite, as it is at one revision.
// NotFound: nobody has written it.
func (s *Service) Export(ctx context.Context, p Place, w io.Writer) error {
	snap, err := s.cfg.Store.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	_, err = export(ctx, snap, p, w, nil)
	return err
}

// export writes the pages of a generation in their order.
func export(ctx context.Context, snap store.Snapshot, p Place, w io.Writer, progress Progress) (entry sqlite.Entry, err error) {
	if entry, err = sqlite.FindAt(snap, p.area(), p.Name); err != nil {
		return entry, err
	}
	from, to := sqlite.Pages(p.Name, entry.Generation)
	pages, next, empty := uint32(1), uint32(1), make([]byte, sqlite.PageSize)
	var failed error
	err = snap.Scan(p.area(), from, to, false, func(key []byte, v store.Value) bool {
		_, n := sqlite.PageOf(key)
		switch {
		case ctx.Err() != nil:
			failed = ctx.Err()
		case len(v.Data) != sqlite.PageSize:
			failed = fault.New(fault.Internal, "sql", fmt.Sprintf("page %d of the database is damaged", n))
		case n == 1:
			pages = uint32(sqlite.PagesOf(v.Data))
		case n > pages:
			return false
		}
		for ; failed == nil && next < n; next++ { // what SQLite has never written
			_, failed = w.Write(empty)
		}
		if failed == nil {
			_, failed = w.Write(v.Data)
		}
		next = n + 1
		if progress != nil {
			progress(int64(n)*sqlite.PageSize, int64(pages)*sqlite.PageSize)
		}
		return failed == nil
	})
	if err = errors.Join(failed, err); err == nil && next == 1 {
		err = unwritten(p)
	}
	return entry, err
}

func unwritten(p Place) error {
	return fault.New(fault.NotFound, "sql", fmt.Sprintf("database %q of plugin %q is empty: no request has written it", p.Name, p.Plugin))
}

// toFile exports into a file.
func toFile(ctx context.Context, snap store.Snapshot, p Place, file string) (sqlite.Entry, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return sqlite.Entry{}, noFile(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	entry, err := export(ctx, snap, p, w, nil)
	if fault.CodeOf(err) == fault.NotFound { // an empty file is an empty database
		err = nil
	}
	if failed := errors.Join(w.Flush(), f.Close()); err == nil && failed != nil {
		err = noFile(failed)
	}
	return entry, err
}

func noFile(err error) error {
	return fault.Wrap(fault.Exhausted, "sql", "the server cannot write a file for the work on a database; its disk may be full", err)
}

// normal makes a copy of a file of SQLite that has our size of pages and no journal, once
// it is whole. Invalid: it is no such file, or is damaged.
func normal(ctx context.Context, from, to string) error {
	db, err := openFile(ctx, from)
	if err != nil {
		return notSQLite(err)
	}
	defer func() { _ = db.Close() }()
	if err := whole(db); err != nil {
		return notSQLite(err)
	}
	for _, do := range []string{
		"PRAGMA journal_mode=delete", fmt.Sprintf("PRAGMA page_size=%d", sqlite.PageSize), "PRAGMA auto_vacuum=none", "VACUUM INTO '" + strings.ReplaceAll(to, "'", "''") + "'",
	} {
		if err := db.Exec(do); err != nil {
			return notSQLite(err)
		}
	}
	return nil
}

// whole has SQLite check a database.
func whole(db *sqlite3.Conn) error {
	stmt, _, err := db.Prepare("PRAGMA integrity_check(1)")
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }()
	if !stmt.Step() || stmt.ColumnText(0) != "ok" {
		return errors.Join(stmt.Err(), errors.New(stmt.ColumnText(0)))
	}
	return nil
}

func notSQLite(err error) error {
	switch {
	case errors.Is(err, sqlite3.FULL), errors.Is(err, sqlite3.IOERR):
		return noFile(err)
	case errors.Is(err, sqlite3.INTERRUPT):
		return fault.Wrap(fault.Deadline, "sql", "the work on the database was ended", err)
	}
	return fault.Wrap(fault.Invalid, "sql", fmt.Sprintf("this is no database of SQLite, or it is damaged: %.200s", err), err)
}

// openFile opens a file of SQLite. The end of ctx interrupts what runs.
func openFile(ctx context.Context, file string) (*sqlite3.Conn, error) {
	name := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(file), RawQuery: "_pragma=trusted_schema(off)"}
	db, err := sqlite3.OpenContext(sqlite3.WithMaxMemory(ctx, fileMemory), name.String())
	if err != nil {
		return nil, err
	}
	db.SetInterrupt(ctx)
	return db, nil
}

// fileMemory is what SQLite has for the work on a file, in bytes.
const fileMemory = 256 << 20
