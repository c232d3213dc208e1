package manifest

import (
	"slices"

	"github.com/wasmoor/wasmoor/abi/pattern"
)

// Pattern reads a key like "GET /rooms/{id}", which is the pattern of a route where there
// are any. It returns the index of that, -1 = there are none.
func (t Table) Pattern(key string) (text string, route int, ok bool) {
	text, ok = t.String(key)
	if !t.Has(key) {
		t.Fail(key, `it is missing; write e.g. %s = "GET /rooms/{id}"`, key)
	}
	if !ok {
		return "", 0, false
	}
	parse := pattern.Parse
	if t.reader.stored {
		parse = pattern.ParseStored
	}
	p, err := parse(text)
	switch {
	case err != nil:
		t.Fail(key, "%v", err)
		return "", 0, false
	case p.Host() != "":
		t.Fail(key, "%q names a host; it is relative to the mount, which has the host", shorten(text))
		return "", 0, false
	case len(t.reader.listed) == 0:
		return text, -1, true
	}
	route = slices.IndexFunc(t.reader.listed, func(r Route) bool { return r.Pattern == text })
	if route < 0 {
		t.Fail(key, "no route of the manifest has the pattern %q; add it with [[route]]", shorten(text))
	}
	return text, route, route >= 0
}

// Close makes what Pattern has read private: some trigger makes its requests.
func (t Table) Close(pattern string, route int) {
	if route >= 0 {
		t.reader.private = append(t.reader.private, route)
	} else {
		t.reader.closed = append(t.reader.closed, pattern)
	}
}
