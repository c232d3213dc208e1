package manifest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// write returns "; write KEY = VALUE" in the document's syntax, for an author to
// copy; "" without a value.
func (t Table) write(key, value string) string {
	if value == "" {
		return ""
	}
	return "; write " + t.reader.assignment(key, value)
}

func (d *document) assignment(key, value string) string {
	if d.json {
		return strconv.Quote(key) + ": " + value
	}
	if !bare(key) {
		key = strconv.Quote(key)
	}
	return key + " = " + value
}

// object returns an inline table of one key.
func (d *document) object(key, value string) string {
	return "{ " + d.assignment(key, value) + " }"
}

// header returns how the table of a key begins, or a list of tables.
func (d *document) header(key string, list bool) string {
	switch {
	case d.json && list:
		return strconv.Quote(key) + ": [{ ... }]"
	case d.json:
		return strconv.Quote(key) + ": { ... }"
	case list:
		return "[[" + key + "]]"
	}
	return "[" + key + "]"
}

// asString returns the string that a value of another type was meant as.
func asString(value any) string {
	switch v := value.(type) {
	case bool, int64:
		return strconv.Quote(fmt.Sprint(v))
	case float64:
		text := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return strconv.Quote(text)
	case []any:
		var words []string
		for _, item := range v {
			word, ok := item.(string)
			if !ok {
				return ""
			}
			words = append(words, word)
		}
		return quoteShort(strings.Join(words, " "))
	}
	return ""
}

// quoteShort quotes a text that is short enough to be repeated.
func quoteShort(s string) string {
	if s == "" || len(s) > 80 {
		return ""
	}
	return strconv.Quote(s)
}

// asBool returns the boolean that a value of another type was meant as.
func asBool(value any) string {
	switch strings.ToLower(fmt.Sprint(value)) {
	case "true", "yes", "on", "1":
		return "true"
	case "false", "no", "off", "0":
		return "false"
	}
	return ""
}

// asCount returns the whole number that a value of another type was meant as.
func asCount(value any) string {
	switch v := value.(type) {
	case string:
		if n, err := strconv.ParseInt(strings.Trim(v, " "), 10, 64); err == nil {
			return strconv.FormatInt(n, 10)
		}
	case float64:
		if n := int64(v); float64(n) == v && n > 0 {
			return strconv.FormatInt(n, 10)
		}
	}
	return ""
}

// asList returns the list that a single string was meant as.
func asList(value any) string {
	s, _ := value.(string)
	if text := quoteShort(s); text != "" {
		return "[" + text + "]"
	}
	return ""
}

var amount = regexp.MustCompile(`^ *([0-9]{1,12}) *([A-Za-z]*)\.? *$`)

// durationUnits are how people write units, and what time.ParseDuration reads.
var durationUnits = map[string]time.Duration{
	"": time.Second, "s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"ms": time.Millisecond, "msec": time.Millisecond, "millis": time.Millisecond, "millisecond": time.Millisecond, "milliseconds": time.Millisecond,
	"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour, "w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
}

// asDuration returns the duration that a value was meant as: 5, "5" and "5
// seconds" are "5s".
func asDuration(value any) string {
	match := amount.FindStringSubmatch(fmt.Sprint(value))
	if match == nil {
		return ""
	}
	unit, ok := durationUnits[strings.ToLower(match[2])]
	n, err := strconv.ParseInt(match[1], 10, 64)
	if !ok || err != nil || n < 1 || n > int64(365*24*time.Hour/unit) {
		return ""
	}
	return strconv.Quote(shortDuration(time.Duration(n) * unit))
}

// shortDuration is d.String() without the zeros at its end: "5m", not "5m0s".
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// sizeUnits are how people write units, and what limit.ParseSize reads.
var sizeUnits = map[string]string{
	"k": "KiB", "kb": "KiB", "kib": "KiB", "kilobytes": "KiB",
	"m": "MiB", "mb": "MiB", "mib": "MiB", "meg": "MiB", "megs": "MiB", "megabytes": "MiB",
	"g": "GiB", "gb": "GiB", "gib": "GiB", "gigabytes": "GiB",
	"b": "B", "byte": "B", "bytes": "B",
}

// asSize returns the size that a string was meant as: "64mb" is "64MiB".
func asSize(text string) string {
	match := amount.FindStringSubmatch(text)
	if match == nil || sizeUnits[strings.ToLower(match[2])] == "" {
		return ""
	}
	return strconv.Quote(match[1] + sizeUnits[strings.ToLower(match[2])])
}

// asPages returns the size in whole pages that a size of memory was meant as: a
// small number counts megabytes, a decimal unit stands for the binary one.
func asPages(value any, n, most int64) string {
	if n < page && n <= most>>20 {
		return strconv.Quote(limit.FormatSize(n << 20))
	}
	if text, ok := value.(string); ok {
		meant := asSize(text)
		if size, err := limit.ParseSize(strings.Trim(meant, `"`)); err == nil && size%page == 0 {
			return meant
		}
	}
	return strconv.Quote(limit.FormatSize((n + page - 1) / page * page))
}

// always returns what an author writes whatever stands there.
func always(text string) func(any) string { return func(any) string { return text } }

// bareLine is a line of TOML, or of what looks like it.
var bareLine = regexp.MustCompile(`^\s*([A-Za-z0-9_.-]+)\s*[=:]\s*(.*?)[,;]?\s*$`)

// lineMeant returns what a line that TOML does not read was meant as: YAML's
// colon, or a text without quotes; "" when nobody can tell.
func lineMeant(line string) string {
	match := bareLine.FindStringSubmatch(line)
	if match == nil || match[2] == "" || len(line) > 200 {
		return ""
	}
	value := match[2]
	if inner, ok := strings.CutPrefix(value, "["); ok && strings.HasSuffix(inner, "]") {
		var items []string
		for item := range strings.SplitSeq(strings.TrimSuffix(inner, "]"), ",") {
			items = append(items, scalarMeant(strings.TrimSpace(item)))
		}
		return match[1] + " = [" + strings.Join(items, ", ") + "]"
	}
	return match[1] + " = " + scalarMeant(value)
}

func scalarMeant(text string) string {
	if text == "true" || text == "false" || asCount(text) == text {
		return text
	}
	return strconv.Quote(strings.Trim(text, "\"'`“”„«»‘’"))
}
