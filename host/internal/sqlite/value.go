package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Kind is the type of a value.
type Kind uint8

// The types that SQLite has.
const (
	Null Kind = iota
	Int
	Float
	Text
	Blob
)

// Value is a parameter, or a column of a row.
type Value struct {
	Name  string // of a parameter, without its first character; "" = it is known by its place
	Kind  Kind
	Int   int64
	Float float64
	Bytes []byte // of a Text or a Blob
}

// Result is what a statement did.
type Result struct {
	Changed int64 // rows
	Last    int64 // the rowid of the row that was inserted last in the attempt, 0 = of none
}

// Exec runs one statement to its end. Rows that it returns are dropped. Errors by fault
// code: Invalid (what SQLite says about the statement), Deadline (the end of the context),
// TooLarge (a bound of this package, or of what a transaction writes), and those of the
// transaction.
func (c *Conn) Exec(sql string, args []Value) (res Result, err error) {
	rows, err := c.Query(sql, args)
	if err != nil {
		return res, err
	}
	defer func() { _ = rows.Close() }() // it is at its end, or has failed
	before := c.db.TotalChanges()
	for more := true; more; {
		if more, err = rows.Next(); err != nil {
			return res, err
		}
	}
	if c.db.TotalChanges() != before {
		res.Changed = c.db.Changes()
	}
	res.Last = c.db.LastInsertRowID()
	return res, nil
}

// Rows are what a query finds. Close them once: what the statement changes is done then
// at the latest. They are of no use after the attempt's End.
type Rows struct {
	c    *Conn
	stmt *statement
}

// Query runs one statement up to its first row. Errors are those of Exec.
func (c *Conn) Query(sql string, args []Value) (rows *Rows, err error) {
	err = c.guard(func() error {
		rows, err = c.query(sql, args)
		return c.failed(err)
	})
	return rows, err
}

func (c *Conn) query(sql string, args []Value) (*Rows, error) {
	if err := c.refresh(); err != nil {
		return nil, err
	}
	stmt, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	if stmt.checks {
		if err := c.renew(); err != nil {
			_ = c.release(stmt)
			return nil, err
		}
	}
	if n := stmt.params; n != len(args) {
		_ = c.release(stmt)
		return nil, fault.New(fault.Invalid, "sql", fmt.Sprintf("the statement has %d parameters, and %d values are given", n, len(args)))
	}
	for i := range args {
		if err := bindArg(stmt.Stmt, i+1, &args[i]); err != nil {
			_ = c.release(stmt)
			return nil, err
		}
	}
	c.open++
	return &Rows{c, stmt}, nil
}

// bindArg gives a parameter its value: that of a name, or else number i.
func bindArg(s *sqlite3.Stmt, i int, v *Value) error {
	if v.Name == "" {
		return bind(s, i, v)
	}
	for _, first := range []string{":", "@", "$"} {
		if n := s.BindIndex(first + v.Name); n != 0 {
			return bind(s, n, v)
		}
	}
	return fault.New(fault.Invalid, "sql", fmt.Sprintf("the statement has no parameter %.64q", v.Name))
}

func bind(s *sqlite3.Stmt, i int, v *Value) error {
	switch v.Kind {
	case Int:
		return s.BindInt64(i, v.Int)
	case Float:
		return s.BindFloat(i, v.Float)
	case Text:
		return s.BindRawText(i, v.Bytes)
	case Blob:
		if len(v.Bytes) == 0 { // else it is null
			return s.BindZeroBlob(i, 0)
		}
		return s.BindBlob(i, v.Bytes)
	}
	return s.BindNull(i)
}

// Column is one of a query.
type Column struct {
	Name string
	Type string // as the table declares it, "" = it is computed
}

// Width returns how many columns there are, 0 of a statement that finds nothing.
func (r *Rows) Width() (n int, err error) {
	err = r.c.guard(func() error {
		n = r.stmt.ColumnCount()
		return nil
	})
	return n, err
}

// Writes reports whether the statement may change something.
func (r *Rows) Writes() bool { return !r.stmt.ReadOnly() }

// Columns returns the columns, none of a statement that finds nothing.
func (r *Rows) Columns() (list []Column, err error) {
	err = r.c.guard(func() error {
		list = make([]Column, r.stmt.ColumnCount())
		for i := range list {
			list[i] = Column{r.stmt.ColumnName(i), r.stmt.ColumnDeclType(i)}
		}
		return nil
	})
	return list, err
}

// Next goes on to the next row, and reports whether there is one.
func (r *Rows) Next() (more bool, err error) {
	err = r.c.guard(func() error {
		r.c.moment = time.Time{}
		if more = r.stmt.Step(); more {
			return nil
		}
		return r.c.failed(r.stmt.Err())
	})
	return more, err
}

// Value returns a column of the row. Its bytes are valid until the next call.
func (r *Rows) Value(i int) (v Value, err error) {
	err = r.c.guard(func() error {
		v = column(r.stmt.Stmt, i)
		return nil
	})
	return v, err
}

func column(s *sqlite3.Stmt, i int) Value {
	switch s.ColumnType(i) {
	case sqlite3.INTEGER:
		return Value{Kind: Int, Int: s.ColumnInt64(i)}
	case sqlite3.FLOAT:
		return Value{Kind: Float, Float: s.ColumnFloat(i)}
	case sqlite3.TEXT:
		return Value{Kind: Text, Bytes: s.ColumnRawText(i)}
	case sqlite3.BLOB:
		return Value{Kind: Blob, Bytes: s.ColumnRawBlob(i)}
	}
	return Value{}
}

// Close ends the query. An error, one of Exec's, says that what the statement was to
// change is not done.
func (r *Rows) Close() error {
	r.c.open--
	return r.c.guard(func() error {
		reads := r.stmt.ReadOnly()
		if err := r.c.failed(r.c.release(r.stmt)); !reads {
			return err
		}
		return nil
	})
}

// failed is the error of a call of SQLite, nil if err is.
func (c *Conn) failed(err error) error {
	switch {
	case err == nil:
		return nil
	case c.file.failure != nil: // what SQLite calls an error of its disk
		err, c.file.failure = c.file.failure, nil
		return err
	case isFault(err):
		return err
	case errors.Is(err, sqlite3.INTERRUPT):
		return fault.Wrap(fault.Deadline, "sql", "out of time within a statement", context.DeadlineExceeded)
	case errors.Is(err, sqlite3.TOOBIG):
		return fault.New(fault.TooLarge, "sql", fmt.Sprintf("a statement has at most %d bytes, and a value or a row as many", MaxSQL))
	case errors.Is(err, sqlite3.AUTH) && c.refusal != "":
		return fault.Wrap(fault.Invalid, "sql", c.refusal, err)
	case errors.Is(err, sqlite3.CORRUPT_VTAB): // what a plugin has made of a virtual table
	case errors.Is(err, sqlite3.CORRUPT), errors.Is(err, sqlite3.NOTADB), errors.Is(err, sqlite3.IOERR):
		c.spent = true
		return fault.Wrap(fault.Internal, "sql", "the database is damaged", err)
	}
	return fault.Wrap(fault.Invalid, "sql", strings.TrimPrefix(err.Error(), "sqlite3: "), err)
}

// CodeOf returns SQLite's extended result code of an error, 0 of one that is not SQLite's.
func CodeOf(err error) uint32 {
	if code, ok := errors.AsType[sqlite3.ExtendedErrorCode](err); ok { // also of an error that is nothing else
		return uint32(code)
	}
	return 0
}

func isFault(err error) bool {
	_, ok := errors.AsType[*fault.Error](err)
	return ok
}
