package manifest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// Table reads the keys of one table of the document. A key that is absent
// reads as zero and not set; one that breaks a rule is noted as a problem and
// reads as not set.
type Table struct {
	reader *reader
	path   string
	values map[string]any
}

// Empty reports whether a key has a list without entries.
func (t Table) Empty(key string) bool {
	items, ok := t.values[key].([]any)
	return ok && len(items) == 0
}

// only notes every key that is not among known.
func (t Table) only(known ...string) {
	for _, key := range sortedKeys(t.values) {
		switch {
		case slices.Contains(known, key) || t.reader.full():
		case slices.Contains(t.reserved(), key):
			t.Fail(key, "it is reserved for a later version; this host cannot do it yet, so leave it out")
		default:
			t.Fail(key, "unknown key%s", t.hint(key, known))
		}
	}
}

// reserved are the keys that later versions read in this table. One that was
// ignored would look granted: a private route would be public.
func (t Table) reserved() []string {
	switch {
	case t.path == "":
		return []string{"static", "auth"}
	case strings.HasPrefix(t.path, "route["):
		return []string{"auth", "rate", "rate_key", "stream"}
	}
	return nil
}

// Names returns the keys of the table, sorted.
func (t Table) Names() []string { return sortedKeys(t.values) }

// Sub returns the table under a key, which may have the keys that are named.
func (t Table) Sub(key string, keys ...string) (Table, bool) {
	sub, ok := t.table(key)
	if ok {
		sub.only(keys...)
	}
	return sub, ok
}

// Fail notes what is wrong with a key, for its author.
func (t Table) Fail(key, format string, args ...any) {
	t.reader.fail(join(t.path, key), format, args...)
}

// FailAt notes what is wrong with an entry of a list.
func (t Table) FailAt(key string, i int, format string, args ...any) {
	t.reader.fail(element(join(t.path, key), i), format, args...)
}

// Has reports whether the table has a key.
func (t Table) Has(key string) bool {
	_, ok := t.values[key]
	return ok
}

// IsTable reports whether a key has a table.
func (t Table) IsTable(key string) bool {
	_, ok := t.values[key].(map[string]any)
	return ok
}

// String reads a string.
func (t Table) String(key string) (string, bool) {
	return typed[string](t, key, "a string", asString)
}

// Bool reads true or false.
func (t Table) Bool(key string) bool {
	v, _ := typed[bool](t, key, "true or false", asBool)
	return v
}

// typed reads a value of one type. Of another type, meant returns the one to
// write, "" when there is no telling.
func typed[T any](t Table, key, want string, meant func(any) string) (T, bool) {
	var zero T
	value, set := t.values[key]
	if !set {
		return zero, false
	}
	v, ok := value.(T)
	if !ok {
		t.Fail(key, "it must be %s, not %s%s", want, kindOf(value), t.write(key, meant(value)))
		return zero, false
	}
	return v, true
}

// Strings reads a list of strings, without those that are none.
func (t Table) Strings(key string) []string {
	items, ok := typed[[]any](t, key, "a list of strings", asList)
	if !ok {
		return nil
	}
	var list []string
	for i, item := range items {
		s, ok := item.(string)
		if !ok {
			t.FailAt(key, i, "it must be a string, not %s", kindOf(item))
			continue
		}
		list = append(list, s)
	}
	return list
}

// table returns the sub-table, and whether it is there.
func (t Table) table(key string) (Table, bool) {
	value := t.values[key]
	values, ok := value.(map[string]any)
	if !ok && t.Has(key) {
		t.Fail(key, "it must be a table, not %s%s", kindOf(value), t.tableMeant(key, value))
	}
	return Table{t.reader, join(t.path, key), values}, ok
}

// tableMeant says what to write in place of a value that is no table.
func (t Table) tableMeant(key string, value any) string {
	switch {
	case t.path == "config":
		return t.write(key, t.reader.varMeant(value))
	case t.path != "":
		return ""
	case value == false:
		return "; leave it out"
	case key == "outbound":
		return "; write " + t.reader.header(key, false) + " and in it " + t.reader.assignment("allow", cmp.Or(asList(value), `["https://api.example.com"]`))
	}
	return "; write " + t.reader.header(key, false)
}

// tables returns the elements of an array of tables; first is the key that the
// first one has, for an author who wrote none.
func (t Table) tables(key, first string) []Table {
	value := t.values[key]
	items, ok := value.([]any)
	if !ok {
		if t.Has(key) {
			t.Fail(key, "it must be a list of tables, not %s%s", kindOf(value), t.elementMeant(key, first, value))
		}
		return nil
	}
	var list []Table
	for i, item := range items {
		path := element(join(t.path, key), i)
		values, ok := item.(map[string]any)
		if !ok {
			t.reader.fail(path, "it must be a table, not %s%s", kindOf(item), t.elementMeant(key, first, item))
			continue
		}
		list = append(list, Table{t.reader, path, values})
	}
	return list
}

// elementMeant says how an element of a list of tables is written.
func (t Table) elementMeant(key, first string, value any) string {
	text, _ := value.(string)
	hint := "; write " + t.reader.header(key, true)
	if quoted := quoteShort(text); quoted != "" {
		hint += " and in it " + t.reader.assignment(first, quoted)
	}
	return hint
}

// Count reads a whole number from 1 to most.
func (t Table) Count(key string, most int64) (int64, bool) {
	n, ok := typed[int64](t, key, "a whole number", asCount)
	if !ok {
		return 0, false
	}
	if n < 1 {
		t.Fail(key, "it must be at least 1, not %d", n)
		return 0, false
	}
	if n > most {
		t.Fail(key, "%d is above the maximum of %d", n, most)
		return 0, false
	}
	return n, true
}

// Size reads a number of bytes from 1 to most: "64MiB" or a whole number.
func (t Table) Size(key string, most int64) (int64, bool) {
	n, ok := t.bytes(key)
	switch {
	case !ok:
		return 0, false
	case n < 1:
		t.Fail(key, "it must be above zero")
		return 0, false
	case n > most:
		t.Fail(key, "%s is above the maximum of %s", limit.FormatSize(n), limit.FormatSize(most))
		return 0, false
	}
	return n, true
}

func (t Table) bytes(key string) (int64, bool) {
	switch v := t.values[key].(type) {
	case int64:
		return v, true
	case string:
		n, err := limit.ParseSize(v)
		if err != nil {
			t.Fail(key, "%v%s", err, t.write(key, asSize(v)))
		}
		return n, err == nil
	default:
		if t.Has(key) {
			t.Fail(key, `it must be a size like "64MiB", not %s`, kindOf(v))
		}
		return 0, false
	}
}

// Duration reads a time above zero and up to most: "5s", "1m30s".
func (t Table) Duration(key string, most time.Duration) (time.Duration, bool) {
	s, ok := typed[string](t, key, `a duration like "5s"`, asDuration)
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		t.Fail(key, "%q is not a duration%s", shorten(s), cmp.Or(t.write(key, asDuration(s)), `; write e.g. "500ms", "5s" or "1m30s"`))
		return 0, false
	case d < time.Millisecond:
		t.Fail(key, "it must be at least 1ms, not %s", d)
		return 0, false
	case d > most:
		t.Fail(key, "%s is above the maximum of %s", d, most)
		return 0, false
	}
	return d, true
}

// Days is Duration, and reads whole days too: "7d".
func (t Table) Days(key string, most time.Duration) (time.Duration, bool) {
	text, _ := t.values[key].(string)
	n, err := strconv.ParseUint(strings.TrimSuffix(text, "d"), 10, 16)
	if !strings.HasSuffix(text, "d") || err != nil {
		return t.Duration(key, most)
	}
	const day = 24 * time.Hour
	if d := time.Duration(n) * day; n > 0 && d <= most {
		return d, true
	}
	t.Fail(key, "%s is not from 1d to %dd", shorten(text), most/day)
	return 0, false
}

// kindOf names a value's type for a person.
func kindOf(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("the string %q", shorten(v))
	case bool:
		return fmt.Sprintf("%t", v)
	case int64:
		return fmt.Sprintf("the number %d", v)
	case float64:
		if math.IsInf(v, 0) {
			return "a number out of range"
		}
		return fmt.Sprintf("the number %v", v)
	case map[string]any:
		return "a table"
	case []any:
		return "a list"
	case nil:
		return "null"
	}
	return "a date or time"
}

func shorten(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "..."
	}
	return s
}
