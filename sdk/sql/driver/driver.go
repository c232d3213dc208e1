// Package driver is the plugin's SQLite databases as a driver of database/sql, for code that
// is written for that: sqlc's, query builders.
//
//	var db = driver.Open("main") // a *sql.DB, of [sql.main] in the manifest
//
// The request is the transaction. What Begin and Commit enclose is undone alone by
// Rollback; it takes effect with the request. The context of a call is not asked: the
// request's deadline ends a statement. A time.Time is stored as a text in RFC 3339 in UTC,
// and read from a column of a declared type DATE, DATETIME or TIMESTAMP.
package driver

import (
	"context"
	stdsql "database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/sql"
)

// Open returns the database of a name in the manifest. It is good in all requests.
func Open(name string) *stdsql.DB { return stdsql.OpenDB(connector(name)) }

type d struct{}

// Open implements driver.Driver.
func (d) Open(name string) (driver.Conn, error) { return &conn{db: sql.Database(name)}, nil }

// connector makes connections, which have no state: all of them are the same.
type connector string

// Connect implements driver.Connector.
func (c connector) Connect(context.Context) (driver.Conn, error) {
	return &conn{db: sql.Database(c)}, nil
}

// Driver implements driver.Connector.
func (connector) Driver() driver.Driver { return d{} }

type conn struct{ db sql.Database }

// Prepare implements driver.Conn.
func (c *conn) Prepare(query string) (driver.Stmt, error) { return &stmt{c.db, query}, nil }

// Close implements driver.Conn.
func (*conn) Close() error { return nil }

// Begin implements driver.Conn.
func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// BeginTx implements driver.ConnBeginTx.
func (c *conn) BeginTx(_ context.Context, o driver.TxOptions) (driver.Tx, error) {
	if o.Isolation != 0 && stdsql.IsolationLevel(o.Isolation) != stdsql.LevelSerializable {
		return nil, errors.New("sql: a request is serializable, and no other level is there")
	}
	if _, err := c.db.Exec("BEGIN"); err != nil {
		return nil, err
	}
	return tx{c.db}, nil
}

type tx struct{ db sql.Database }

// Commit implements driver.Tx.
func (t tx) Commit() error {
	_, err := t.db.Exec("COMMIT")
	return err
}

// Rollback implements driver.Tx.
func (t tx) Rollback() error {
	_, err := t.db.Exec("ROLLBACK")
	return err
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r, err := c.db.Exec(query, values(args)...)
	return result(r), err
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r, err := c.db.Query(query, values(args)...)
	if err != nil {
		return nil, err
	}
	columns, err := r.Columns()
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &rows{r, columns}, nil
}

// stmt is a statement. The host keeps those that are prepared, by their text.
type stmt struct {
	db    sql.Database
	query string
}

// Close implements driver.Stmt.
func (*stmt) Close() error { return nil }

// NumInput implements driver.Stmt: SQLite counts.
func (*stmt) NumInput() int { return -1 }

// Exec implements driver.Stmt.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return (&conn{s.db}).ExecContext(context.Background(), s.query, named(args))
}

// Query implements driver.Stmt.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return (&conn{s.db}).QueryContext(context.Background(), s.query, named(args))
}

func named(args []driver.Value) (list []driver.NamedValue) {
	for i, a := range args {
		list = append(list, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return list
}

func values(args []driver.NamedValue) []any {
	list := make([]any, len(args))
	for i, a := range args {
		v := any(a.Value)
		if t, ok := v.(time.Time); ok {
			v = t.UTC().Format(time.RFC3339Nano)
		}
		if a.Name != "" {
			v = sql.Named(a.Name, v)
		}
		list[i] = v
	}
	return list
}

type result sql.Result

// LastInsertId implements driver.Result.
func (r result) LastInsertId() (int64, error) { return r.LastID, nil }

// RowsAffected implements driver.Result.
func (r result) RowsAffected() (int64, error) { return r.Changed, nil }

type rows struct {
	*sql.Rows
	columns []abi.SQLColumn
}

// Columns implements driver.Rows.
func (r *rows) Columns() []string {
	names := make([]string, len(r.columns))
	for i, c := range r.columns {
		names[i] = c.Name
	}
	return names
}

// ColumnTypeDatabaseTypeName implements driver.RowsColumnTypeDatabaseTypeName.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return strings.ToUpper(r.columns[i].Type) }

// Next implements driver.Rows.
func (r *rows) Next(to []driver.Value) error {
	if !r.Rows.Next() {
		if err := r.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	for i := range to {
		v := &r.Row()[i]
		if t, ok := dated(r.columns[i].Type, v); ok {
			to[i] = t
			continue
		}
		to[i] = sql.Any(v)
	}
	return nil
}

// dated returns a value of a column of dates as a time.
func dated(declared string, v *sql.Value) (t time.Time, ok bool) {
	switch strings.ToUpper(declared) {
	case "DATE", "DATETIME", "TIMESTAMP":
	default:
		return t, false
	}
	if v.Type == abi.SQLInteger {
		return time.Unix(int64(v.Bits), 0).UTC(), true
	}
	if v.Type != abi.SQLText {
		return t, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, v.Text); err == nil {
			return t, true
		}
	}
	return t, false
}
