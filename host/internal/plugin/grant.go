package plugin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Grant says what a plugin may use. The same type says what a manifest asks for.
// A Grant is not changed once it is made.
type Grant struct {
	// Terms are those of capabilities, by their names.
	Terms map[string]Terms

	// Stateful lets instances keep their memory from one request to the next,
	// which may be another client's.
	Stateful bool
}

// Terms are how far a plugin may use one capability, or asks to: a value that ==
// compares. The other terms that methods take are of the same capability.
type Terms interface {
	// Beyond says what these terms have and other, nil = nothing, has not; none = other
	// covers them.
	Beyond(other Terms) []Excess
	// Union returns terms that cover these and other, and no more.
	Union(other Terms) Terms
	// Both returns terms that these and other cover, and no less; nil = nothing.
	Both(other Terms) Terms
	// Members returns how the terms are written down: members of one object with
	// those of other capabilities, so that each has the capability's name, or
	// begins with it and _. Values are numbers, strings and true.
	Members() []Member
}

// Weighty are Terms of which a part is granted only by a person who sees it named.
type Weighty interface {
	// Weighs reports whether the terms have such a part that other, nil = nothing, has not.
	Weighs(other Terms) bool
}

// Weighs reports whether ask has something beyond g that only a person grants who sees
// it named.
func (g Grant) Weighs(ask Grant) bool {
	for name, terms := range ask.Terms {
		if w, ok := terms.(Weighty); ok && w.Weighs(g.Terms[name]) {
			return true
		}
	}
	return false
}

// Member is a part of a Grant as it is written down.
type Member struct {
	Name  string
	Value any
}

// Excess is a part of what one grant has and another has not.
type Excess struct {
	Unit string // the capability, or Isolation
	What string // for a person
	Over string // how much of it the other has; "" = nothing
	// Reaches is the plugin that may be called by it; "" = none is.
	Reaches string
}

// Isolation is the Unit of memory that is kept from one request to the next.
const Isolation = "isolation"

// Beyond lists what g has and other has not; empty when other covers g.
func (g Grant) Beyond(other Grant) []Excess {
	var list []Excess
	for _, name := range g.names() {
		for _, e := range g.Terms[name].Beyond(other.Terms[name]) {
			e.Unit = name
			list = append(list, e)
		}
	}
	if g.Stateful && !other.Stateful {
		list = append(list, Excess{Unit: Isolation, What: `isolation = "instance" (memory kept from one request to the next)`})
	}
	return list
}

// Missing lists, for a person, what ask wants beyond g; empty when g covers it.
func (g Grant) Missing(ask Grant) []string {
	var missing []string
	for _, e := range ask.Beyond(g) {
		missing = append(missing, e.Than("granted"))
	}
	return missing
}

// Than says what e is, and behind said, such as "granted", how much of it the other has.
func (e Excess) Than(said string) string {
	if e.Over == "" {
		return e.What
	}
	return fmt.Sprintf("%s (%s %s)", e.What, said, e.Over)
}

// Union returns what g and o grant together: never less than either.
func (g Grant) Union(o Grant) Grant {
	both := Grant{Stateful: g.Stateful || o.Stateful, Terms: maps.Clone(g.Terms)}
	for name, terms := range o.Terms {
		if have := both.Terms[name]; have != nil {
			terms = have.Union(terms)
		}
		both = both.With(name, terms)
	}
	return both
}

// Both returns what g and o grant each: never more than either.
func (g Grant) Both(o Grant) Grant {
	both := Grant{Stateful: g.Stateful && o.Stateful}
	for name, terms := range g.Terms {
		if other := o.Terms[name]; other != nil {
			if terms = terms.Both(other); terms != nil {
				both = both.With(name, terms)
			}
		}
	}
	return both
}

// With returns g with the terms of a capability.
func (g Grant) With(name string, terms Terms) Grant {
	all := maps.Clone(g.Terms)
	if all == nil {
		all = map[string]Terms{}
	}
	all[name] = terms
	g.Terms = all
	return g
}

// Equal reports whether g and o grant the same.
func (g Grant) Equal(o Grant) bool { return g.Stateful == o.Stateful && maps.Equal(g.Terms, o.Terms) }

// Members returns how g is written down.
func (g Grant) Members() []Member {
	var list []Member
	for _, name := range g.names() {
		list = append(list, g.Terms[name].Members()...)
	}
	if g.Stateful {
		list = append(list, Member{"stateful", true})
	}
	return list
}

func (g Grant) names() []string { return slices.Sorted(maps.Keys(g.Terms)) }

// Larger returns the larger of two quotas, of which 0 stands for usual.
func Larger(a, b, usual int64) int64 {
	if cmp.Or(a, usual) >= cmp.Or(b, usual) {
		return a
	}
	return b
}

// Smaller returns the smaller of two quotas, of which 0 stands for usual.
func Smaller(a, b, usual int64) int64 {
	if cmp.Or(a, usual) >= cmp.Or(b, usual) {
		return b
	}
	return a
}
