package jsontext

import (
	"encoding"
	"errors"
	"math"
	"strconv"
)

// Writer writes one JSON value. It puts the commas, and refuses what would not be
// JSON, such as a member without a name. WriteJSON methods check nothing; who
// called them gets the first error.
type Writer struct {
	b     []byte
	open  []byte // '{' and '[' of the objects and arrays that are not at their end
	named bool   // a value has to follow its name
	err   error  // the first
}

// newWriter returns a Writer that can write a short text, not deep, in the memory
// that it has.
func newWriter() *Writer {
	const deep = 16
	room := make([]byte, 512)
	return &Writer{open: room[:0:deep], b: room[deep:deep]}
}

// BeginObject begins an object. Its members follow, each a Name and a value, and
// then EndObject.
func (w *Writer) BeginObject() { w.begin('{') }

// EndObject ends an object.
func (w *Writer) EndObject() { w.end('{', '}') }

// BeginArray begins an array. Its elements follow, and then EndArray.
func (w *Writer) BeginArray() { w.begin('[') }

// EndArray ends an array.
func (w *Writer) EndArray() { w.end('[', ']') }

func (w *Writer) begin(c byte) {
	w.value()
	w.b = append(w.b, c)
	w.open = append(w.open, c)
}

func (w *Writer) end(begin, end byte) {
	if w.inside() != begin || w.named {
		w.fail("a " + string(rune(end)) + " that nothing opened, or in place of a value")
		return
	}
	w.b = append(w.b, end)
	w.open = w.open[:len(w.open)-1]
}

// inside returns how the object or array began that is being written, 0 if there
// is none.
func (w *Writer) inside() byte {
	if len(w.open) == 0 {
		return 0
	}
	return w.open[len(w.open)-1]
}

// Name writes a member's name, whose value follows: w.Name("n").Int(1).
func (w *Writer) Name(name string) *Writer {
	if w.inside() != '{' || w.named {
		w.fail("the name " + name + " where no member can be")
		return w
	}
	w.comma('{')
	w.b = append(appendQuoted(w.b, name), ':')
	w.named = true
	return w
}

// value has a value follow.
func (w *Writer) value() {
	switch w.inside() {
	case '[':
		w.comma('[')
	case '{':
		if !w.named {
			w.fail("a member without a name")
		}
		w.named = false
	default:
		if len(w.b) > 0 {
			w.fail("a second value")
		}
	}
}

// comma separates what follows from what stands before it.
func (w *Writer) comma(begin byte) {
	if w.b[len(w.b)-1] != begin { // which no value and no member ends with
		w.b = append(w.b, ',')
	}
}

// String writes a string. What is not UTF-8 in it becomes U+FFFD; <, > and & are
// escaped, so that it may stand in HTML.
func (w *Writer) String(s string) {
	w.value()
	w.b = appendQuoted(w.b, s)
}

// Int writes a number.
func (w *Writer) Int(n int) { w.Int64(int64(n)) }

// Int64 writes a number.
func (w *Writer) Int64(n int64) {
	w.value()
	w.b = strconv.AppendInt(w.b, n, 10)
}

// Uint64 writes a number.
func (w *Writer) Uint64(n uint64) {
	w.value()
	w.b = strconv.AppendUint(w.b, n, 10)
}

// Float64 writes a number. Infinity and NaN, which JSON does not have, are errors.
func (w *Writer) Float64(f float64) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		w.fail("a number that JSON does not have, " + strconv.FormatFloat(f, 'g', -1, 64))
		return
	}
	w.value()
	w.b = appendFloat(w.b, f)
}

// appendFloat appends f in as few digits as tell it from all other numbers, very
// small and very large ones with an exponent.
func appendFloat(b []byte, f float64) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	b = strconv.AppendFloat(b, f, format, -1, 64)
	if n := len(b); format == 'e' && n >= 4 && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
		b = append(b[:n-2], b[n-1]) // e-09 is e-9
	}
	return b
}

// Bool writes true or false.
func (w *Writer) Bool(v bool) {
	w.value()
	w.b = strconv.AppendBool(w.b, v)
}

// Null writes null.
func (w *Writer) Null() {
	w.value()
	w.b = append(w.b, "null"...)
}

// Text writes v as a string, a time.Time for example.
func (w *Writer) Text(v encoding.TextMarshaler) {
	text, err := v.MarshalText()
	if err != nil {
		w.fail("a text: " + err.Error())
		return
	}
	w.String(string(text))
}

// Value writes a value that is JSON already. Anything else is an error.
func (w *Writer) Value(v Value) {
	r := Reader{text: string(v)}
	r.Skip()
	if err := r.end(); err != nil {
		w.fail("a Value: " + err.about("it"))
		return
	}
	w.value()
	w.b = appendInHTML(w.b, string(v))
}

func (w *Writer) fail(why string) {
	if w.err == nil {
		w.err = errors.New("jsontext: WriteJSON wrote " + why)
	}
}

// finish returns what was written.
func (w *Writer) finish() ([]byte, error) {
	if len(w.open) > 0 || len(w.b) == 0 {
		w.fail("no whole value")
	}
	return w.b, w.err
}
