package abi

// Types of SQL values.
const (
	SQLNull uint32 = iota
	SQLInteger
	SQLFloat
	SQLText
	SQLBlob
)

// SQLResultSize is the size of what sql_exec tells: the rows it has changed, and the rowid
// of the row that was inserted last, i64 both.
const SQLResultSize = 16

// SQLValue is the value of a parameter of a statement, or of a column of a row.
type SQLValue struct {
	Type uint32 // SQL*
	Bits uint64 // of an SQLInteger, an i64, and of an SQLFloat, an f64
	Text string // the bytes of SQLText and SQLBlob
}

// SQLArg is the value of a parameter.
type SQLArg struct {
	Name string // without its first character; "" = the parameter is known by its place
	SQLValue
}

// SQLColumn is a column of a query.
type SQLColumn struct {
	Name string
	Type string // as the table declares it, "" = it is computed
}

// AppendSQLNull appends the value null.
func AppendSQLNull(b []byte) []byte { return append(b, byte(SQLNull)) }

// AppendSQLInteger appends an integer.
func AppendSQLInteger(b []byte, n int64) []byte {
	return AppendUint64(append(b, byte(SQLInteger)), uint64(n))
}

// AppendSQLFloat appends the bits of an f64.
func AppendSQLFloat(b []byte, bits uint64) []byte {
	return AppendUint64(append(b, byte(SQLFloat)), bits)
}

// AppendSQLText appends a text.
func AppendSQLText[T string | []byte](b []byte, text T) []byte {
	return AppendString(append(b, byte(SQLText)), text)
}

// AppendSQLBlob appends bytes.
func AppendSQLBlob[T string | []byte](b []byte, data T) []byte {
	return AppendString(append(b, byte(SQLBlob)), data)
}

// AppendSQLValue appends v.
func AppendSQLValue(b []byte, v *SQLValue) []byte {
	switch v.Type {
	case SQLInteger:
		return AppendSQLInteger(b, int64(v.Bits))
	case SQLFloat:
		return AppendSQLFloat(b, v.Bits)
	case SQLText:
		return AppendSQLText(b, v.Text)
	case SQLBlob:
		return AppendSQLBlob(b, v.Text)
	}
	return AppendSQLNull(b)
}

// AppendSQLArgs appends a list of parameters.
func AppendSQLArgs(b []byte, args []SQLArg) []byte {
	b = AppendUint32(b, uint32(len(args)))
	for i := range args {
		b = AppendSQLValue(AppendString(b, args[i].Name), &args[i].SQLValue)
	}
	return b
}

// SQLValue reads a value. Its text shares the input's memory.
func (r *Reader) SQLValue() (v SQLValue) {
	v.Type = uint32(r.byte())
	switch v.Type {
	case SQLNull:
	case SQLInteger, SQLFloat:
		v.Bits = r.Uint64()
	case SQLText, SQLBlob:
		v.Text = r.String()
	default:
		r.bad = true
	}
	return v
}

// A parameter takes sqlArgSize bytes at least: no name, and null. SQLite has no more than
// maxSQLArgs.
const (
	sqlArgSize = 5
	maxSQLArgs = 32_766
)

// DecodeSQLArgs reads a list of parameters. The empty input is the empty list. Their
// texts share b's memory. It reports whether b holds a whole list, of no more than SQLite
// has.
func DecodeSQLArgs(b string) (args []SQLArg, ok bool) {
	if b == "" {
		return nil, true
	}
	r := Reader{rest: b}
	n := r.Uint32()
	if n > maxSQLArgs || uint64(n)*sqlArgSize > uint64(len(r.rest)) {
		return nil, false
	}
	args = make([]SQLArg, n)
	for i := range args {
		args[i] = SQLArg{Name: r.String(), SQLValue: r.SQLValue()}
	}
	return args, !r.bad
}

// AppendSQLColumns appends a list of columns.
func AppendSQLColumns(b []byte, columns []SQLColumn) []byte {
	b = AppendUint32(b, uint32(len(columns)))
	for _, c := range columns {
		b = AppendString(AppendString(b, c.Name), c.Type)
	}
	return b
}

// DecodeSQLColumns reads a list of columns. It reports whether b holds a whole list.
func DecodeSQLColumns(b string) (columns []SQLColumn, ok bool) {
	r := Reader{rest: b}
	pairs := r.Pairs(nil)
	for _, p := range pairs {
		columns = append(columns, SQLColumn{p.Name, p.Value})
	}
	return columns, !r.bad
}

// maxSQLColumns is how many columns SQLite can have. A value takes a byte at least.
const maxSQLColumns = 32_767

// SQLPageHeaderSize is the size of a page without rows.
const SQLPageHeaderSize = 9

// AppendSQLPageHeader appends the start of a page of rows: how many there are, whether
// there are more after them, and how many columns each has. The values of the rows follow.
func AppendSQLPageHeader(b []byte, rows uint32, more bool, columns uint32) []byte {
	return AppendUint32(AppendPageHeader(b, rows, more), columns)
}

// SQLPage is a page of rows that is being read.
type SQLPage struct {
	More    bool // there are rows after it
	Columns int
	r       Reader
	rows    uint32
}

// DecodeSQLPage begins to read a page of rows, whose texts share b's memory.
func DecodeSQLPage(b string) (p SQLPage, ok bool) {
	p.r.rest = b
	p.rows = p.r.Uint32()
	p.More = p.r.byte() != 0
	columns := p.r.Uint32()
	if columns > maxSQLColumns || p.rows > 0 && columns == 0 || uint64(p.rows)*uint64(columns) > uint64(len(p.r.rest)) {
		p.r.bad = true
		return p, false
	}
	p.Columns = int(columns)
	return p, !p.r.bad
}

// Row reads the next row into row, which has a place for each column. more is false at
// the end; ok is false if the page is cut off.
func (p *SQLPage) Row(row []SQLValue) (more, ok bool) {
	if p.rows == 0 || p.r.bad {
		return false, !p.r.bad
	}
	p.rows--
	for i := range row {
		row[i] = p.r.SQLValue()
	}
	return !p.r.bad, !p.r.bad
}

// AppendSQLError appends what is known of an error of SQL.
func AppendSQLError(b []byte, code uint32, message string) []byte {
	return AppendString(AppendUint32(b, code), message)
}

// DecodeSQLError reads what AppendSQLError wrote: SQLite's extended result code, 0 = it is
// not SQLite's, and what it says. It reports whether b holds it whole.
func DecodeSQLError(b string) (code uint32, message string, ok bool) {
	r := Reader{rest: b}
	code, message = r.Uint32(), r.String()
	return code, message, !r.bad
}
