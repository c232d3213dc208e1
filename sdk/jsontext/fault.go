package jsontext

import "strconv"

// fault is the error that ended a text.
type fault struct {
	kind   faultKind
	at     int    // the byte of the text, from 0
	field  string // the path to the value, with a dot between names; "" = all of the text
	detail string
}

type faultKind int

const (
	notJSON      faultKind = iota // detail says why
	cutShort                      // the text ends before the value does
	secondValue                   // after the value there is more
	wrongKind                     // detail is the kind that the value has
	unknownField                  // nobody read the field
	refused                       // detail is the reason, to follow the name
)

// maxField is how many bytes of a path an error shows.
const maxField = 200

// Error describes the fault as an error of Unmarshal.
func (f *fault) Error() string { return "jsontext: " + f.about("the text") }

// about says what is wrong with the text, which it calls subject, in the words of
// package json.
func (f *fault) about(subject string) string {
	switch f.kind {
	case cutShort:
		return subject + " is not whole JSON: it ends at byte " + itoa(f.at)
	case secondValue:
		return subject + " has more than one JSON value"
	case unknownField:
		return subject + ` has an unknown field "` + f.field + `"` + f.where()
	case notJSON:
		return subject + " is not JSON: " + f.detail + f.where()
	case wrongKind:
		if f.field == "" {
			return subject + " is a JSON " + f.detail + ", which is not what is asked for"
		}
		return `"` + f.field + `" must not be a JSON ` + f.detail + f.where()
	}
	if f.field != "" {
		subject = `"` + f.field + `"`
	}
	return subject + " " + f.detail
}

// where names the byte, counted from 1.
func (f *fault) where() string { return " at byte " + itoa(f.at+1) }

// within puts a name in front of the path.
func (f *fault) within(name string) {
	if f.kind < wrongKind {
		return
	}
	if f.field != "" {
		name += "." + f.field
	}
	f.field = name[:min(len(name), maxField)]
}

// fail ends the text with an error, unless one has done so.
func (r *Reader) fail(f *fault) {
	if r.fault == nil {
		r.fault = f
		r.at = len(r.text)
	}
}

// invalid ends the text: it is not JSON, here.
func (r *Reader) invalid(why string) { r.fail(&fault{kind: notJSON, detail: why, at: r.at}) }

// unexpected ends the text: the next byte is not one that may stand here.
func (r *Reader) unexpected(context string) {
	if r.at >= len(r.text) {
		r.fail(&fault{kind: cutShort, at: r.at})
		return
	}
	char := r.text[r.at : r.at+1]
	switch char {
	case "'":
		char = `\'`
	case `"`:
	default:
		char = strconv.Quote(string(rune(char[0])))
		char = char[1 : len(char)-1]
	}
	r.invalid("invalid character '" + char + "' " + context)
}

// other reads null, and ends the text at any other value: it is not of the kind
// that was asked for.
func (r *Reader) other() {
	var kind string
	switch r.Kind() {
	case 'n':
		r.literal("null")
		return
	case '{':
		kind = "object"
	case '[':
		kind = "array"
	case '"':
		kind = "string"
	case '0':
		kind = "number"
	case 't', 'f':
		kind = "bool"
	default:
		r.unexpected("looking for beginning of value")
		return
	}
	r.fail(&fault{kind: wrongKind, detail: kind, at: r.at})
}

// unknown ends the text at a member that nobody read.
func (r *Reader) unknown() {
	start := r.nameAt
	if r.Skip(); r.fault == nil { // what is not JSON is told first
		r.fail(&fault{kind: unknownField, at: start})
	}
}

// refuseNumber ends the text at a number that does not fit.
func (r *Reader) refuseNumber(text string) {
	kind := "number"
	if len(text) <= 32 {
		kind += " " + text
	}
	r.fail(&fault{kind: wrongKind, detail: kind, at: r.at - len(text)})
}

func itoa(n int) string { return strconv.Itoa(n) }
