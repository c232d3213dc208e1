package pattern

import (
	"strconv"
	"strings"
)

// Relation says how the requests that pattern a matches relate to those that
// pattern b matches.
type Relation byte

// The relations. The low bits say who matches something the other does not.
const (
	Equal        Relation = 0 // the same requests
	MoreGeneral  Relation = 1 // a matches all that b does, and more
	MoreSpecific Relation = 2 // b matches all that a does, and more
	Overlaps     Relation = 3 // some requests in common, and each has others
	Disjoint     Relation = 4 // no request in common
)

var relationNames = [...]string{"equal", "more general", "more specific", "overlaps", "disjoint"}

// String returns the relation's name.
func (r Relation) String() string { return relationNames[r] }

// and combines the relations of two independent parts of a request.
func (r Relation) and(other Relation) Relation {
	if r == Disjoint || other == Disjoint {
		return Disjoint
	}
	return r | other
}

// Compare returns the relation of a to b by method and path. Hosts are left
// out: a pattern with a host always wins over one without.
func Compare(a, b *Pattern) Relation {
	return compareMethods(a.method, b.method).and(comparePaths(a.segments, b.segments))
}

func compareMethods(a, b string) Relation {
	switch {
	case a == b:
		return Equal
	case a == "", a == "GET" && b == "HEAD":
		return MoreGeneral
	case b == "", a == "HEAD" && b == "GET":
		return MoreSpecific
	}
	return Disjoint
}

func comparePaths(a, b []segment) Relation {
	r := Equal
	for i := 0; ; i++ {
		switch {
		case i == len(a) && i == len(b):
			return r
		case i == len(a):
			return r.and(lengthRelation(a, MoreGeneral))
		case i == len(b):
			return r.and(lengthRelation(b, MoreSpecific))
		}
		if r = r.and(compareSegments(a[i], b[i])); r == Disjoint {
			return r
		}
	}
}

// lengthRelation returns what a shorter list of segments is to a longer one.
// Only one that ends in a multi wildcard matches paths of the longer.
func lengthRelation(shorter []segment, r Relation) Relation {
	if shorter[len(shorter)-1].kind == multi {
		return r
	}
	return Disjoint
}

func compareSegments(a, b segment) Relation {
	switch {
	case a.kind == b.kind && (a.kind != literal || a.s == b.s):
		return Equal
	case a.kind == multi:
		return MoreGeneral
	case b.kind == multi:
		return MoreSpecific
	case a.kind == wild && b.kind == literal:
		return MoreGeneral
	case a.kind == literal && b.kind == wild:
		return MoreSpecific
	}
	return Disjoint
}

// Conflict returns why a and b cannot stand in one Set, for a person, or "" if
// they can: they match a request in common, have the same host, and neither is
// more specific.
func Conflict(a, b *Pattern) string {
	if a.host != b.host {
		return ""
	}
	switch Compare(a, b) {
	case Equal:
		return quote(a) + " matches the same requests as " + quote(b)
	case Overlaps:
		return explainOverlap(a, b)
	}
	return ""
}

func quote(p *Pattern) string { return strconv.Quote(p.text) }

func explainOverlap(a, b *Pattern) string {
	both := quote(a) + " and " + quote(b) + " both match "
	switch comparePaths(a.segments, b.segments) {
	case Overlaps:
		return both + strconv.Quote(commonPath(a.segments, b.segments)) + ", and neither is more specific: only the first matches " +
			strconv.Quote(differencePath(a.segments, b.segments)) + ", only the second " +
			strconv.Quote(differencePath(b.segments, a.segments))
	case MoreGeneral:
		return both + strconv.Quote(commonPath(a.segments, b.segments)) +
			", and neither is more specific: the first has the more general path but fewer methods"
	default:
		return both + strconv.Quote(commonPath(a.segments, b.segments)) +
			", and neither is more specific: the first has the more specific path but more methods"
	}
}

// commonPath returns a path that both match. They must not be disjoint.
func commonPath(a, b []segment) string {
	var path strings.Builder
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			path.WriteString(example(b[i]))
		case i >= len(b):
			path.WriteString(example(a[i]))
		default:
			path.WriteString(example(narrower(a[i], b[i])))
		}
	}
	return path.String()
}

func narrower(a, b segment) segment {
	if a.kind == multi || a.kind == wild && b.kind != multi {
		return b
	}
	return a
}

// differencePath returns a path that a matches and b does not. They must overlap.
func differencePath(a, b []segment) string {
	var path strings.Builder
	for i, s := range a {
		if i >= len(b) || b[i].kind == multi {
			path.WriteString(example(s))
			continue
		}
		switch {
		case s.kind == multi && b[i].kind == end:
			return path.String() + example(segment{s: "x", kind: literal})
		case s.kind == multi:
			return path.String() + "/" // b wants a segment here
		case s.kind == wild && s.s == b[i].s && b[i].kind == literal:
			path.WriteString(example(segment{s: s.s + "x", kind: literal}))
		default:
			path.WriteString(example(s))
		}
	}
	return path.String()
}

// example returns a piece of path that s matches.
func example(s segment) string {
	if s.kind == end || s.kind == multi {
		return "/"
	}
	return "/" + escape(s.s)
}
