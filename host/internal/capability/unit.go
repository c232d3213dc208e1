package capability

import "slices"

// Unit is one capability: all that the host knows of it. Package capabilities
// has the list of them.
type Unit struct {
	// Name is that of its table in a manifest, of its grant, and of what it
	// keeps: with a plugin, a deployment and an attempt.
	Name string

	Native []Func // its host functions of the native ABI, of WASI too
	Extism []Func // its host functions for plugins of Extism
}

// List is the capabilities that a host has. It is not changed.
type List []Unit

// Native returns every host function that a module of the native ABI may import.
func (l List) Native() []Func {
	return l.functions(func(u Unit) []Func { return u.Native })
}

// Extism returns the host functions for plugins of Extism but for those that are
// of Extism itself.
func (l List) Extism() []Func {
	return l.functions(func(u Unit) []Func { return u.Extism })
}

func (l List) functions(of func(Unit) []Func) (all []Func) {
	for _, u := range l {
		all = slices.Concat(all, of(u))
	}
	return all
}
