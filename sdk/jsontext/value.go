package jsontext

import (
	"iter"
	"unicode/utf8"
)

// Value is the text of one JSON value of any kind: what a map[string]any is for
// encoding/json, without the map. It is read when it is asked. The zero Value, "",
// is that of a member that is absent.
//
// Methods that ask for another kind than the value has return zero.
type Value string

// Kind returns the kind of the value, 0 if it is absent.
func (v Value) Kind() Kind {
	r := Reader{text: string(v)}
	return r.Kind()
}

// Get returns the value at the end of a path of members' names.
func (v Value) Get(path ...string) Value {
	for _, name := range path {
		v = v.member(name)
	}
	return v
}

// member returns the value of the last member of that name.
func (v Value) member(name string) (found Value) {
	for n, member := range v.Object() {
		if n == name {
			found = member
		}
	}
	return found
}

// Object ranges over the members of an object.
func (v Value) Object() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		r := Reader{text: string(v)}
		if r.Kind() != '{' {
			return
		}
		for name := range r.Object() {
			if member := r.Value(); r.fault != nil || !yield(name, member) {
				return
			}
		}
	}
}

// Array ranges over the elements of an array.
func (v Value) Array() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		r := Reader{text: string(v)}
		if r.Kind() != '[' {
			return
		}
		for i := range r.Array() {
			if element := r.Value(); r.fault != nil || !yield(i, element) {
				return
			}
		}
	}
}

// String returns the text of a string.
func (v Value) String() string {
	r := Reader{text: string(v)}
	return r.String()
}

// Int returns a number without fraction and exponent.
func (v Value) Int() int {
	r := Reader{text: string(v)}
	return r.Int()
}

// Float64 returns a number.
func (v Value) Float64() float64 {
	r := Reader{text: string(v)}
	return r.Float64()
}

// Bool reports whether the value is true.
func (v Value) Bool() bool {
	r := Reader{text: string(v)}
	return r.Bool()
}

// ReadJSON reads a value of any kind.
func (v *Value) ReadJSON(r *Reader) { *v = r.Value() }

// WriteJSON writes the value.
func (v Value) WriteJSON(w *Writer) { w.Value(v) }

// appendInHTML appends a JSON text with escapes in place of the characters that
// may not stand in HTML. They stand in strings alone.
func appendInHTML(b []byte, text string) []byte {
	start := 0
	for i := 0; i < len(text); i++ {
		c, size := rune(text[i]), 1
		switch {
		case c == '<' || c == '>' || c == '&':
		case c == 0xe2 && i+2 < len(text) && text[i+1] == 0x80 && text[i+2]|1 == 0xa9:
			c, size = utf8.DecodeRuneInString(text[i:])
		default:
			continue
		}
		b = appendUnicode(append(b, text[start:i]...), c)
		start = i + size
		i = start - 1
	}
	return append(b, text[start:]...)
}
