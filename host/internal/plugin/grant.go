package plugin

import (
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
	// Beyond says for a person what these terms ask for beyond granted, each in a
	// few words; none = granted covers them. granted is nil when nothing is.
	Beyond(granted Terms) []string
	// Union returns terms that cover these and other, and no more.
	Union(other Terms) Terms
	// Members returns how the terms are written down: members of one object with
	// those of other capabilities, so that each has the capability's name, or
	// begins with it and _. Values are numbers, strings and true.
	Members() []Member
	// String returns the terms for the audit, like members.
	String() string
}

// Member is a part of a Grant as it is written down.
type Member struct {
	Name  string
	Value any
}

// Missing lists, for a person, what ask wants beyond g; empty when g covers it.
func (g Grant) Missing(ask Grant) []string {
	var missing []string
	for _, name := range ask.names() {
		missing = append(missing, ask.Terms[name].Beyond(g.Terms[name])...)
	}
	if ask.Stateful && !g.Stateful {
		missing = append(missing, `isolation = "instance" (memory kept from one request to the next)`)
	}
	return missing
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

// Changes says for the audit what o grants and g does not, or otherwise.
func (g Grant) Changes(o Grant) []string {
	var list []string
	for _, name := range g.Union(o).names() {
		switch terms := o.Terms[name]; {
		case terms == g.Terms[name]:
		case terms == nil:
			list = append(list, "grant "+name+"=false")
		default:
			list = append(list, "grant "+terms.String())
		}
	}
	if g.Stateful != o.Stateful {
		list = append(list, fmt.Sprintf("grant stateful=%t", o.Stateful))
	}
	return list
}

func (g Grant) names() []string { return slices.Sorted(maps.Keys(g.Terms)) }
