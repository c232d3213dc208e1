package jsontext

import (
	"encoding"
	"iter"
	"strconv"
)

// maxDepth is how deep objects and arrays may be nested, as in encoding/json.
const maxDepth = 10_000

// Kind is the kind of a JSON value, by its first byte: '{' an object, '[' an array,
// '"' a string, '0' a number, 't' or 'f' a boolean, 'n' null; 0 if there is none.
type Kind byte

// Reader reads a JSON text from its beginning to its end. The first error ends
// the text: loops over members and elements end, and whatever is read later is
// zero. So ReadJSON methods check nothing; who called them gets the error.
//
// null reads as zero: "", 0, false, no members, no elements. Strings that the
// methods return may be kept.
type Reader struct {
	text   string
	at     int // of the next byte
	nameAt int // of the member's name that was read last
	depth  int
	fault  *fault // the first error
}

// Object ranges over the names of an object's members. The body of the loop
// reads the value of each:
//
//	for name := range r.Object() {
//		switch name {
//		case "title":
//			n.Title = r.String()
//		case "tags":
//			for range r.Array() {
//				n.Tags = append(n.Tags, r.String())
//			}
//		}
//	}
//
// A member that the body does not read is an error, an unknown field;
// "default: r.Skip()" allows it. A name may come twice: then the last one should
// count.
func (r *Reader) Object() iter.Seq[string] {
	return func(yield func(string) bool) {
		for more := r.open('{', '}'); more; {
			name, value := r.name()
			if value < 0 {
				return
			}
			if !yield(name) {
				if r.at == value {
					r.Skip()
				}
				r.members(r.memberEnd(name))
				return
			}
			if r.at == value {
				r.unknown()
			}
			more = r.memberEnd(name)
		}
	}
}

// Array ranges over the indices of an array's elements. The body of the loop
// reads the element, or leaves it out.
func (r *Reader) Array() iter.Seq[int] {
	return func(yield func(int) bool) {
		more := r.open('[', ']')
		for i := 0; more; i++ {
			value := r.at
			ok := yield(i)
			if r.at == value {
				r.Skip()
			}
			more = r.elementEnd(i)
			if !ok {
				r.elements(more)
				return
			}
		}
	}
}

// String reads a string. What is not UTF-8 in it becomes U+FFFD.
func (r *Reader) String() string {
	if r.peek() != '"' {
		r.other()
		return ""
	}
	raw, plain := r.quoted()
	if !plain {
		return unquote(raw)
	}
	return raw
}

// Int reads a number without fraction and exponent.
func (r *Reader) Int() int { return int(r.integer(strconv.IntSize)) }

// Int64 reads a number without fraction and exponent.
func (r *Reader) Int64() int64 { return r.integer(64) }

func (r *Reader) integer(bits int) int64 {
	text := r.number()
	n, ok := small(text)
	if ok {
		return n
	}
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		n = 0
		r.refuseNumber(text)
	}
	return n
}

// Uint64 reads a number without sign, fraction and exponent.
func (r *Reader) Uint64() uint64 {
	text := r.number()
	if n, ok := small(text); ok && n >= 0 && text != "-0" {
		return uint64(n)
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		n = 0
		r.refuseNumber(text)
	}
	return n
}

// Float64 reads a number.
func (r *Reader) Float64() float64 {
	text := r.number()
	if n, ok := small(text); ok && text != "-0" {
		return float64(n)
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		n = 0
		r.refuseNumber(text)
	}
	return n
}

// Bool reads true or false.
func (r *Reader) Bool() bool {
	switch r.peek() {
	case 't':
		return r.literal("true")
	case 'f':
		r.literal("false")
	default:
		r.other()
	}
	return false
}

// Text reads a string into v, a *time.Time for example. null leaves v as it is.
func (r *Reader) Text(v encoding.TextUnmarshaler) {
	if r.peek() != '"' {
		r.other()
		return
	}
	if text := r.String(); r.fault == nil && v.UnmarshalText([]byte(text)) != nil {
		r.Refuse("does not have the form that is asked for")
	}
}

// Null reports whether null comes next, and reads it.
func (r *Reader) Null() bool { return r.peek() == 'n' && r.literal("null") }

// Value reads a value of any kind.
func (r *Reader) Value() Value {
	r.peek()
	start := r.at
	r.Skip()
	if r.fault != nil {
		return ""
	}
	return Value(r.text[start:r.at])
}

// Skip reads a value of any kind and drops it.
func (r *Reader) Skip() {
	switch r.peek() {
	case '"':
		r.quoted()
	case '{':
		r.members(r.open('{', '}'))
	case '[':
		r.elements(r.open('[', ']'))
	case 't':
		r.literal("true")
	case 'f':
		r.literal("false")
	case 'n':
		r.literal("null")
	default:
		r.number()
	}
}

// Kind returns the kind of the next value, which it does not read.
func (r *Reader) Kind() Kind {
	switch c := r.peek(); c {
	case '{', '[', '"', 't', 'f', 'n':
		return Kind(c)
	default:
		if c == '-' || isDigit(c) {
			return '0'
		}
		return 0
	}
}

// Refuse ends the text with an error about the value that was read last. The
// reason follows the value's name: "must be in the future".
func (r *Reader) Refuse(reason string) {
	r.fail(&fault{kind: refused, detail: reason, at: r.at})
}
