package calls

import (
	"net/url"
	"strings"
)

// checkPath says what is wrong with a path, which is judged as one of a client's: no
// handler sees one that two programs read differently. slashes reports whether a segment
// has an encoded slash.
func checkPath(path string) (slashes bool, why string) {
	if !strings.HasPrefix(path, "/") {
		return false, "the path does not start with /"
	}
	segments := strings.Split(path[1:], "/")
	for i, raw := range segments {
		segment, err := url.PathUnescape(raw)
		if err != nil {
			return slashes, "the path has a percent sign that is no escape"
		}
		if segment == "" && i < len(segments)-1 {
			return slashes, "the path has an empty segment"
		}
		slashes = slashes || strings.Contains(segment, "/")
		if strings.ContainsFunc(segment, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
			return slashes, "the path has a control character or a backslash"
		}
		for part := range strings.SplitSeq(segment, "/") {
			if part == "." || part == ".." {
				return slashes, "the path has a segment of dots"
			}
		}
	}
	return slashes, ""
}
