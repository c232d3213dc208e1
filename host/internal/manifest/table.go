package manifest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// table reads the keys of one table of the document. A key that is absent
// reads as zero and not set; one that breaks a rule is noted as a problem and
// reads as not set.
type table struct {
	reader *reader
	path   string
	values map[string]any
}

// only notes every key that is not among known.
func (t table) only(known ...string) {
	for _, key := range sortedKeys(t.values) {
		switch {
		case slices.Contains(known, key) || t.reader.full():
		case slices.Contains(t.reserved(), key):
			t.fail(key, "it is reserved for a later version; this host cannot do it yet, so leave it out")
		default:
			t.fail(key, "unknown key%s", suggest(key, known))
		}
	}
}

// reserved are the keys that later versions read in this table. One that was
// ignored would look granted: a private route would be public.
func (t table) reserved() []string {
	switch {
	case t.path == "":
		return []string{"cron", "queue", "socket", "sql", "blobs", "static", "auth", "services"}
	case strings.HasPrefix(t.path, "route["):
		return []string{"private", "cache", "auth", "rate", "rate_key", "stream", "live"}
	}
	return nil
}

func (t table) fail(key, format string, args ...any) {
	t.reader.fail(join(t.path, key), format, args...)
}

func (t table) has(key string) bool {
	_, ok := t.values[key]
	return ok
}

func (t table) string(key string) (string, bool) {
	return typed[string](t, key, "a string")
}

func (t table) bool(key string) bool {
	v, _ := typed[bool](t, key, "true or false")
	return v
}

func typed[T any](t table, key, want string) (T, bool) {
	var zero T
	value, set := t.values[key]
	if !set {
		return zero, false
	}
	v, ok := value.(T)
	if !ok {
		t.fail(key, "it must be %s, not %s", want, kindOf(value))
		return zero, false
	}
	return v, true
}

func (t table) strings(key string) []string {
	items, ok := typed[[]any](t, key, "a list of strings")
	if !ok {
		return nil
	}
	var list []string
	for i, item := range items {
		s, ok := item.(string)
		if !ok {
			t.reader.fail(element(join(t.path, key), i), "it must be a string, not %s", kindOf(item))
			continue
		}
		list = append(list, s)
	}
	return list
}

// table returns the sub-table, and whether it is there.
func (t table) table(key string) (table, bool) {
	values, ok := typed[map[string]any](t, key, "a table")
	return table{t.reader, join(t.path, key), values}, ok
}

// tables returns the elements of an array of tables.
func (t table) tables(key string) []table {
	items, ok := typed[[]any](t, key, "a list of tables: [["+key+"]]")
	if !ok {
		return nil
	}
	var list []table
	for i, item := range items {
		path := element(join(t.path, key), i)
		values, ok := item.(map[string]any)
		if !ok {
			t.reader.fail(path, "it must be a table, not %s", kindOf(item))
			continue
		}
		list = append(list, table{t.reader, path, values})
	}
	return list
}

// count reads a whole number from 1 to most.
func (t table) count(key string, most int64) (int64, bool) {
	n, ok := typed[int64](t, key, "a whole number")
	if !ok {
		return 0, false
	}
	if n < 1 {
		t.fail(key, "it must be at least 1, not %d", n)
		return 0, false
	}
	if n > most {
		t.fail(key, "%d is above the maximum of %d", n, most)
		return 0, false
	}
	return n, true
}

// size reads a number of bytes from 1 to most: "64MiB" or a whole number.
func (t table) size(key string, most int64) (int64, bool) {
	n, ok := t.bytes(key)
	switch {
	case !ok:
		return 0, false
	case n < 1:
		t.fail(key, "it must be above zero")
		return 0, false
	case n > most:
		t.fail(key, "%s is above the maximum of %s", limit.FormatSize(n), limit.FormatSize(most))
		return 0, false
	}
	return n, true
}

func (t table) bytes(key string) (int64, bool) {
	switch v := t.values[key].(type) {
	case int64:
		return v, true
	case string:
		n, err := limit.ParseSize(v)
		if err != nil {
			t.fail(key, "%v", err)
		}
		return n, err == nil
	default:
		if t.has(key) {
			t.fail(key, `it must be a size like "64MiB", not %s`, kindOf(v))
		}
		return 0, false
	}
}

// duration reads a time above zero and up to most: "5s", "1m30s".
func (t table) duration(key string, most time.Duration) (time.Duration, bool) {
	s, ok := typed[string](t, key, `a duration like "5s"`)
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		t.fail(key, `%q is not a duration: write e.g. "500ms", "5s" or "1m30s"`, s)
		return 0, false
	case d < time.Millisecond:
		t.fail(key, "it must be at least 1ms, not %s", d)
		return 0, false
	case d > most:
		t.fail(key, "%s is above the maximum of %s", d, most)
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
