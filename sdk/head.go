package sdk

// head is a request's head in the layout of abi.RequestHead, as the host sent
// it, and where in it the fields start. They are taken out of it one by one when
// they are asked for: most handlers look at few.
type head struct {
	text string // "" = not read yet
	at   [headFields]uint32
}

// The fields of the layout. The body's size follows the attempt. Older hosts send no
// deadline, and still older ones neither trigger nor attributes.
const (
	headMethod = iota
	headPath
	headMount
	headPattern
	headParams
	headQuery
	headHeaders
	headScheme
	headHost
	headRemote
	headRequestID
	headAttempt
	headTrigger
	headAttributes
	headDeadline
	headFields
)

// set makes text the head and reports whether it is whole; if not, the head is
// of no use.
func (h *head) set(text string) bool {
	at := 0
	for field := range h.at {
		if at == len(text) && (field == headTrigger || field == headDeadline) {
			text += noLaterFields
		}
		h.at[field] = uint32(at)
		switch field {
		case headParams, headHeaders, headAttributes:
			at = skipPairs(text, at)
		case headAttempt:
			at += 4 + 8
		case headDeadline:
			at += 8
		default:
			at = skip(text, at)
		}
		if at < 0 || at > len(text) {
			return false
		}
	}
	h.text = text
	return true
}

// noLaterFields are an empty trigger, no attributes and no deadline.
const noLaterFields = "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00"

func (h *head) string(field int) string {
	s, _ := cut(h.text, int(h.at[field]))
	return s
}

func (h *head) attempt() uint32 { return uint32At(h.text, int(h.at[headAttempt])) }

func (h *head) bodySize() uint64 { return uint64At(h.text, int(h.at[headAttempt])+4) }

func (h *head) deadline() int64 { return int64(uint64At(h.text, int(h.at[headDeadline]))) }

// first returns the first value of that name in a list.
func (h *head) first(list int, name string) string {
	at := int(h.at[list])
	n := uint32At(h.text, at)
	for at += 4; n > 0; n-- {
		var found, value string
		found, at = cut(h.text, at)
		value, at = cut(h.text, at)
		if equalFold(found, name) {
			return value
		}
	}
	return ""
}

// exact returns the value of that name, case included, in a list.
func (h *head) exact(list int, name string) string {
	at := int(h.at[list])
	n := uint32At(h.text, at)
	for at += 4; n > 0; n-- {
		var found, value string
		found, at = cut(h.text, at)
		value, at = cut(h.text, at)
		if found == name {
			return value
		}
	}
	return ""
}

// headers ranges over the header fields, attributes over what the host says,
// pathValues over the wildcards of the manifest's route.
func (h *head) headers(yield func(name, value string) bool)    { h.each(headHeaders, yield) }
func (h *head) attributes(yield func(name, value string) bool) { h.each(headAttributes, yield) }
func (h *head) pathValues(yield func(name, value string) bool) { h.each(headParams, yield) }

// each ranges over the pairs of a list.
func (h *head) each(list int, yield func(name, value string) bool) {
	at := int(h.at[list])
	n := uint32At(h.text, at)
	for at += 4; n > 0; n-- {
		var name, value string
		name, at = cut(h.text, at)
		value, at = cut(h.text, at)
		if !yield(name, value) {
			return
		}
	}
}

// The rest reads a layout that has been found whole, and skip and skipPairs one
// that may be anything: they return where the next field starts, -1 if the text
// ends before it.

func skip(text string, at int) int {
	if len(text)-at < 4 {
		return -1
	}
	if at += 4 + int(uint32At(text, at)); at > len(text) {
		return -1
	}
	return at
}

func skipPairs(text string, at int) int {
	if len(text)-at < 4 {
		return -1
	}
	n := 2 * uint64(uint32At(text, at))
	at += 4
	for ; n > 0 && at >= 0; n-- {
		at = skip(text, at)
	}
	return at
}

func cut(text string, at int) (s string, next int) {
	next = at + 4 + int(uint32At(text, at))
	return text[at+4 : next], next
}

func uint32At(text string, at int) uint32 {
	b := text[at : at+4]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func uint64At(text string, at int) uint64 {
	return uint64(uint32At(text, at)) | uint64(uint32At(text, at+4))<<32
}

func putUint32(b []byte, v uint32) {
	_ = b[3]
	b[0], b[1], b[2], b[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
}

func appendText(b []byte, s string) []byte {
	n := uint32(len(s))
	return append(append(b, byte(n), byte(n>>8), byte(n>>16), byte(n>>24)), s...)
}
