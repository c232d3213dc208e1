// Package sql is the plugin's SQLite databases, which the manifest has in tables
// [sql.NAME]. What statements do is a part of the request's transaction, with keys,
// messages and all else: they read the request's snapshot, see what it has written, and
// take effect when the request commits, or not at all. See package sdk for what commits.
//
//	[sql.main]
//	migrations = "migrations"
//
//	var db = sql.Database("main")
//
//	_, err := db.Exec("INSERT INTO users (name) VALUES (?)", name)
//
//	rows, err := db.Query("SELECT id, name FROM users WHERE name > ? LIMIT 20", after)
//	defer rows.Close()
//	for rows.Next() {
//		err := rows.Scan(&id, &name)
//	}
//	err = rows.Err()
//
// Package sql/driver is the same as a driver of database/sql, for what is written for
// that. This package is smaller and faster.
//
// The host's default limits: a statement, a text, a blob and a row have at most 1 MiB
// each; a request changes about 1,000 pages of 4 KiB.
package sql

import (
	"errors"
	"math"
	"strconv"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Errors, for errors.Is.
const (
	// ErrInvalid: SQLite refuses the statement; Error.Code and Message say why.
	ErrInvalid = abi.Invalid
	// ErrNotFound: the manifest has no such database, or the query is closed.
	ErrNotFound = abi.NotFound
	// ErrUnavailable: no request is being served, or the database takes no writes for
	// now because a migration or an import is under way.
	ErrUnavailable = abi.Unavailable
	// ErrDenied: the manifest has no database at all.
	ErrDenied = abi.Denied
	// ErrLimit: the statement is too large, or changes too much; nothing was done.
	ErrLimit = abi.Limit
)

// ErrNoRows is the error of Row.Scan where the query finds nothing.
var ErrNoRows = errors.New("sql: no rows")

// Error is a statement that failed. What it was to change is not done, but for OR FAIL,
// which keeps the rows before; OR ROLLBACK undoes what BEGIN has begun too. The request's
// transaction goes on.
type Error struct {
	Database string
	Status   abi.Status // below zero
	Code     uint32     // SQLite's extended result code, 0 = it is not SQLite's
	Message  string     // what SQLite or the host says, for the author
}

// SQLite's extended result codes that programs tell apart.
const (
	codeUnique     = 2067
	codePrimaryKey = 1555
	codeConstraint = 19 // and more in the bytes above the first
)

// Error names the database and the reason.
func (e *Error) Error() string {
	s := `sql "` + e.Database + `": `
	switch {
	case e.Message != "":
		return s + e.Message
	case e.Status == ErrDenied:
		return s + "the manifest has no database; add [sql.NAME] to wasmoor.toml"
	case e.Status == ErrUnavailable:
		return s + "databases are there while a request is handled, not in init functions and package variables"
	}
	return s + e.Status.String()
}

// Unwrap returns the status.
func (e *Error) Unwrap() error { return e.Status }

// IsUnique reports whether err says that a row with the same unique values exists.
func IsUnique(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Code == codeUnique || e.Code == codePrimaryKey)
}

// IsConstraint reports whether err says that a constraint does not hold: unique, not
// null, check, foreign key.
func IsConstraint(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code&0xff == codeConstraint
}

// failed makes the error of a result below zero.
func failed(database string, result int64) error {
	e := &Error{Database: database, Status: abi.Status(result)}
	b, status := hostcall.ReadShared(hostcall.SQLError)
	if status == abi.OK {
		e.Code, e.Message, _ = abi.DecodeSQLError(string(b))
	}
	return e
}

// Database is a database by its name in the manifest.
type Database string

// Result is what a statement did.
type Result struct {
	Changed int64 // rows
	LastID  int64 // the rowid that the request inserted last, 0 = none
}

// Exec runs one statement to its end. Rows that it finds are dropped. See Query for args.
func (d Database) Exec(statement string, args ...any) (r Result, err error) {
	layout, err := encode(d, args)
	if err != nil {
		return r, err
	}
	return d.exec(statement, layout)
}

func (d Database) exec(statement string, layout []byte) (r Result, err error) {
	var buf [abi.SQLResultSize]byte
	if n := hostcall.SQLExec(string(d), statement, layout, buf[:]); n < 0 {
		return r, failed(string(d), n)
	}
	read := abi.NewReader(string(buf[:]))
	return Result{int64(read.Uint64()), int64(read.Uint64())}, nil
}

// Query begins one statement and returns its rows, which the caller closes. The
// parameters of the statement get args: nil, integers, floats, a bool (as 0 or 1), a
// string, a []byte, or a Named one of these. A statement that changes something, like one
// with RETURNING, has done so when Query returns, whatever is read of its rows.
func (d Database) Query(statement string, args ...any) (*Rows, error) {
	layout, err := encode(d, args)
	if err != nil {
		return nil, err
	}
	return d.query(statement, layout)
}

func (d Database) query(statement string, layout []byte) (*Rows, error) {
	handle := hostcall.SQLQuery(string(d), statement, layout)
	if handle < 0 {
		return nil, failed(string(d), handle)
	}
	return newRows(d, uint32(handle)), nil
}

// QueryRow is Query for at most one row.
func (d Database) QueryRow(statement string, args ...any) *Row {
	rows, err := d.Query(statement, args...)
	return &Row{rows, err}
}

// Row is the first row of a query.
type Row struct {
	rows *Rows
	err  error
}

// Scan reads the row as Rows.Scan does. ErrNoRows: there is none.
func (r *Row) Scan(to ...any) error {
	if r.err != nil {
		return r.err
	}
	defer func() { _ = r.rows.Close() }()
	if !r.rows.Next() {
		if r.rows.err != nil {
			return r.rows.err
		}
		return ErrNoRows
	}
	if err := r.rows.Scan(to...); err != nil {
		return err
	}
	return r.rows.Close()
}

// Arg is a parameter by its name.
type Arg struct {
	Name  string // without :, @ or $
	Value any
}

// Named is the parameter :name, @name or $name.
func Named(name string, value any) Arg { return Arg{name, value} }

// encode makes the layout of parameters.
func encode(d Database, args []any) ([]byte, error) {
	if len(args) == 0 {
		return nil, nil
	}
	b := abi.AppendUint32(make([]byte, 0, 16*len(args)+4), uint32(len(args)))
	for i, a := range args {
		name := ""
		if named, ok := a.(Arg); ok {
			name, a = named.Name, named.Value
		}
		var ok bool
		if b, ok = appendValue(abi.AppendString(b, name), a); !ok {
			return nil, &Error{Database: string(d), Status: ErrInvalid, Message: "parameter " + strconv.Itoa(i+1) +
				" is of a type that SQL has not: pass nil, an integer, a float, a bool, a string or a []byte"}
		}
	}
	return b, nil
}

func appendValue(b []byte, a any) ([]byte, bool) {
	switch v := a.(type) {
	case nil:
		return abi.AppendSQLNull(b), true
	case string:
		return abi.AppendSQLText(b, v), true
	case []byte:
		if v == nil {
			return abi.AppendSQLNull(b), true
		}
		return abi.AppendSQLBlob(b, v), true
	case float64:
		return abi.AppendSQLFloat(b, math.Float64bits(v)), true
	case float32:
		return abi.AppendSQLFloat(b, math.Float64bits(float64(v))), true
	case bool:
		n := int64(0)
		if v {
			n = 1
		}
		return abi.AppendSQLInteger(b, n), true
	}
	n, ok := integer(a)
	return abi.AppendSQLInteger(b, n), ok
}

func integer(a any) (int64, bool) {
	switch v := a.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case int32:
		return int64(v), true
	case int16:
		return int64(v), true
	case int8:
		return int64(v), true
	case uint:
		return int64(v), int64(v) >= 0
	case uint64:
		return int64(v), int64(v) >= 0
	case uint32:
		return int64(v), true
	case uint16:
		return int64(v), true
	case uint8:
		return int64(v), true
	}
	return 0, false
}
