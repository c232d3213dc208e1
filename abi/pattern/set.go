package pattern

import (
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// Set holds patterns without conflicts, each with a value, and finds the most
// specific one for a request. The zero Set is empty and ready. Add must not run
// during other calls; once it is built, a Set is safe for concurrent use.
type Set[T any] struct {
	any   *node[T]            // patterns without a host
	hosts map[string]*node[T] // patterns with one
	size  int
}

// node is where the patterns with one list of leading segments meet. Each pattern
// ends in exactly one node, in the list its last segment picks.
type node[T any] struct {
	literals map[string]*node[T] // by decoded text
	wild     *node[T]
	here     []*entry[T] // patterns that end with this node
	end      []*entry[T] // ... with {$} after it
	multi    []*entry[T] // ... with {name...} or a trailing slash after it
}

type entry[T any] struct {
	pattern *Pattern
	value   T
	order   int
}

// ConflictError is Add's error: a Set cannot hold both Pattern and With.
type ConflictError[T any] struct {
	Pattern *Pattern
	With    *Pattern
	Value   T      // With's value
	Reason  string // names both and gives an example
}

// Error returns the reason.
func (e *ConflictError[T]) Error() string { return "patterns conflict: " + e.Reason }

// Add adds p. Its error is a *ConflictError[T] with the pattern added first
// among those that p conflicts with; the Set is then as before.
func (s *Set[T]) Add(p *Pattern, value T) error {
	if with := s.conflict(p); with != nil {
		return &ConflictError[T]{Pattern: p, With: with.pattern, Value: with.value, Reason: Conflict(p, with.pattern)}
	}
	n := s.root(p.host)
	last := len(p.segments) - 1
	for _, seg := range p.segments[:last] {
		n = n.grow(seg)
	}
	list := n.list(p.segments[last])
	*list = append(*list, &entry[T]{pattern: p, value: value, order: s.size})
	s.size++
	return nil
}

// Len returns how many patterns the set holds.
func (s *Set[T]) Len() int { return s.size }

func (s *Set[T]) root(host string) *node[T] {
	if host == "" {
		if s.any == nil {
			s.any = new(node[T])
		}
		return s.any
	}
	if s.hosts == nil {
		s.hosts = make(map[string]*node[T])
	}
	if s.hosts[host] == nil {
		s.hosts[host] = new(node[T])
	}
	return s.hosts[host]
}

// grow returns the child for a literal or a wildcard, making it if needed.
func (n *node[T]) grow(seg segment) *node[T] {
	if seg.kind == wild {
		if n.wild == nil {
			n.wild = new(node[T])
		}
		return n.wild
	}
	if n.literals == nil {
		n.literals = make(map[string]*node[T])
	}
	if n.literals[seg.s] == nil {
		n.literals[seg.s] = new(node[T])
	}
	return n.literals[seg.s]
}

// list returns the list for a pattern whose last segment is seg.
func (n *node[T]) list(seg segment) *[]*entry[T] {
	switch seg.kind {
	case end:
		return &n.end
	case multi:
		return &n.multi
	}
	return &n.grow(seg).here
}

// Match is a pattern found for a request.
type Match[T any] struct {
	Value   T
	Pattern *Pattern
	Params  []abi.Pair // the wildcards' names and decoded values, in order
}

// Match finds the pattern for a request: one with the request's host before one
// without, then the most specific. HEAD falls back to GET. The host is without a
// port and in lower case; the path is undecoded, without query.
//
// Params is appended to params, whose room it uses: a match allocates only when
// that is too small or a value holds an escape. Values share path's memory.
func (s *Set[T]) Match(method, host, path string, params []abi.Pair) (Match[T], bool) {
	if path == "" || path[0] != '/' {
		return Match[T]{}, false
	}
	w := walk[T]{method: method, params: params}
	if host != "" && w.find(s.hosts[host], path) || w.find(s.any, path) {
		return w.result(len(params)), true
	}
	return Match[T]{}, false
}

// walk is one search. params holds raw values without names until the end.
type walk[T any] struct {
	method string
	params []abi.Pair
	found  *entry[T]
}

// find searches n's subtree for the rest of a path, which is empty or starts
// with "/", the most specific first. It visits each node at most once.
func (w *walk[T]) find(n *node[T], rest string) bool {
	if n == nil {
		return false
	}
	if rest == "" {
		return w.pick(n.here)
	}
	if rest == "/" && w.pick(n.end) {
		return true
	}
	if seg, tail := cut(rest); seg != "" {
		if w.find(n.literal(seg), tail) {
			return true
		}
		if n.wild != nil {
			w.params = append(w.params, abi.Pair{Value: seg})
			if w.find(n.wild, tail) {
				return true
			}
			w.params = w.params[:len(w.params)-1]
		}
	}
	if !w.pick(n.multi) {
		return false
	}
	if p := w.found.pattern; p.segments[len(p.segments)-1].s != "" {
		w.params = append(w.params, abi.Pair{Value: rest[1:]})
	}
	return true
}

// pick takes the entry for the method: its own, GET for HEAD, or any.
func (w *walk[T]) pick(list []*entry[T]) bool {
	best := -1
	for _, e := range list {
		rank := -1
		switch {
		case e.pattern.method == w.method && w.method != "":
			rank = 2
		case e.pattern.method == "GET" && w.method == "HEAD":
			rank = 1
		case e.pattern.method == "":
			rank = 0
		}
		if rank > best {
			best, w.found = rank, e
		}
	}
	return best >= 0
}

func (w *walk[T]) result(base int) Match[T] {
	for i, name := range w.found.pattern.names {
		p := &w.params[base+i]
		p.Name, p.Value = name, unescape(p.Value)
	}
	return Match[T]{Value: w.found.value, Pattern: w.found.pattern, Params: w.params}
}

// cut splits the first segment off a path that starts with "/".
func cut(path string) (seg, rest string) {
	path = path[1:]
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// literal returns the child for an undecoded segment. Decoding to a buffer of
// the stack keeps a look-up free of allocations.
func (n *node[T]) literal(seg string) *node[T] {
	if n.literals == nil || strings.IndexByte(seg, '%') < 0 {
		return n.literals[seg]
	}
	var buf [128]byte
	if b, ok := appendUnescaped(buf[:0], seg); ok {
		return n.literals[string(b)]
	}
	return n.literals[seg]
}

// Allowed returns the methods that match host and path, sorted, HEAD with GET:
// the Allow header of a 405 after Match found nothing. It is nil if no pattern
// with a method matches; patterns without one do not count.
func (s *Set[T]) Allowed(host, path string) []string {
	if path == "" || path[0] != '/' {
		return nil
	}
	var methods []string
	if host != "" {
		methods = s.hosts[host].allowed(path, methods)
	}
	methods = s.any.allowed(path, methods)
	if slices.Contains(methods, "GET") {
		methods = append(methods, "HEAD")
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

// allowed appends the methods of every pattern below n that matches rest.
func (n *node[T]) allowed(rest string, methods []string) []string {
	if n == nil {
		return methods
	}
	if rest == "" {
		return appendMethods(methods, n.here)
	}
	if rest == "/" {
		methods = appendMethods(methods, n.end)
	}
	if seg, tail := cut(rest); seg != "" {
		methods = n.literal(seg).allowed(tail, methods)
		methods = n.wild.allowed(tail, methods)
	}
	return appendMethods(methods, n.multi)
}

func appendMethods[T any](methods []string, list []*entry[T]) []string {
	for _, e := range list {
		if e.pattern.method != "" {
			methods = append(methods, e.pattern.method)
		}
	}
	return methods
}
