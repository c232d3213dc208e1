package jsontext

// peek passes over white space and returns the next byte, 0 at the end.
func (r *Reader) peek() byte {
	for r.at < len(r.text) {
		c := r.text[r.at]
		if c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
		r.at++
	}
	return 0
}

// end reads the end of the text, and returns the error that came before it.
func (r *Reader) end() *fault {
	if r.peek(); r.at < len(r.text) { // no error has ended it
		r.fail(&fault{kind: secondValue, at: r.at})
	}
	return r.fault
}

// open reads the beginning of an object or array, up to its first member or
// element, and reports whether there is one.
func (r *Reader) open(begin, end byte) bool {
	if r.peek() != begin {
		r.other()
		return false
	}
	if r.depth++; r.depth > maxDepth {
		r.invalid("exceeded max depth")
		return false
	}
	r.at++
	if r.peek() != end {
		return true
	}
	r.at++
	r.depth--
	return false
}

// name reads a member's name and the colon, up to its value, and returns where
// that is: below 0 after an error.
func (r *Reader) name() (name string, value int) {
	if r.peek() != '"' {
		r.unexpected("looking for beginning of object key string")
		return "", -1
	}
	r.nameAt = r.at
	name = r.String()
	if r.peek() != ':' {
		r.unexpected("after object key")
		return "", -1
	}
	r.at++
	r.peek()
	return name, r.at
}

// memberEnd reads what follows a member, and reports whether another one comes.
func (r *Reader) memberEnd(name string) bool {
	if r.fault != nil {
		r.fault.within(name)
		return false
	}
	return r.next('}', "after object key:value pair")
}

// elementEnd reads what follows an element, up to the next one, and reports
// whether it comes.
func (r *Reader) elementEnd(i int) bool {
	if r.fault != nil {
		r.fault.within(itoa(i))
		return false
	}
	more := r.next(']', "after array element")
	r.peek()
	return more
}

// next reads a comma, or the end.
func (r *Reader) next(end byte, context string) (more bool) {
	switch r.peek() {
	case ',':
		r.at++
		return true
	case end:
		r.at++
		r.depth--
	default:
		r.unexpected(context)
	}
	return false
}

// members drops the members that come, if more do.
func (r *Reader) members(more bool) {
	for more {
		if _, value := r.name(); value < 0 {
			return
		}
		r.Skip()
		more = r.next('}', "after object key:value pair")
	}
}

// elements drops the elements that come, if more do.
func (r *Reader) elements(more bool) {
	for more {
		r.Skip()
		more = r.next(']', "after array element")
	}
}

// quoted reads a string and returns what is between the quotation marks. It is
// plain if it stands for itself.
func (r *Reader) quoted() (raw string, plain bool) {
	text, start := r.text, r.at+1
	plain = true
	for i := start; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			r.at = i + 1
			return text[start:i], plain
		case c == '\\':
			plain = false
			r.at = i + 1
			if !r.escape() {
				return "", true
			}
			i = r.at
		case c < ' ':
			r.at = i
			r.unexpected("in string literal")
			return "", true
		case c >= 0x80:
			plain = false
		}
	}
	r.at = len(text)
	r.unexpected("")
	return "", true
}

// escape reads what follows a backslash, except its last byte.
func (r *Reader) escape() bool {
	if r.at < len(r.text) {
		switch r.text[r.at] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			return true
		case 'u':
			return r.hex()
		}
	}
	r.unexpected("in string escape code")
	return false
}

// hex reads the digits of \uXXXX, except the last.
func (r *Reader) hex() bool {
	for range 4 {
		r.at++
		if r.at >= len(r.text) || unhex(r.text[r.at]) < 0 {
			r.unexpected("in \\u hexadecimal character escape")
			return false
		}
	}
	return true
}

// literal reads one of true, false and null, whose first byte it has.
func (r *Reader) literal(word string) bool {
	for i := range len(word) {
		if r.at >= len(r.text) || r.text[r.at] != word[i] {
			r.unexpected("in literal " + word + " (expecting '" + word[i:i+1] + "')")
			return false
		}
		r.at++
	}
	return true
}

// number reads a number and returns its text; "0" if something else comes.
func (r *Reader) number() string {
	c := r.peek()
	if c != '-' && !isDigit(c) {
		r.other()
		return "0"
	}
	start := r.at
	if c == '-' {
		r.at++
	}
	if r.at < len(r.text) && r.text[r.at] == '0' {
		r.at++
	} else if !r.digits("in numeric literal") {
		return "0"
	}
	if !r.fraction() {
		return "0"
	}
	return r.text[start:r.at]
}

// fraction reads a number's fraction and exponent, if it has them.
func (r *Reader) fraction() bool {
	if r.at < len(r.text) && r.text[r.at] == '.' {
		r.at++
		if !r.digits("after decimal point in numeric literal") {
			return false
		}
	}
	if r.at >= len(r.text) || r.text[r.at]|0x20 != 'e' {
		return true
	}
	r.at++
	if r.at < len(r.text) && (r.text[r.at] == '+' || r.text[r.at] == '-') {
		r.at++
	}
	return r.digits("in exponent of numeric literal")
}

// digits reads one digit and more.
func (r *Reader) digits(context string) bool {
	start := r.at
	for r.at < len(r.text) && isDigit(r.text[r.at]) {
		r.at++
	}
	if r.at == start {
		r.unexpected(context)
	}
	return r.at > start
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// small parses an integer of at most 15 digits.
func small(text string) (n int64, ok bool) {
	digits := text
	if text[0] == '-' {
		digits = text[1:]
	}
	if len(digits) > 15 {
		return 0, false
	}
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			return 0, false
		}
		n = n*10 + int64(digits[i]-'0')
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, true
}
