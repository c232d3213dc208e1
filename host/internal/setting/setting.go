// Package setting reads a flat struct whose fields are settings: their keys in a file,
// their values as text, and what differs between two. Only package host imports it.
package setting

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// kinds are those of the fields that an operator writes.
var kinds = []reflect.Kind{reflect.String, reflect.Int, reflect.Int64, reflect.Bool}

// renamed are the keys that are not the name of their field in small letters.
var renamed = map[string]string{"DataDir": "data", "PublicAddr": "public", "AdminAddr": "admin", "MetricsAddr": "metrics"}

// Key returns the key that a field has in a config file: its name in small letters, with
// _ between the words.
func Key(field string) string {
	if key, ok := renamed[field]; ok {
		return key
	}
	var key strings.Builder
	for i, r := range field {
		begins := i > 0 && unicode.IsUpper(r)
		inside := begins && unicode.IsUpper(rune(field[i-1])) && (i+1 == len(field) || unicode.IsUpper(rune(field[i+1])))
		if begins && !inside {
			key.WriteByte('_')
		}
		key.WriteRune(unicode.ToLower(r))
	}
	return key.String()
}

// Text returns the value of a field of the struct that of points at, as an operator
// would write it, without quotes.
func Text(of any, field string) string { return text(reflect.ValueOf(of).Elem().FieldByName(field)) }

func text(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case int64:
		return limit.FormatSize(value)
	default:
		return fmt.Sprint(value)
	}
}

// Difference is a field that two structs have other values of.
type Difference struct{ Field, From, To string }

// Differences lists the fields that an operator writes, but for some, in which two
// structs of one type differ, in their order.
func Differences[T any](from, to *T, but []string) (list []Difference) {
	a, b := reflect.ValueOf(from).Elem(), reflect.ValueOf(to).Elem()
	for i := range a.NumField() {
		name := a.Type().Field(i).Name
		if slices.Contains(but, name) || !slices.Contains(kinds, a.Field(i).Kind()) || a.Field(i).Equal(b.Field(i)) {
			continue
		}
		list = append(list, Difference{name, text(a.Field(i)), text(b.Field(i))})
	}
	return list
}
