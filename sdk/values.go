package sdk

import (
	"iter"
	"strings"
)

// Values are the names and values of a query or a form, in the encoding of URLs
// (application/x-www-form-urlencoded). It stays encoded: a look-up reads through
// it, and allocates only for a value that holds an escape.
type Values string

// Get returns the first value of name, "" if there is none.
func (v Values) Get(name string) string {
	value, _ := v.Lookup(name)
	return value
}

// Lookup returns the first value of name and whether there is one.
func (v Values) Lookup(name string) (value string, ok bool) {
	for n, value := range v.All() {
		if n == name {
			return value, true
		}
	}
	return "", false
}

// All ranges over names and values in order, decoded. A broken escape stays as
// it is.
func (v Values) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for field := range strings.SplitSeq(string(v), "&") {
			name, value, _ := strings.Cut(field, "=")
			if field != "" && !yield(unescape(name), unescape(value)) {
				return
			}
		}
	}
}

// unescape decodes "+" and "%XX".
func unescape(s string) string {
	if strings.IndexByte(s, '+') < 0 && strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(s) && unhex(s[i+1]) < 16 && unhex(s[i+2]) < 16:
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// unhex returns the value of a hexadecimal digit, 16 for anything else.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}
