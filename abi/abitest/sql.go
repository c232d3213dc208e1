package abitest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"

	"github.com/wasmoor/wasmoor/abi"
)

// sqlArg is a value of SQL: null, a number (with a point or an exponent a float), a text,
// {"blob": HEX}, or a parameter {"name": NAME, "value": VALUE}.
type sqlArg struct{ abi.SQLArg }

// UnmarshalJSON reads a value.
func (a *sqlArg) UnmarshalJSON(text []byte) error {
	switch text[0] {
	case 'n':
		return nil
	case '"':
		a.Type = abi.SQLText
		return json.Unmarshal(text, &a.Text)
	case '{':
		return a.object(text)
	}
	if bytes.ContainsAny(text, ".eE") {
		var f float64
		err := json.Unmarshal(text, &f)
		a.Type, a.Bits = abi.SQLFloat, math.Float64bits(f)
		return err
	}
	var n int64
	err := json.Unmarshal(text, &n)
	a.Type, a.Bits = abi.SQLInteger, uint64(n)
	return err
}

func (a *sqlArg) object(text []byte) error {
	var o struct {
		Blob  *string
		Name  string
		Value *sqlArg
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	switch {
	case o.Blob != nil:
		data, err := hex.DecodeString(*o.Blob)
		a.Type, a.Text = abi.SQLBlob, string(data)
		return err
	case o.Name != "":
		if o.Value != nil {
			*a = *o.Value
		}
		a.Name = o.Name
		return nil
	}
	return fmt.Errorf("%s is no value of SQL", text)
}

// sql returns the bytes of a form of SQL.
func (f *form) sql() (b []byte) {
	switch {
	case f.SQLArgs != nil:
		args := make([]abi.SQLArg, len(*f.SQLArgs))
		for i, a := range *f.SQLArgs {
			args[i] = a.SQLArg
		}
		return abi.AppendSQLArgs(nil, args)
	case f.SQLResult != nil:
		return abi.AppendUint64(abi.AppendUint64(nil, uint64(f.SQLResult[0])), uint64(f.SQLResult[1]))
	case f.SQLColumns != nil:
		return abi.AppendPairs(nil, Pairs(*f.SQLColumns))
	case f.SQLPage != nil:
		b = abi.AppendSQLPageHeader(nil, uint32(len(f.SQLPage.Rows)), f.SQLPage.More, f.SQLPage.Columns)
		for _, row := range f.SQLPage.Rows {
			for i := range row {
				b = abi.AppendSQLValue(b, &row[i].SQLValue)
			}
		}
		return b
	}
	return abi.AppendSQLError(nil, f.SQLError.Code, f.SQLError.Message)
}
