package wire

import "bytes"

// Refusals of a path. Who sends one means to be read in two ways, or is read so by
// a proxy on the way: the connection ends, as after any other such request.
var (
	refuseEscape    = Bad("the path has an invalid percent-encoding")
	refuseSlash     = Bad("the path has an encoded slash or a backslash")
	refuseControl   = Bad("the path has an encoded control character")
	refuseDots      = Bad("the path has a dot segment")
	refuseEmptySeg  = Bad("the path has an empty segment (two slashes in a row)")
	refusePathStart = Bad("the path must start with a slash")
)

// SplitTarget returns the path and the raw query of a request target that
// passed the gate. The path of an absolute target without one is "/".
func SplitTarget(target []byte) (path, query []byte) {
	if len(target) > 0 && target[0] != '/' {
		if _, rest, ok := splitAbsolute(target); ok {
			target = rest
			if len(target) == 0 || target[0] == '?' {
				return []byte{'/'}, bytes.TrimPrefix(target, []byte{'?'})
			}
		}
	}
	path, query, _ = bytes.Cut(target, []byte{'?'})
	return path, query
}

// CheckPath accepts a path with exactly one reading. It is routed and passed on
// as it was received; what two programs on the way could read as different
// paths is refused: an encoded slash, a backslash, dot segments in any
// spelling, encoded controls, and empty segments, which caches and proxies
// merge while routers do not.
func CheckPath(path string) *Refusal {
	if len(path) == 0 || path[0] != '/' {
		return refusePathStart
	}
	start := 1 // of the segment
	for i := 1; i < len(path); i++ {
		switch path[i] {
		case '/':
			if i == start {
				return refuseEmptySeg
			}
			if isDots(path[start:i]) {
				return refuseDots
			}
			start = i + 1
		case '\\':
			return refuseSlash
		case '%':
			if r := checkEscape(path[i+1:]); r != nil {
				return r
			}
			i += 2
		}
	}
	if isDots(path[start:]) {
		return refuseDots
	}
	return nil
}

// checkEscape judges what follows a percent sign.
func checkEscape(b string) *Refusal {
	if len(b) < 2 || !isHex(b[0]) || !isHex(b[1]) {
		return refuseEscape
	}
	switch c := unhex(b[0])<<4 | unhex(b[1]); {
	case c == '/' || c == '\\':
		return refuseSlash
	case c < ' ' || c == 0x7f:
		return refuseControl
	}
	return nil
}

// isDots reports whether a segment is . or .. in any spelling.
func isDots(segment string) bool {
	dots := 0
	for len(segment) > 0 {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= 3 && segment[0] == '%' && segment[1] == '2' && LowerByte(segment[2]) == 'e':
			segment = segment[3:]
		default:
			return false
		}
		if dots++; dots > 2 {
			return false
		}
	}
	return dots > 0
}
