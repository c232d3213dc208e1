package capability

import (
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Unit is one capability: all that the host knows of it. Package capabilities
// has the list of them.
type Unit struct {
	// Name is that of its table in a manifest, of its grant, and of what it
	// keeps: with a plugin, a deployment and an attempt.
	Name string

	Keys  []string // of its table; without Read it has none
	Named bool     // the keys of its table are names that the author chooses
	List  bool     // it has a list of tables, whose keys are Keys; see manifest.Section
	// Read returns what its table in a manifest says to it, and what it asks for;
	// nil = nothing.
	Read func(manifest.Table) (settings any, ask plugin.Terms)
	// Terms reads its terms in a grant from the object that holds the Members of
	// all, nil = there are none. A unit that asks for nothing needs no Terms.
	Terms func(object []byte) (plugin.Terms, error)

	// Lasting returns what a plugin keeps of its terms whatever its versions ask for; nil =
	// nothing. Without it, it keeps what the version that serves asks for.
	Lasting func(plugin.Terms) plugin.Terms

	// Free is what any plugin has of it that asks, without an approval; nil = nothing.
	Free plugin.Terms

	// Plugin makes what it keeps for a plugin over its deployments; nil = nothing.
	// Its Close forgets, and it may be used after that.
	Plugin func(clock func() time.Time) invoke.State
	// Deployment makes what it keeps for a deployment, where functions find it in
	// invoke.Env.States; nil = nothing.
	Deployment func(Deployment) invoke.State

	Native []Func // its host functions of the native ABI, of WASI too
	Extism []Func // its host functions for plugins of Extism
}

// Deployment is what a unit learns of a deployment.
type Deployment struct {
	Settings   any               // what Read made of the manifest; nil = it has no such table
	Ask, Grant plugin.Terms      // nil = none
	Plugin     invoke.State      // what the unit keeps for the plugin; nil = nothing
	Values     map[string]string // what an operator has set, secrets among it
	Vars       []manifest.Var    // of the manifest, which say what the values are
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

// Sections returns the tables that capabilities have in a manifest.
func (l List) Sections() []manifest.Section {
	var list []manifest.Section
	for _, u := range l {
		if u.Read != nil {
			list = append(list, manifest.Section{Name: u.Name, Keys: u.Keys, Named: u.Named, List: u.List, Read: u.Read})
		}
	}
	return list
}

// ReadTerms reads the terms of all capabilities from the object that holds their
// members.
func (l List) ReadTerms(object []byte) (map[string]plugin.Terms, error) {
	all := map[string]plugin.Terms{}
	for _, u := range l {
		if u.Terms == nil {
			continue
		}
		terms, err := u.Terms(object)
		if err != nil {
			return nil, err
		}
		if terms != nil {
			all[u.Name] = terms
		}
	}
	return all, nil
}

// Free returns what a plugin that asks has without an approval.
func (l List) Free(ask plugin.Grant) (free plugin.Grant) {
	for _, u := range l {
		if u.Free != nil && ask.Terms[u.Name] != nil {
			free = free.With(u.Name, u.Free)
		}
	}
	return free
}

// Keeps returns what a plugin keeps of a grant once a version serves that asks for less:
// what that asks for, and never less than any plugin has that asks.
func (l List) Keeps(g, ask plugin.Grant) plugin.Grant {
	kept := g.Both(ask.Union(l.Free(ask)))
	for _, u := range l {
		if u.Lasting == nil || g.Terms[u.Name] == nil {
			continue
		}
		if lasting := u.Lasting(g.Terms[u.Name]); lasting != nil {
			kept = kept.Union(plugin.Grant{}.With(u.Name, lasting))
		}
	}
	return kept
}

// ForPlugin makes what capabilities keep for a plugin.
func (l List) ForPlugin(clock func() time.Time) (states invoke.States) {
	for _, u := range l {
		if u.Plugin != nil {
			states.Add(u.Name, u.Plugin(clock))
		}
	}
	return states
}

// ForDeployment makes what capabilities keep for a deployment of a plugin with a
// manifest, a grant, what they keep for the plugin, and what an operator has set.
func (l List) ForDeployment(m *manifest.Manifest, g plugin.Grant, kept invoke.States, values map[string]string) (states invoke.States) {
	for _, u := range l {
		if u.Deployment == nil {
			continue
		}
		state := u.Deployment(Deployment{
			Settings: m.Settings(u.Name), Ask: m.Ask().Terms[u.Name], Grant: g.Terms[u.Name], Plugin: kept.Of(u.Name), Values: values, Vars: m.Vars,
		})
		if state != nil {
			states.Add(u.Name, state)
		}
	}
	return states
}
