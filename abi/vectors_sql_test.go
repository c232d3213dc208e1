package abi

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
)

// sqlValue is a value in JSON: null, a number (with a point or an exponent a float), a
// text, {"blob": HEX}, or {"float": HEX}, the bits of a float that JSON has no word for.
type sqlValue struct{ SQLValue }

func (v *sqlValue) UnmarshalJSON(text []byte) (err error) {
	var o struct{ Blob, Float *string }
	switch {
	case text[0] == 'n':
		v.Type = SQLNull
	case text[0] == '"':
		v.Type = SQLText
		err = json.Unmarshal(text, &v.Text)
	case text[0] != '{' && strings.ContainsAny(string(text), ".eE"):
		var f float64
		err = json.Unmarshal(text, &f)
		v.Type, v.Bits = SQLFloat, math.Float64bits(f)
	case text[0] != '{':
		var n int64
		err = json.Unmarshal(text, &n)
		v.Type, v.Bits = SQLInteger, uint64(n)
	case json.Unmarshal(text, &o) != nil:
		err = fmt.Errorf("%s is no value", text)
	case o.Blob != nil:
		var data []byte
		data, err = hex.DecodeString(*o.Blob)
		v.Type, v.Text = SQLBlob, string(data)
	case o.Float != nil:
		v.Type = SQLFloat
		v.Bits, err = strconv.ParseUint(*o.Float, 16, 64)
	}
	return err
}

// sqlArg is a name and a value, as a list of two.
type sqlArg struct {
	name  string
	value sqlValue
}

func (a *sqlArg) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&a.name, &a.value})
}

type sqlPage struct {
	More    bool
	Columns int
	Rows    [][]sqlValue
}

type sqlError struct {
	Code    uint32
	Message string
}

var sqlArgs = codec{
	encode: func(tb testing.TB, v json.RawMessage) string {
		tb.Helper()
		var args []SQLArg
		for _, a := range parse[[]sqlArg](tb, v) {
			args = append(args, SQLArg{a.name, a.value.SQLValue})
		}
		return string(AppendSQLArgs(nil, args))
	},
	decode: func(b string, _ json.RawMessage) (any, bool) {
		args, ok := DecodeSQLArgs(b)
		list := []sqlArg{}
		for _, a := range args {
			list = append(list, sqlArg{a.Name, sqlValue{a.SQLValue}})
		}
		return list, ok
	},
	fresh: func() any { return new([]sqlArg) },
}

var sqlColumns = codec{
	encode: func(tb testing.TB, v json.RawMessage) string {
		tb.Helper()
		var columns []SQLColumn
		for _, c := range parse[[][2]string](tb, v) {
			columns = append(columns, SQLColumn{c[0], c[1]})
		}
		return string(AppendSQLColumns(nil, columns))
	},
	decode: func(b string, _ json.RawMessage) (any, bool) {
		columns, ok := DecodeSQLColumns(b)
		list := [][2]string{}
		for _, c := range columns {
			list = append(list, [2]string{c.Name, c.Type})
		}
		return list, ok
	},
	fresh: func() any { return new([][2]string) },
}

var sqlPages = codec{
	encode: func(tb testing.TB, v json.RawMessage) string {
		tb.Helper()
		p := parse[sqlPage](tb, v)
		b := AppendSQLPageHeader(nil, uint32(len(p.Rows)), p.More, uint32(p.Columns))
		for _, row := range p.Rows {
			for i := range row {
				b = AppendSQLValue(b, &row[i].SQLValue)
			}
		}
		return string(b)
	},
	decode: func(b string, _ json.RawMessage) (any, bool) {
		p, ok := DecodeSQLPage(b)
		page := sqlPage{p.More, p.Columns, [][]sqlValue{}}
		for more := ok; more; {
			row := make([]SQLValue, p.Columns)
			if more, ok = p.Row(row); !more {
				break
			}
			values := make([]sqlValue, len(row))
			for i := range row {
				values[i].SQLValue = row[i]
			}
			page.Rows = append(page.Rows, values)
		}
		return page, ok
	},
	fresh: func() any { return new(sqlPage) },
}

var sqlErrors = codec{
	encode: func(tb testing.TB, v json.RawMessage) string {
		tb.Helper()
		e := parse[sqlError](tb, v)
		return string(AppendSQLError(nil, e.Code, e.Message))
	},
	decode: func(b string, _ json.RawMessage) (any, bool) {
		code, message, ok := DecodeSQLError(b)
		return sqlError{code, message}, ok
	},
	fresh: func() any { return new(sqlError) },
}

// FuzzDecodeSQL decodes the layouts of SQL. Each has one encoding.
func FuzzDecodeSQL(f *testing.F) {
	for _, layout := range []string{"sql_args", "sql_columns", "sql_page", "sql_error"} {
		seed(f, layout)
	}
	f.Fuzz(func(t *testing.T, in string) {
		args, ok := DecodeSQLArgs(in)
		if len(args) > len(in)/sqlArgSize {
			t.Errorf("%d parameters out of %d bytes", len(args), len(in))
		}
		if ok && in != "" {
			checkPrefix(t, in, AppendSQLArgs(nil, args))
		}
		if columns, ok := DecodeSQLColumns(in); ok {
			checkPrefix(t, in, AppendSQLColumns(nil, columns))
		}
		if code, message, ok := DecodeSQLError(in); ok {
			checkPrefix(t, in, AppendSQLError(nil, code, message))
		}
		page, ok := DecodeSQLPage(in)
		if !ok {
			return
		}
		out, rows := []byte{}, uint32(0)
		for row := make([]SQLValue, page.Columns); ; rows++ {
			var more bool
			if more, ok = page.Row(row); !more {
				break
			}
			for i := range row {
				out = AppendSQLValue(out, &row[i])
			}
		}
		if !ok {
			return
		}
		if page.More { // any byte but 0 says so
			in = in[:4] + "\x01" + in[5:]
		}
		checkPrefix(t, in, append(AppendSQLPageHeader(nil, rows, page.More, uint32(page.Columns)), out...))
	})
}

// readSQLPage reads a page to its end, or up to what is wrong.
func readSQLPage(b string) {
	p, ok := DecodeSQLPage(b)
	for row := make([]SQLValue, p.Columns); ok; {
		if more, _ := p.Row(row); !more {
			return
		}
	}
}

func TestSQLArgsAreNoMoreThanSQLiteHas(t *testing.T) {
	for n, want := range map[int]bool{maxSQLArgs: true, maxSQLArgs + 1: false} {
		if args, ok := DecodeSQLArgs(string(AppendSQLArgs(nil, make([]SQLArg, n)))); ok != want || ok && len(args) != n {
			t.Errorf("of %d parameters %d decode, %v", n, len(args), ok)
		}
	}
}
