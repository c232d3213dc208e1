package field

import (
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// Framing is what becomes of a field of the connection, or of one that frames
// the message, that a guest sets: the host sets these fields itself.
type Framing int

const (
	// End is for a field of the message: it goes out as it is.
	End Framing = iota
	// Harmless is for a field that the host leaves out: it asks for what the host
	// does anyway, or for what may be left undone.
	Harmless
	// Length is for content-length, which is harmless if IsLength says so.
	Length
	// Refused is for a field that changes what the message means, so that it
	// cannot be left out.
	Refused
)

// FramingOf judges a field of a guest's request or response. host and expect,
// which only requests have, count as fields of the message here.
func FramingOf(name, value string) Framing {
	if !IsHopByHop(name) {
		return End
	}
	switch {
	case strings.EqualFold(name, "content-length"):
		return Length
	case strings.EqualFold(name, "transfer-encoding"):
		return harmlessIf(isListOf(value, "chunked", "identity"))
	case strings.EqualFold(name, "upgrade"): // may be ignored (RFC 9110 §7.8), but WebSocket cannot do without
		return harmlessIf(isListOf(value, "h2c", "h2", "http/2.0"))
	case strings.EqualFold(name, "proxy-authenticate"), strings.EqualFold(name, "proxy-authorization"):
		return Refused
	}
	return Harmless
}

func harmlessIf(ok bool) Framing {
	if ok {
		return Harmless
	}
	return Refused
}

// isListOf reports whether a list has no members but words, in upper or lower
// case.
func isListOf(list string, words ...string) bool {
	for member := range strings.SplitSeq(list, ",") {
		member = strings.ToLower(strings.Trim(member, " \t"))
		known := member == ""
		for _, w := range words {
			known = known || member == w
		}
		if !known {
			return false
		}
	}
	return true
}

// IsLength reports whether a value of content-length says size. One that says
// it several times does (RFC 9110 §8.6).
func IsLength(value string, size int64) bool {
	n, ok := length(value)
	return ok && n == size
}

// length returns what a value of content-length says.
func length(value string) (size int64, ok bool) {
	size = -1
	for member := range strings.SplitSeq(value, ",") {
		n, ok := decimal(strings.Trim(member, " \t"))
		if !ok || size >= 0 && n != size {
			return 0, false
		}
		size = n
	}
	return size, true
}

// FrameResponse leaves out of a guest's response, in place, the fields that the
// host sets and those that connection names. size is what content-length says, -1
// where nothing does. refused is a field that cannot be left out, nil if there is
// none: a transfer coding that the host did not apply, or a length that is none or
// differs from another.
func FrameResponse(header []abi.Pair) (kept []abi.Pair, size int64, refused *abi.Pair) {
	kept, size = header[:0], -1
	var options []string // of connection
	for i := range header {
		h := header[i]
		switch FramingOf(h.Name, h.Value) {
		case End:
			kept = append(kept, h)
			continue
		case Length:
			n, ok := length(h.Value)
			if !ok || size >= 0 && n != size {
				return nil, 0, &h
			}
			size = n
		case Refused: // upgrade only offers here, and no client spoke to a proxy
			if strings.EqualFold(h.Name, "transfer-encoding") {
				return nil, 0, &h
			}
		}
		if strings.EqualFold(h.Name, "connection") {
			options = append(options, h.Value)
		}
	}
	return DropNominated(kept, options), size, nil
}

// DropNominated leaves out, in place, the fields that values of connection name, which
// belong to the connection too (RFC 9110 §7.6.1).
func DropNominated(header []abi.Pair, connection []string) []abi.Pair {
	if len(connection) == 0 {
		return header
	}
	options, kept := strings.Join(connection, ","), header[:0]
	for _, h := range header {
		if !nominated(options, h.Name) {
			kept = append(kept, h)
		}
	}
	return kept
}

// decimal reads digits alone, below 10^18.
func decimal(s string) (n int64, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || n >= 1e17 {
			return 0, false
		}
		n = 10*n + int64(s[i]-'0')
	}
	return n, len(s) > 0
}

// nominated reports whether a value of connection names a field.
func nominated(connection, name string) bool {
	for option := range strings.SplitSeq(connection, ",") {
		if strings.EqualFold(strings.Trim(option, " \t"), name) {
			return true
		}
	}
	return false
}
