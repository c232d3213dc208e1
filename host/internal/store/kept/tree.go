package kept

import (
	"cmp"
	"math/rand/v2"
)

// tree is a treap of intervals, each of which knows the greatest end below it, so
// that those that hold a key are found without a walk over the others.
type tree struct{ root *interval }

// interval is [from, to), or everything from from on.
type interval struct {
	from, to    string
	open        bool // it has no end
	far         string
	farOpen     bool // far is the greatest end at or below this node
	priority    uint32
	left, right *interval
	bucket      *bucket
}

func compare(a, b *interval) int {
	if c := cmp.Compare(a.from, b.from); c != 0 || a.open != b.open && a.open {
		return cmp.Or(c, 1)
	}
	if b.open && !a.open {
		return -1
	}
	return cmp.Compare(a.to, b.to)
}

// insert returns the interval, which it adds unless it is there.
func (t *tree) insert(from, to string, open bool) *interval {
	it := &interval{from: from, to: to, open: open, priority: rand.Uint32()}
	for at := t.root; at != nil; {
		switch c := compare(it, at); {
		case c == 0:
			return at
		case c < 0:
			at = at.left
		default:
			at = at.right
		}
	}
	it.renew()
	below, above := split(t.root, it)
	t.root = join(join(below, it), above)
	return it
}

// remove takes out an interval that is there.
func (t *tree) remove(it *interval) { t.root = without(t.root, it) }

func without(n, it *interval) *interval {
	switch c := compare(it, n); {
	case c == 0:
		return join(n.left, n.right)
	case c < 0:
		n.left = without(n.left, it)
	default:
		n.right = without(n.right, it)
	}
	n.renew()
	return n
}

// holding calls yield with each interval that holds a key.
func (t *tree) holding(key string, yield func(*interval)) { t.root.holding(key, yield) }

func (n *interval) holding(key string, yield func(*interval)) {
	if n == nil || !n.farOpen && n.far <= key {
		return
	}
	n.left.holding(key, yield)
	if n.from > key {
		return
	}
	if n.open || key < n.to {
		yield(n)
	}
	n.right.holding(key, yield)
}

// renew computes far from what is below.
func (n *interval) renew() {
	n.far, n.farOpen = n.to, n.open
	for _, c := range [...]*interval{n.left, n.right} {
		if c != nil {
			n.far, n.farOpen = max(n.far, c.far), n.farOpen || c.farOpen
		}
	}
}

// split parts what is before it from what is not.
func split(n, it *interval) (below, above *interval) {
	if n == nil {
		return nil, nil
	}
	if compare(n, it) < 0 {
		n.right, above = split(n.right, it)
		n.renew()
		return n, above
	}
	below, n.left = split(n.left, it)
	n.renew()
	return below, n
}

// join makes one of two, all of a before all of b.
func join(a, b *interval) *interval {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		a.right = join(a.right, b)
		a.renew()
		return a
	}
	b.left = join(a, b.left)
	b.renew()
	return b
}
