package sdktest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
)

// databases are what an attempt has of Host.SQL.
type databases struct {
	open    []*database
	queries []*query
	last    uint32
	failed  bool
	code    uint32
	message string
}

// database is one that the attempt uses, in a transaction of its own.
type database struct {
	name   string
	conn   *sql.Conn
	wrote  bool
	within bool  // a transaction of the handler's is open
	last   int64 // the rowid that was inserted last
}

// query is one that is open.
type query struct {
	handle  uint32
	columns []abi.SQLColumn
	rows    [][]byte
	err     error // after them
}

// end commits or undoes what the attempt has done, and reports whether that was anything.
func (d *databases) end(commit bool) (wrote bool, err error) {
	for _, o := range d.open {
		wrote = wrote || o.wrote
		do := "ROLLBACK"
		if commit {
			do = "COMMIT"
		}
		_, failed := o.conn.ExecContext(context.Background(), do)
		err = errors.Join(err, failed, o.conn.Close())
	}
	*d = databases{}
	return wrote, err
}

// wrote reports whether the attempt has changed something.
func (d *databases) wrote() bool {
	return slices.ContainsFunc(d.open, func(o *database) bool { return o.wrote })
}

// database returns one of the attempt, in its transaction.
func (c *call) database(name string) (*database, int64) {
	d := &c.sql
	if i := slices.IndexFunc(d.open, func(o *database) bool { return o.name == name }); i >= 0 {
		return d.open[i], 0
	}
	switch pool := c.host.SQL[name]; {
	case len(c.host.SQL) == 0:
		return nil, int64(abi.Denied)
	case pool == nil:
		return nil, d.wrong(abi.NotFound, 0, fmt.Sprintf("the manifest has no [sql.%.63s]", name))
	default:
		conn, err := pool.Conn(context.Background())
		if err == nil {
			_, err = conn.ExecContext(context.Background(), "BEGIN")
		}
		if err != nil {
			panic("sdktest: SQL[" + name + "]: " + err.Error())
		}
		d.open = append(d.open, &database{name: name, conn: conn})
		return d.open[len(d.open)-1], 0
	}
}

func (d *databases) wrong(s abi.Status, code uint32, message string) int64 {
	d.failed, d.code, d.message = true, code, message
	return int64(s)
}

// refused is the answer to a statement that fails.
func (d *databases) refused(err error) int64 { return d.wrong(abi.Invalid, codeOf(err), err.Error()) }

// plain are statements that change nothing.
var plain = regexp.MustCompile(`(?i)^\s*(SELECT|VALUES|EXPLAIN|PRAGMA|BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)\b`)

// inserts are statements that may insert rows.
var inserts = regexp.MustCompile(`(?i)\b(INSERT|REPLACE)\b`)

// did notes what a statement that has ended without an error did to rows.
func (o *database) did(statement string, rows int64) {
	if plain.MatchString(statement) {
		return
	}
	o.wrote = true
	if last := int64(0); rows > 0 && inserts.MatchString(statement) {
		if o.conn.QueryRowContext(context.Background(), "SELECT last_insert_rowid()").Scan(&last) == nil && last != 0 {
			o.last = last
		}
	}
}

// changes returns how many rows the connection has changed.
func (o *database) changes() (n int64) {
	_ = o.conn.QueryRowContext(context.Background(), "SELECT total_changes()").Scan(&n)
	return n
}

// arguments decodes the parameters of a statement.
func (c *call) arguments(statement string, layout []byte) (list []any, refused int64) {
	args, ok := abi.DecodeSQLArgs(string(layout))
	if !ok {
		return nil, c.sql.wrong(abi.Invalid, 0, "the list of parameters breaks its layout")
	}
	for _, a := range args {
		var v any
		switch a.Type {
		case abi.SQLInteger:
			v = int64(a.Bits)
		case abi.SQLFloat:
			v = math.Float64frombits(a.Bits)
		case abi.SQLText:
			v = a.Text
		case abi.SQLBlob:
			v = []byte(a.Text)
		}
		if a.Name != "" {
			if !regexp.MustCompile(`[:@$]` + regexp.QuoteMeta(a.Name) + `\b`).MatchString(statement) {
				return nil, c.sql.wrong(abi.Invalid, 0, fmt.Sprintf("the statement has no parameter %.64q", a.Name))
			}
			v = sql.Named(a.Name, v)
		}
		list = append(list, v)
	}
	return list, 0
}

// prepared does something with a statement, so that it is one, and has as many parameters
// as there are arguments. A refusal is below 0.
func (c *call) prepared(name, statement string, layout []byte, do func(*database, *sql.Stmt, []any) error) int64 {
	args, refused := c.arguments(statement, layout)
	db, none := c.database(name)
	switch {
	case db == nil:
		return none
	case refused != 0:
		return refused
	case strings.Trim(statement, " \t\r\n;") == "":
		return c.sql.wrong(abi.Invalid, 0, "there is no statement")
	}
	stmt, err := db.conn.PrepareContext(context.Background(), statement)
	if err == nil {
		err = do(db, stmt, args)
		_ = stmt.Close()
	}
	if err != nil {
		db.stays()
		return c.sql.refused(err)
	}
	return 0
}

func (c *call) SQLExec(name, statement string, layout, result []byte) int64 {
	if len(result) < abi.SQLResultSize {
		return c.sql.wrong(abi.Invalid, 0, "the buffer for the result has less than 16 bytes")
	}
	var changed, last int64
	refused := c.prepared(name, statement, layout, func(db *database, stmt *sql.Stmt, args []any) error {
		defer func() { last = db.last }()
		for _, w := range within {
			if w.form.MatchString(statement) {
				return db.transaction(w.begins, w.do, w.wrong)
			}
		}
		before := db.changes()
		res, err := stmt.ExecContext(context.Background(), args...)
		if err != nil {
			return err
		}
		if db.changes() != before { // else the driver has the number of a statement before
			changed, _ = res.RowsAffected()
		}
		db.did(statement, changed)
		return nil
	})
	if refused != 0 {
		return refused
	}
	return int64(len(abi.AppendUint64(abi.AppendUint64(result[:0], uint64(changed)), uint64(last))))
}

func (c *call) SQLQuery(name, statement string, layout []byte) int64 {
	refused := c.prepared(name, statement, layout, func(db *database, stmt *sql.Stmt, args []any) error {
		rows, err := stmt.QueryContext(context.Background(), args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		q, err := read(rows)
		if err == nil && len(q.rows) == 0 {
			err = q.err
		}
		if err != nil {
			return err
		}
		_ = rows.Close() // before its connection is used again
		db.did(statement, int64(len(q.rows)))
		c.sql.last++
		q.handle = c.sql.last
		c.sql.queries = append(c.sql.queries, q)
		return nil
	})
	if refused != 0 {
		return refused
	}
	return int64(c.sql.last)
}

// read takes all rows.
func read(rows *sql.Rows) (*query, error) {
	q := &query{}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	for _, t := range types {
		q.columns = append(q.columns, abi.SQLColumn{Name: t.Name(), Type: t.DatabaseTypeName()})
	}
	for rows.Next() {
		values, to := make([]any, len(types)), make([]any, len(types))
		for i := range values {
			to[i] = &values[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		var row []byte
		for _, v := range values {
			row = appendColumn(row, v)
		}
		q.rows = append(q.rows, row)
	}
	q.err = rows.Err()
	return q, nil
}

// appendColumn appends what a driver makes of a value.
func appendColumn(b []byte, v any) []byte {
	switch v := v.(type) {
	case int64:
		return abi.AppendSQLInteger(b, v)
	case bool:
		if v {
			return abi.AppendSQLInteger(b, 1)
		}
		return abi.AppendSQLInteger(b, 0)
	case float64:
		return abi.AppendSQLFloat(b, math.Float64bits(v))
	case string:
		return abi.AppendSQLText(b, v)
	case []byte:
		return abi.AppendSQLBlob(b, v)
	case time.Time:
		return abi.AppendSQLText(b, v.Format(time.RFC3339Nano))
	}
	return abi.AppendSQLNull(b)
}

func (c *call) query(handle uint32) *query {
	for _, q := range c.sql.queries {
		if q.handle == handle {
			return q
		}
	}
	if len(c.host.SQL) > 0 {
		c.sql.wrong(abi.NotFound, 0, "there is no such query: it was closed, or failed")
	}
	return nil
}

func (c *call) SQLColumns(handle uint32, buf []byte) int64 {
	q := c.query(handle)
	if q == nil {
		return int64(abi.NotFound)
	}
	return fill(buf, abi.AppendSQLColumns(nil, q.columns))
}

func (c *call) SQLRows(handle, limit uint32, buf []byte) int64 {
	q := c.query(handle)
	if q == nil {
		return int64(abi.NotFound)
	}
	size, n := abi.SQLPageHeaderSize, 0
	for n < len(q.rows) && (limit == 0 || n < int(limit)) {
		if size+len(q.rows[n]) > len(buf) {
			if n == 0 {
				return int64(size + len(q.rows[n]))
			}
			break
		}
		size += len(q.rows[n])
		n++
	}
	if n == 0 && q.err != nil {
		c.SQLClose(handle)
		return c.sql.refused(q.err)
	}
	page := abi.AppendSQLPageHeader(nil, uint32(n), n < len(q.rows) || q.err != nil, uint32(len(q.columns)))
	page = append(page, slices.Concat(q.rows[:n]...)...)
	if len(page) <= len(buf) {
		q.rows = q.rows[n:]
	}
	return fill(buf, page)
}

func (c *call) SQLClose(handle uint32) int64 {
	q := c.query(handle)
	if q == nil {
		return int64(abi.NotFound)
	}
	c.sql.queries = slices.DeleteFunc(c.sql.queries, func(other *query) bool { return other == q })
	return 0
}

func (c *call) SQLError(buf []byte) int64 {
	if !c.sql.failed {
		return int64(abi.NotFound)
	}
	return fill(buf, abi.AppendSQLError(nil, c.sql.code, strings.TrimPrefix(c.sql.message, "sqlite3: ")))
}
