package content

import (
	"net/http"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
)

// judge evaluates the conditions of a request in the order of RFC 9110 §13.2.2.
func (e *Entity) judge(header []abi.Pair) (status int) {
	if match, ok := list(header, "if-match"); ok {
		if !e.matches(match, strong) {
			return http.StatusPreconditionFailed
		}
	} else if at, ok := date(header, "if-unmodified-since"); ok && e.modifiedAfter(at) {
		return http.StatusPreconditionFailed
	}
	if match, ok := list(header, "if-none-match"); ok {
		if e.matches(match, weak) {
			return http.StatusNotModified
		}
	} else if at, ok := date(header, "if-modified-since"); ok && !e.Modified.IsZero() && !e.modifiedAfter(at) {
		return http.StatusNotModified
	}
	return http.StatusOK
}

// mayRange reports whether the Range of a request counts: unless it is for another state
// of the bytes (If-Range, RFC 9110 §13.1.5). A date names no state for certain: there may
// be two within its second.
func (e *Entity) mayRange(header []abi.Pair) bool {
	if !has(header, "range") {
		return false
	}
	return !has(header, "if-range") || strong(field.Single(header, "if-range"), e.ETag)
}

// modifiedAfter compares by seconds, which is all that a date of HTTP has.
func (e *Entity) modifiedAfter(at time.Time) bool { return e.Modified.Truncate(time.Second).After(at) }

func (e *Entity) matches(tags string, equal func(a, b string) bool) bool {
	for tags != "" {
		var tag string
		tag, tags = cutTag(tags)
		if tag == "*" || e.ETag != "" && equal(tag, e.ETag) {
			return true
		}
	}
	return false
}

// strong and weak compare tags (RFC 9110 §8.8.3.2).
func strong(a, b string) bool { return a == b && strings.HasPrefix(a, `"`) }
func weak(a, b string) bool   { return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/") }

// cutTag cuts the first tag off a list. A comma may be within its quotes.
func cutTag(tags string) (tag, rest string) {
	tags = strings.TrimLeft(tags, " \t,")
	open := strings.IndexByte(tags, '"')
	comma := strings.IndexByte(tags, ',')
	if open < 0 || comma >= 0 && comma < open {
		return cutList(tags)
	}
	end := strings.IndexByte(tags[open+1:], '"')
	if end < 0 {
		return tags, ""
	}
	end += open + 2
	return tags[:end], tags[end:]
}

// cutList cuts the first element off a list.
func cutList(s string) (first, rest string) {
	first, rest, _ = strings.Cut(s, ",")
	return strings.Trim(first, " \t"), rest
}

// cutUnit returns the ranges of a Range of bytes.
func cutUnit(value string) (ranges string, ok bool) {
	unit, ranges, ok := strings.Cut(value, "=")
	return ranges, ok && strings.EqualFold(strings.Trim(unit, " \t"), "bytes") && strings.Trim(ranges, " \t,") != ""
}

func cutDash(spec string) (first, last string, ok bool) {
	first, last, ok = strings.Cut(spec, "-")
	return strings.Trim(first, " \t"), strings.Trim(last, " \t"), ok
}

func has(header []abi.Pair, name string) bool {
	for _, h := range header {
		if h.Name == name {
			return true
		}
	}
	return false
}

// list returns the value of a field that may come in several lines.
func list(header []abi.Pair, name string) (value string, ok bool) {
	for _, h := range header {
		if h.Name == name {
			if ok {
				value += ","
			}
			value, ok = value+h.Value, true
		}
	}
	return value, ok
}

// date returns the value of a field that is a date. What is none counts as none.
func date(header []abi.Pair, name string) (at time.Time, ok bool) {
	at, err := http.ParseTime(field.Single(header, name))
	return at, err == nil
}
