package wire

import "bytes"

// Refusals of a path. Who sends one means to be read in two ways, or is read so by
// a proxy on the way: the connection ends, as after any other such request.
var (
	refuseEscape    = Bad("the path has an invalid percent-encoding")
	refuseBackslash = Bad("the path has a backslash")
	refuseControl   = Bad("the path has an encoded control character")
	refuseDots      = Bad("the path has a dot segment")
	refuseEmptySeg  = Bad("the path has an empty segment (two slashes in a row)")
	refusePathStart = Bad("the path must start with a slash")
)

// RefuseSlash is the refusal of a path with an encoded slash that no route takes.
var RefuseSlash = Bad("the path has an encoded slash; a route takes it where the plugin's manifest says encoded_slashes = true")

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
// paths is refused: a backslash, dot segments in any spelling, encoded controls,
// and empty segments, which caches and proxies merge while routers do not.
//
// slashes reports whether a segment has an encoded slash. The caller refuses it
// with RefuseSlash unless the route takes it. Between encoded slashes there are no
// dot segments either.
func CheckPath(path string) (slashes bool, r *Refusal) {
	if len(path) == 0 || path[0] != '/' {
		return false, refusePathStart
	}
	start, part := 1, 1 // of the segment, and of what follows a slash of either kind
	for i := 1; i < len(path); i++ {
		c, size := path[i], 1
		if c == '%' {
			if c, r = checkEscape(path[i+1:]); r != nil {
				return slashes, r
			}
			size = 3
		}
		switch {
		case c == '/' && size == 1 && i == start:
			return slashes, refuseEmptySeg
		case c == '/' && isDots(path[part:i]):
			return slashes, refuseDots
		case c == '/' && size == 1:
			start, part = i+1, i+1
		case c == '/':
			slashes, part = true, i+size
		case c == '\\':
			return slashes, refuseBackslash
		}
		i += size - 1
	}
	if isDots(path[part:]) {
		return slashes, refuseDots
	}
	return slashes, nil
}

// checkEscape judges what follows a percent sign, and returns what it stands for.
func checkEscape(b string) (c byte, r *Refusal) {
	if len(b) < 2 || !isHex(b[0]) || !isHex(b[1]) {
		return 0, refuseEscape
	}
	if c = unhex(b[0])<<4 | unhex(b[1]); c < ' ' || c == 0x7f {
		return 0, refuseControl
	}
	return c, nil
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
