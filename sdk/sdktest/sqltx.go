package sdktest

import (
	"context"
	"errors"
	"reflect"
	"regexp"
)

// within are statements of a transaction, which lies within that of the attempt here.
var within = []struct {
	form   *regexp.Regexp
	begins bool
	do     []string
	wrong  string // what SQLite says where there is a transaction already, or none
}{
	{regexp.MustCompile(`(?i)^\s*BEGIN\b`), true, []string{"SAVEPOINT wasmoor_within"}, "cannot start a transaction within a transaction"},
	{regexp.MustCompile(`(?i)^\s*(COMMIT|END)\b`), false, []string{"RELEASE wasmoor_within"}, "cannot commit - no transaction is active"},
	{
		regexp.MustCompile(`(?i)^\s*ROLLBACK\s*(TRANSACTION)?\s*;?\s*$`), false,
		[]string{"ROLLBACK TO wasmoor_within", "RELEASE wasmoor_within"},
		"cannot rollback - no transaction is active",
	},
}

// transaction begins or ends one within that of the attempt.
func (o *database) transaction(begins bool, do []string, wrong string) error {
	if begins == o.within {
		return misplacedError(wrong)
	}
	o.within = begins
	for _, statement := range do {
		if _, err := o.conn.ExecContext(context.Background(), statement); err != nil {
			return err
		}
	}
	return nil
}

// misplacedError is SQLite's of a statement that has no place in a transaction, or none
// outside one.
type misplacedError string

func (e misplacedError) Error() string { return string(e) }

// Code is what codeOf finds: SQLite's of an error that has no other.
func (misplacedError) Code() int { return 1 }

// stays panics if a statement that has failed has ended the transaction of the attempt, in
// which other statements are done that the server keeps.
func (o *database) stays() {
	if _, err := o.conn.ExecContext(context.Background(), "BEGIN"); err == nil {
		panic("sdktest: SQL[" + o.name + "]: a statement has rolled back the transaction that stands for the request (OR ROLLBACK, ON CONFLICT ROLLBACK or RAISE(ROLLBACK)): " +
			"the server undoes what BEGIN has begun alone, which this database cannot; write ABORT in place of ROLLBACK")
	}
}

// codeOf returns SQLite's extended result code of an error of any driver: each has a
// method or a field for it, of a type of its own, or is the code.
func codeOf(err error) uint32 {
	if err == nil {
		return 0
	}
	v := reflect.ValueOf(err)
	if (v.CanInt() || v.CanUint()) && v.MethodByName("Code").IsValid() { // of its lowest byte
		return number(v)
	}
	for _, name := range []string{"ExtendedCode", "Code"} {
		if m := v.MethodByName(name); m.IsValid() && m.Type().NumIn() == 0 && m.Type().NumOut() == 1 {
			return number(m.Call(nil)[0])
		}
	}
	if v.Kind() == reflect.Struct {
		if f := v.FieldByName("ExtendedCode"); f.IsValid() {
			return number(f)
		}
	}
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range all.Unwrap() {
			if code := codeOf(one); code != 0 {
				return code
			}
		}
	}
	return codeOf(errors.Unwrap(err))
}

func number(v reflect.Value) uint32 {
	switch {
	case v.CanInt():
		return uint32(v.Int())
	case v.CanUint():
		return uint32(v.Uint())
	}
	return 0
}
