package database

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/sqlite"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Export writes a database as an ordinary file of SQLite, as it is at one revision.
// NotFound: nobody has written it.
func (s *Service) Export(ctx context.Context, p Place, w io.Writer) error {
	snap, err := s.cfg.Store.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	return export(ctx, snap, p, w)
}

// export writes the pages of a generation in their order.
func export(ctx context.Context, snap store.Snapshot, p Place, w io.Writer) error {
	entry, err := sqlite.FindAt(snap, p.area(), p.Name)
	if err != nil {
		return err
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
		return failed == nil
	})
	if err = errors.Join(failed, err); err == nil && next == 1 {
		return unwritten(p)
	}
	return err
}

func unwritten(p Place) error {
	return fault.New(fault.NotFound, "sql", fmt.Sprintf("database %q of plugin %q is empty: no request has written it", p.Name, p.Plugin))
}

// toFile exports a database into a new file, an empty one if nobody has written it.
func (s *Service) toFile(ctx context.Context, p Place, file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return noFile(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = s.Export(ctx, p, w)
	if fault.CodeOf(err) == fault.NotFound {
		err = nil
	}
	if failed := errors.Join(w.Flush(), f.Close()); err == nil && failed != nil {
		err = noFile(failed)
	}
	return err
}

func noFile(err error) error {
	return fault.Wrap(fault.Exhausted, "sql", "the server cannot write a file for the work on a database; its disk may be full", err)
}

// normal makes a copy of a file of SQLite that has our size of pages and no journal, once
// it is whole. Invalid: it is no such file, is damaged, or needs what SQLite does not have here.
func normal(ctx context.Context, from, to string) error {
	db, err := sqlite.OpenFile(ctx, from, false)
	if err != nil {
		return notSQLite(err)
	}
	defer func() { _ = db.Close() }()
	if err := whole(db); err != nil {
		return notSQLite(err)
	}
	if err := virtual(db); err != nil {
		return err
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

// virtual refuses a database with a virtual table of a module that statements cannot use: it
// could not even be dropped.
func virtual(db *sqlite3.Conn) error {
	if err := sqlite.Extend(db); err != nil {
		return fault.Wrap(fault.Internal, "sql", "SQLite does not take its modules", err)
	}
	tables, _, err := db.Prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'virtual' ORDER BY name")
	if err != nil {
		return notSQLite(err)
	}
	defer func() { _ = tables.Close() }() // its error is that of a step
	for tables.Step() {
		if err := usable(db, tables.ColumnText(0)); err != nil {
			return err
		}
	}
	if err := tables.Err(); err != nil {
		return notSQLite(err)
	}
	return nil
}

// usable asks SQLite what a statement needs that drops a virtual table, and runs none.
func usable(db *sqlite3.Conn, table string) error {
	module := ""
	err := db.SetAuthorizer(func(action sqlite3.AuthorizerActionCode, _, fourth, _, _ string) sqlite3.AuthorizerReturnCode {
		if action == sqlite3.AUTH_DROP_VTABLE {
			module = fourth
		}
		return sqlite3.AUTH_OK
	})
	if err == nil {
		var drop *sqlite3.Stmt
		if drop, _, err = db.Prepare("DROP TABLE " + sqlite3.QuoteIdentifier(table)); err == nil {
			err = drop.Close()
		}
	}
	const only = "virtual tables can be of fts5, rtree and rtree_i32; drop this one in the file"
	switch {
	case err != nil:
		return fault.Wrap(fault.Invalid, "sql", fmt.Sprintf("table %.100q of the file cannot be used here, %.200s: %s", table, reason(err), only), err)
	case !sqlite.HasModule(module):
		return fault.New(fault.Invalid, "sql", fmt.Sprintf("table %.100q of the file cannot be used here, it is of the module %.100q: %s", table, module, only))
	}
	return nil
}

// reason is what SQLite says of an error, without where that comes from.
func reason(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "sqlite3: "), "SQL logic error: ")
}

// lacking begins what SQLite says when a schema needs what was given to the connection that
// made it.
var lacking = []string{"no such collation sequence: ", "no such function: ", "unknown function: ", "no such module: "}

func notSQLite(err error) error {
	switch {
	case errors.Is(err, sqlite3.FULL), errors.Is(err, sqlite3.IOERR):
		return noFile(err)
	case errors.Is(err, sqlite3.INTERRUPT):
		return fault.Wrap(fault.Deadline, "sql", "the work on the database was ended", err)
	}
	if why := reason(err); slices.ContainsFunc(lacking, func(begin string) bool { return strings.HasPrefix(why, begin) }) {
		return fault.Wrap(fault.Invalid, "sql", fmt.Sprintf("the database needs what SQLite does not have here, %.200s: a program gave it that; take it out of the tables and indexes of the file", why), err)
	}
	return fault.Wrap(fault.Invalid, "sql", fmt.Sprintf("this is no database of SQLite, or it is damaged: %.200s", err), err)
}
