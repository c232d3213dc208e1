package database

import (
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/sqlite"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Table is what a statement finds.
type Table struct {
	Columns []string
	Rows    [][]sqlite.Value
	More    bool  // there are more rows than were asked for
	Changed int64 // rows
}

// MaxTable bounds a Table: its rows, and the bytes of their values.
const (
	MaxRows       = 10_000
	maxTableBytes = 8 << 20
)

// Statement is what Query runs.
type Statement struct {
	Before []string // statements that run before it, whose rows nobody wants
	SQL    string
	Write  bool // what they change is committed; without it they may change nothing
	Limit  int  // of rows, up to MaxRows
}

// Query runs statements in a transaction of their own, and returns what the last one
// finds. They may write the table of migrations only where it is not the host's. Errors are
// those of sqlite.Conn.Exec, and of the store; Denied: they would change the database, and
// may not; Unavailable: a migration or an import is under way.
func (s *Service) Query(ctx context.Context, p Place, q Statement) (t Table, err error) {
	if !q.Write {
		err = s.attempt(ctx, p, false, func(c *sqlite.Conn) error {
			t, err = q.run(c)
			if err == nil && c.Wrote() {
				err = fault.New(fault.Denied, "sql", "the statement would change the database; nothing was changed: run it with --write to have it done")
			}
			return err
		})
		return t, err
	}
	done, err := s.alone(ctx, p, stating)
	if err != nil {
		return t, err
	}
	defer done()
	err = s.change(ctx, p, func(c *sqlite.Conn) error {
		_, ours, err := ledger(c)
		if err != nil {
			return err
		}
		c.Rule(sqlite.Rules{Ledger: !ours}) // a dump makes it where none is
		t, err = q.run(c)
		return err
	})
	return t, err
}

func (q Statement) run(c *sqlite.Conn) (t Table, err error) {
	for i, sql := range q.Before {
		if _, err := c.Exec(sql, nil); err != nil {
			return t, numbered(i+1, sql, err)
		}
	}
	before := c.Changes()
	if t, err = query(c, q.SQL, q.Limit); err != nil && len(q.Before) > 0 {
		err = numbered(len(q.Before)+1, q.SQL, err)
	}
	t.Changed += before
	return t, err
}

// numbered says which of several statements an error is of.
func numbered(n int, sql string, err error) error {
	return fault.Wrap(fault.CodeOf(err), "sql", fmt.Sprintf("statement %d of the transaction, %.60q: %s", n, sql, fault.MessageOf(err)), err)
}

func query(c *sqlite.Conn, statement string, limit int) (t Table, err error) {
	changes := c.Changes()
	rows, err := c.Query(statement, nil)
	if err != nil {
		return t, err
	}
	defer func() { // what it has changed is counted once it has ended
		if failed := rows.Close(); err == nil {
			err = failed
		}
		t.Changed = c.Changes() - changes
	}()
	columns, err := rows.Columns()
	if err != nil {
		return t, err
	}
	for _, col := range columns {
		t.Columns = append(t.Columns, col.Name)
	}
	bytes := 0
	for {
		more, err := rows.Next()
		if err != nil {
			return t, err
		}
		if !more {
			return t, nil
		}
		if t.More = len(t.Rows) >= min(limit, MaxRows) || bytes > maxTableBytes; t.More {
			return t, nil
		}
		row, before := make([]sqlite.Value, len(columns)), bytes
		for i := range row {
			if row[i], err = rows.Value(i); err != nil {
				return t, err
			}
			row[i].Bytes = append([]byte(nil), row[i].Bytes...)
			if bytes += len(row[i].Bytes) + 16; bytes-before > sqlite.MaxValue {
				return t, fault.New(fault.TooLarge, "sql", fmt.Sprintf("a row has more than %d bytes; ask for fewer columns", sqlite.MaxValue))
			}
		}
		t.Rows = append(t.Rows, row)
	}
}

// Database is one of a plugin.
type Database struct {
	Name  string
	Pages int64
	Held  bool // a migration or an import is under way
}

// Bytes returns its size.
func (d Database) Bytes() int64 { return d.Pages * sqlite.PageSize }

// List returns the databases of a plugin that were ever written, in order.
func (s *Service) List(_ context.Context, p Place) (list []Database, err error) {
	names, err := s.Names(p.Space)
	if err != nil {
		return nil, err
	}
	snap, err := s.cfg.Store.Snapshot()
	if err != nil {
		return nil, err
	}
	defer snap.Release()
	for _, name := range names {
		d, err := look(snap, p.area(), name)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

func look(snap store.Snapshot, area store.Space, name string) (d Database, err error) {
	e, err := sqlite.FindAt(snap, area, name)
	if err != nil {
		return d, err
	}
	d = Database{Name: name, Held: e.Held}
	v, ok, err := snap.Get(area, sqlite.Page(name, e.Generation, 1))
	if err == nil && ok {
		d.Pages = sqlite.PagesOf(v.Data)
	}
	return d, err
}

// Written returns a NotFound error of a database that nobody has written.
func (s *Service) Written(p Place) error {
	snap, err := s.cfg.Store.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	if d, err := look(snap, p.area(), p.Name); err != nil || d.Pages > 0 {
		return err
	}
	return unwritten(p)
}
