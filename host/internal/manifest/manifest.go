// Package manifest reads what a plugin says about itself: its name, routes,
// limits, capabilities and config, as TOML or as JSON with the same keys. It is
// strict: a key it does not know is an error, and every error carries file,
// line, column and key. Everything of host at or above engine and registry may
// import it; it imports plugin, limit and spelling, and parts of abi.
package manifest

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/abi/pattern"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// FileName is the file of a manifest, next to the module; packed, it is the text of
// the module's custom section abi.ManifestSection.
const FileName = "wasmoor.toml"

// FormatVersion is the manifest_version this host reads.
const FormatVersion = 1

// Bounds of a manifest.
const (
	MaxSize   = 128 << 10 // bytes of its text
	MaxRoutes = 1000
	MaxVars   = 256
	MaxLabel  = 128 // characters of version
)

// ABIExtism is the abi of a plugin that was built with a PDK of Extism.
const ABIExtism = "extism"

// Sources of which a guest may keep what it got while it initialised.
const (
	FrozenClock  = "clock"
	FrozenRandom = "random"
)

// Manifest is a valid manifest. It is not changed after Parse.
type Manifest struct {
	Name    string
	Version string  // a free label; "" = none
	ABI     string  // ABIExtism, or "" = abi.Module
	Routes  []Route // in the order of the text; none = the whole mount is the guest's
	Vars    []Var   // sorted by name
	Build   Build
	Warmups []Warmup // in the order of the text
	Frozen  []string // sources that what all requests start from may depend on

	closed   []string // requests below the whole mount that the public listener has no way to
	limits   limit.Limits
	ask      plugin.Grant
	settings map[string]any    // of capabilities, by the names of their tables
	reasons  map[string]string // why it asks, by plugin.Excess.Unit; nil = nothing says it
	patterns *pattern.Set[int] // of Routes, by their index
}

// Route is one pattern of the manifest, relative to the plugin's mount.
type Route struct {
	Pattern     string
	Deadline    time.Duration // 0 = the plugin's
	RequestBody int64         // bytes; 0 = the plugin's
	Idempotency time.Duration // how long answers are kept for an Idempotency-Key; 0 = keys mean nothing

	// EncodedSlashes takes paths with %2F, which is then a part of its segment.
	EncodedSlashes bool

	// One of these is set with ABIExtism, and none without it.
	Export  string // gets the request's body, and its output is the response's
	Handler string // gets the request as JSON, and its output is the response as JSON

	ContentType string // of Export's output; "" = application/octet-stream

	// Live has a client that asks for an event stream get the answer again whenever a
	// commit changes what it rests on.
	Live bool

	Cache Cache

	// Private says that the public listener has no way to it.
	Private bool
}

// Var is one entry of [config]: a value the operator sets and the guest reads.
type Var struct {
	Name        string
	Required    bool
	Secret      bool    // never shown
	Blind       string  // origin whose calls have it; the guest cannot read it. "" = it can
	Default     *string // nil = none
	Description string
}

// Kind returns what people call it, which is the command that sets it.
func (v Var) Kind() string {
	if v.Secret {
		return "secret"
	}
	return "var"
}

// Build says how an author's project becomes a module. Only the CLI reads it.
type Build struct {
	Command string
	Output  string   // path of the module, relative to the manifest
	Watch   []string // globs relative to the manifest; none = every file
}

// Default returns the manifest of a module that comes without one: the whole
// mount, default limits, no capability, no config.
func Default(name string) *Manifest {
	return &Manifest{Name: name, limits: limit.Default(), settings: map[string]any{}}
}

// Limits returns the limits of an invocation, defaults included.
func (m *Manifest) Limits() limit.Limits { return m.limits }

// Under returns m with an operator's limits in place of its own. A route keeps a
// lower limit of its own, and no higher one.
func (m *Manifest) Under(o limit.Override) *Manifest {
	if o == (limit.Override{}) {
		return m
	}
	under := *m
	under.limits = o.Over(m.limits)
	under.Routes = slices.Clone(m.Routes)
	for i := range under.Routes {
		r := &under.Routes[i]
		if o.Deadline != 0 {
			r.Deadline = min(r.Deadline, o.Deadline)
		}
		if o.RequestBody != 0 {
			r.RequestBody = min(r.RequestBody, o.RequestBody)
		}
	}
	return &under
}

// RouteLimits returns the limits of an invocation of Routes[i]; those of the
// plugin for an index outside, which stands for the whole mount.
func (m *Manifest) RouteLimits(i int) limit.Limits {
	l, r := m.limits, m.Route(i)
	l.Deadline, l.RequestBody = cmp.Or(r.Deadline, l.Deadline), cmp.Or(r.RequestBody, l.RequestBody)
	return l
}

// Route returns Routes[i], an empty one for an index outside. It is not changed.
func (m *Manifest) Route(i int) *Route {
	if i < 0 || i >= len(m.Routes) {
		return &noRoute
	}
	return &m.Routes[i]
}

var noRoute Route

// EncodedSlashes returns the patterns of the routes that take encoded slashes.
func (m *Manifest) EncodedSlashes() (patterns []string) {
	for _, r := range m.Routes {
		if r.EncodedSlashes {
			patterns = append(patterns, r.Pattern)
		}
	}
	return patterns
}

// MinDeadline returns the shortest deadline any request of the plugin has.
func (m *Manifest) MinDeadline() time.Duration {
	if len(m.Routes) == 0 {
		return m.limits.Deadline
	}
	shortest := m.RouteLimits(0).Deadline
	for i := range m.Routes {
		shortest = min(shortest, m.RouteLimits(i).Deadline)
	}
	return shortest
}

// Settings returns what the table of a capability says to it, nil without one.
func (m *Manifest) Settings(capability string) any { return m.settings[capability] }

// Ask returns what the plugin wants to use.
func (m *Manifest) Ask() plugin.Grant { return m.ask }

// Patterns returns the routes' patterns in order, nil without routes.
func (m *Manifest) Patterns() []string {
	var patterns []string
	for _, r := range m.Routes {
		patterns = append(patterns, r.Pattern)
	}
	return patterns
}

// VarNames returns the names of [config], sorted.
func (m *Manifest) VarNames() []string {
	names := make([]string, len(m.Vars))
	for i, v := range m.Vars {
		names[i] = v.Name
	}
	return names
}

// Resolve returns the config a guest sees: the operator's value of each entry
// of [config], or its default. Vars the manifest does not name are left out, not
// refused: they belong to another version, which a rollback may bring back. The
// error is Invalid and names each required var without a value and the command
// that sets it, or a var whose value blind says no guest may read. Name is the
// plugin's installed name, which may differ from the manifest's.
func (m *Manifest) Resolve(name string, vars map[string]string, blind func(name string) bool) (map[string]string, error) {
	config := make(map[string]string, len(m.Vars))
	var missing []Var
	for _, v := range m.Vars {
		value, set := vars[v.Name]
		switch {
		case set && v.Blind != "":
		case set && blind(v.Name):
			return nil, blindVar(name, v.Name)
		case set:
			config[v.Name] = value
		case v.Default != nil:
			config[v.Name] = *v.Default
		case v.Required:
			missing = append(missing, v)
		}
	}
	if len(missing) > 0 {
		return nil, missingVars(name, missing)
	}
	return config, nil
}

func sortedKeys(values map[string]any) []string {
	return slices.Sorted(maps.Keys(values))
}
