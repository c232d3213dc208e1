package pattern

// conflict returns the first added entry that p conflicts with, or nil. It walks
// the part of the tree whose paths p can share, not every pattern: a large table
// of mounts stays cheap to build.
func (s *Set[T]) conflict(p *Pattern) *entry[T] {
	root := s.any
	if p.host != "" {
		root = s.hosts[p.host]
	}
	c := collision[T]{pattern: p}
	c.walk(root, p.segments)
	return c.first
}

type collision[T any] struct {
	pattern *Pattern
	first   *entry[T]
}

// walk checks the patterns below n that can match what segs matches.
func (c *collision[T]) walk(n *node[T], segs []segment) {
	if n == nil {
		return
	}
	if len(segs) == 0 {
		c.check(n.here)
		return
	}
	c.check(n.multi)
	switch seg, rest := segs[0], segs[1:]; seg.kind {
	case literal:
		c.walk(n.literals[seg.s], rest)
		c.walk(n.wild, rest)
	case wild:
		for _, child := range n.literals {
			c.walk(child, rest)
		}
		c.walk(n.wild, rest)
	case end:
		c.check(n.end)
	case multi:
		c.check(n.end)
		c.below(n)
	}
}

// below checks every pattern with one more segment than n, or more.
func (c *collision[T]) below(n *node[T]) {
	for _, child := range n.literals {
		c.all(child)
	}
	if n.wild != nil {
		c.all(n.wild)
	}
}

func (c *collision[T]) all(n *node[T]) {
	c.check(n.here)
	c.check(n.end)
	c.check(n.multi)
	c.below(n)
}

// check keeps the earliest entry in conflict, so that the answer does not depend
// on the order of a map.
func (c *collision[T]) check(list []*entry[T]) {
	for _, e := range list {
		if c.first != nil && c.first.order < e.order {
			continue
		}
		if r := Compare(c.pattern, e.pattern); r == Equal || r == Overlaps {
			c.first = e
		}
	}
}
