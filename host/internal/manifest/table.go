package manifest

import (
	"fmt"
	"math"
	"slices"
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
			t.Fail(key, "unknown key%s", suggest(key, known))
		}
	}
}

// reserved are the keys that later versions read in this table. One that was
// ignored would look granted: a private route would be public.
func (t Table) reserved() []string {
	switch {
	case t.path == "":
		return []string{"cron", "queue", "socket", "sql", "blobs", "static", "auth", "services"}
	case strings.HasPrefix(t.path, "route["):
		return []string{"private", "cache", "auth", "rate", "rate_key", "stream", "live"}
	}
	return nil
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

// String reads a string.
func (t Table) String(key string) (string, bool) {
	return typed[string](t, key, "a string")
}

// Bool reads true or false.
func (t Table) Bool(key string) bool {
	v, _ := typed[bool](t, key, "true or false")
	return v
}

func typed[T any](t Table, key, want string) (T, bool) {
	var zero T
	value, set := t.values[key]
	if !set {
		return zero, false
	}
	v, ok := value.(T)
	if !ok {
		t.Fail(key, "it must be %s, not %s", want, kindOf(value))
		return zero, false
	}
	return v, true
}

// Strings reads a list of strings, without those that are none.
func (t Table) Strings(key string) []string {
	items, ok := typed[[]any](t, key, "a list of strings")
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
	values, ok := typed[map[string]any](t, key, "a table")
	return Table{t.reader, join(t.path, key), values}, ok
}

// tables returns the elements of an array of tables.
func (t Table) tables(key string) []Table {
	items, ok := typed[[]any](t, key, "a list of tables: [["+key+"]]")
	if !ok {
		return nil
	}
	var list []Table
	for i, item := range items {
		path := element(join(t.path, key), i)
		values, ok := item.(map[string]any)
		if !ok {
			t.reader.fail(path, "it must be a table, not %s", kindOf(item))
			continue
		}
		list = append(list, Table{t.reader, path, values})
	}
	return list
}

// Count reads a whole number from 1 to most.
func (t Table) Count(key string, most int64) (int64, bool) {
	n, ok := typed[int64](t, key, "a whole number")
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
			t.Fail(key, "%v", err)
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
	s, ok := typed[string](t, key, `a duration like "5s"`)
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		t.Fail(key, `%q is not a duration: write e.g. "500ms", "5s" or "1m30s"`, s)
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
