package manifest

import (
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Section is a table that a capability reads.
type Section struct {
	Name  string   // of the table
	Keys  []string // that it may have
	Named bool     // its keys are names that the author chooses
	List  bool     // it is a list of tables, of which Keys are the keys, the first required
	// Read returns what the table, which is there, says to the capability, and
	// what it asks for; nil = nothing.
	Read func(Table) (settings any, ask plugin.Terms)
}

// section reads the table of a capability into m, if it is there.
func (r *reader) section(root Table, s Section, m *Manifest) {
	t, ok := root, root.Has(s.Name)
	if !s.List {
		t, ok = root.table(s.Name)
	}
	if !ok {
		return
	}
	if !s.List && !s.Named {
		t.only(s.Keys...)
		m.because(s.Name, t.Reason(ReasonKey))
	}
	settings, ask := s.Read(t)
	m.settings[s.Name] = settings
	if ask != nil {
		m.ask = m.ask.With(s.Name, ask)
	}
}

// ReasonKey is the key under which a table says in words why it asks.
const ReasonKey = "reason"

// Reason reads why something is asked for; "" = nothing says it.
func (t Table) Reason(key string) string {
	text, ok := t.String(key)
	if !ok {
		return ""
	}
	if err := plugin.CheckReason(text); err != nil {
		t.Fail(key, "%s", fault.MessageOf(err))
	}
	return text
}

// because keeps the reason of a unit, if it has one.
func (m *Manifest) because(unit, reason string) {
	if reason == "" {
		return
	}
	if m.reasons == nil {
		m.reasons = map[string]string{}
	}
	m.reasons[unit] = reason
}

// Reasoned is implemented by the settings of a capability that has a reason for each
// part of what it asks for.
type Reasoned interface {
	// Reason returns that for what plugin.Excess.What says.
	Reason(what string) string
}

// Reason returns the author's words for a part of what the manifest asks for; "" = there
// are none.
func (m *Manifest) Reason(e plugin.Excess) string {
	if s, ok := m.settings[e.Unit].(Reasoned); ok {
		return s.Reason(e.What)
	}
	return m.reasons[e.Unit]
}

// Tables returns a list of tables, which may have the keys that are named. Read of a
// Section that is one gets the table of the whole manifest.
func (t Table) Tables(key string, keys ...string) []Table {
	list := t.tables(key, keys[0])
	for _, one := range list {
		one.only(keys...)
	}
	return list
}

// Declares is implemented by the settings of a capability that has vars.
type Declares interface{ Vars() []Var }

// declared returns the vars of [config] and of capabilities, sorted.
func (r *reader) declared(root Table, settings map[string]any, vars []Var) []Var {
	for _, name := range sortedKeys(settings) {
		s, ok := settings[name].(Declares)
		if !ok {
			continue
		}
		for _, v := range s.Vars() {
			if slices.ContainsFunc(vars, func(o Var) bool { return o.Name == v.Name }) {
				root.Fail(name, "%q is also a name under [config]; rename one", v.Name)
				continue
			}
			vars = append(vars, v)
		}
	}
	slices.SortFunc(vars, func(a, b Var) int { return strings.Compare(a.Name, b.Name) })
	return vars
}
