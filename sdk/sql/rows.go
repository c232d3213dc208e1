package sql

import (
	"math"
	"strconv"
	"unsafe"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Rows are what a query finds. Close them; reading them to their end does it too.
type Rows struct {
	database Database
	handle   uint32
	open     bool // the host has the query
	more     bool // the host may have rows
	read     bool // a page was
	least    int  // bytes of the largest row that had no room
	page     abi.SQLPage
	row      []Value
	err      error
}

// state is what the queries of a request begin with.
var state = newQueries()

// queries has its buffers inside, so that a small query writes to one page of memory: the
// host puts back the pages that a request has written. With what Go adds it has 4 KiB.
type queries struct {
	spare  *Rows  // for the first query
	room   []byte // what no page of rows is in; texts of rows share the memory before it
	rows   Rows
	values [16]Value
	first  [3 << 10]byte
}

func newQueries() *queries {
	q := new(queries)
	q.spare, q.room = &q.rows, q.first[:]
	return q
}

// Value is a column of a row.
type Value = abi.SQLValue

// Bytes for a page of rows. Those of a query are large from the second on.
const (
	leastRoom = 1 << 10
	newRoom   = 4 << 10
	largeRoom = 32 << 10
)

// Next goes on to the next row, and reports whether there is one. After false, Err says
// whether that was the end.
func (r *Rows) Next() bool {
	for r.err == nil {
		more, ok := r.page.Row(r.row)
		switch {
		case !ok:
			r.err = &Error{Database: string(r.database), Status: abi.Internal, Message: "the host's page of rows is cut off"}
		case more:
			return true
		case !r.more:
			_ = r.Close()
			return false
		default:
			r.fetch()
		}
	}
	return false
}

// newRows returns the Rows of a query.
func newRows(d Database, handle uint32) *Rows {
	r := state.spare
	if state.spare = nil; r == nil {
		r = new(Rows)
	}
	r.database, r.handle, r.open, r.more = d, handle, true, true
	return r
}

// values returns room for the columns of a row.
func (r *Rows) values(columns int) []Value {
	if r == &state.rows && columns <= len(state.values) {
		return state.values[:columns]
	}
	return make([]Value, columns)
}

// fetch reads the next page.
func (r *Rows) fetch() {
	switch {
	case r.read && len(state.room) < max(largeRoom/2, r.least):
		state.room = make([]byte, max(largeRoom, r.least))
	case len(state.room) < leastRoom:
		state.room = make([]byte, newRoom)
	}
	buf := state.room
	n := hostcall.SQLRows(r.handle, 0, buf)
	if n > int64(len(buf)) {
		r.least = int(n)
		buf = make([]byte, n)
		n = hostcall.SQLRows(r.handle, 0, buf)
	}
	if n > int64(len(buf)) {
		n = int64(abi.Internal)
	}
	if n < 0 {
		r.open = false // a query that fails is closed
		r.err = failed(string(r.database), n)
		return
	}
	page, _ := abi.DecodeSQLPage(unsafe.String(unsafe.SliceData(buf), n)) // what is wrong with it shows in its rows
	r.page, r.more, r.read, state.room = page, page.More, true, buf[n:]
	if r.row == nil {
		r.row = r.values(page.Columns)
	}
}

// Row returns the columns of the row. They are good until the next call.
func (r *Rows) Row() []Value { return r.row }

// Err returns what ended the rows before their end, or nil.
func (r *Rows) Err() error { return r.err }

// Close ends the query. It may be called more than once.
func (r *Rows) Close() error {
	if !r.open {
		return r.err
	}
	r.open, r.more, r.page = false, false, abi.SQLPage{}
	if n := hostcall.SQLClose(r.handle); n < 0 && r.err == nil {
		r.err = failed(string(r.database), n)
	}
	return r.err
}

// Columns returns the names of the columns and the types that their table declares.
func (r *Rows) Columns() ([]abi.SQLColumn, error) {
	b, status := hostcall.ReadShared(func(buf []byte) int64 { return hostcall.SQLColumns(r.handle, buf) })
	if status < 0 {
		return nil, failed(string(r.database), int64(status))
	}
	list, ok := abi.DecodeSQLColumns(string(b))
	if !ok {
		return nil, &Error{Database: string(r.database), Status: abi.Internal, Message: "the host's list of columns is cut off"}
	}
	return list, nil
}

// Scan copies the columns of the row to what to points to, in order: *int64, *int, *bool,
// *float64, *string, *[]byte, *any, a pointer to a pointer to one of the first five (nil
// for null), or nil to pass over a column. A number is read as another kind of number if
// it is the same, and as a text; a text as a number if it is one. Null is no value of
// the types that are not pointers, but of []byte and any.
func (r *Rows) Scan(to ...any) error {
	if len(to) != len(r.row) {
		return r.wrong("the row has " + strconv.Itoa(len(r.row)) + " columns, and Scan is given " + strconv.Itoa(len(to)))
	}
	for i := range to {
		if !scan(to[i], &r.row[i]) {
			return r.wrong("column " + strconv.Itoa(i+1) + " is " + describe(&r.row[i]) + ", which does not fit what Scan is given for it")
		}
	}
	return nil
}

func (r *Rows) wrong(message string) error {
	return &Error{Database: string(r.database), Status: ErrInvalid, Message: message}
}

func describe(v *Value) string {
	switch v.Type {
	case abi.SQLInteger:
		return "the integer " + strconv.FormatInt(int64(v.Bits), 10)
	case abi.SQLFloat:
		return "the number " + strconv.FormatFloat(math.Float64frombits(v.Bits), 'g', -1, 64)
	case abi.SQLText:
		return "the text " + strconv.Quote(v.Text[:min(len(v.Text), 40)])
	case abi.SQLBlob:
		return "a blob of " + strconv.Itoa(len(v.Text)) + " bytes"
	}
	return "null"
}

func scan(to any, v *Value) (ok bool) {
	switch p := to.(type) {
	case nil:
		return true
	case *any:
		*p = Any(v)
		return true
	case *[]byte:
		return scanBytes(p, v)
	case *int64:
		*p, ok = toInt(v)
	case *int:
		var n int64
		n, ok = toInt(v)
		*p = int(n)
		ok = ok && int64(*p) == n
	case *bool:
		var n int64
		n, ok = toInt(v)
		*p = n != 0
	case *float64:
		*p, ok = toFloat(v)
	case *string:
		*p, ok = toText(v)
	case **int64:
		return orNull(p, v, toInt)
	case **float64:
		return orNull(p, v, toFloat)
	case **string:
		return orNull(p, v, toText)
	case **int:
		return orNull(p, v, func(v *Value) (int, bool) { n, ok := toInt(v); return int(n), ok && int64(int(n)) == n })
	case **bool:
		return orNull(p, v, func(v *Value) (bool, bool) { n, ok := toInt(v); return n != 0, ok })
	}
	return ok
}

func orNull[T any](p **T, v *Value, read func(*Value) (T, bool)) bool {
	*p = nil
	if v.Type == abi.SQLNull {
		return true
	}
	value, ok := read(v)
	if ok {
		*p = &value
	}
	return ok
}

func scanBytes(p *[]byte, v *Value) bool {
	if v.Type == abi.SQLNull {
		*p = nil
		return true
	}
	text, ok := toText(v)
	*p = []byte(text)
	return ok
}

func toInt(v *Value) (int64, bool) {
	switch v.Type {
	case abi.SQLInteger:
		return int64(v.Bits), true
	case abi.SQLFloat:
		n := int64(math.Float64frombits(v.Bits))
		return n, float64(n) == math.Float64frombits(v.Bits)
	case abi.SQLText:
		n, err := strconv.ParseInt(v.Text, 10, 64)
		return n, err == nil
	}
	return 0, false
}

func toFloat(v *Value) (float64, bool) {
	switch v.Type {
	case abi.SQLInteger:
		return float64(int64(v.Bits)), true
	case abi.SQLFloat:
		return math.Float64frombits(v.Bits), true
	case abi.SQLText:
		f, err := strconv.ParseFloat(v.Text, 64)
		return f, err == nil
	}
	return 0, false
}

func toText(v *Value) (string, bool) {
	switch v.Type {
	case abi.SQLInteger:
		return strconv.FormatInt(int64(v.Bits), 10), true
	case abi.SQLFloat:
		return strconv.FormatFloat(math.Float64frombits(v.Bits), 'g', -1, 64), true
	case abi.SQLText, abi.SQLBlob:
		return v.Text, true
	}
	return "", false
}

// Any returns a column as nil, an int64, a float64, a string or a []byte.
func Any(v *Value) any {
	switch v.Type {
	case abi.SQLInteger:
		return int64(v.Bits)
	case abi.SQLFloat:
		return math.Float64frombits(v.Bits)
	case abi.SQLText:
		return v.Text
	case abi.SQLBlob:
		return []byte(v.Text)
	}
	return nil
}
