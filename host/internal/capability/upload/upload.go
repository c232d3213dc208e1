// Package upload is the capability to take resumable uploads: the tables [[upload]] of a
// manifest. It has no host functions: server/public takes the bytes, and the plugin's
// handlers say which uploads there may be, and get what came. Package capabilities imports
// it.
package upload

import (
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/pattern"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Name is that of the table, and of what the capability keeps.
const Name = "upload"

// Unit returns the capability. Whoever declares an upload has it: its bytes are bounded as
// those of other requests are, and reach nobody else.
func Unit() capability.Unit {
	return capability.Unit{
		Name: Name, List: true, Read: read, Keys: []string{"pattern", "request", "max", "expires"},
		Deployment: func(d capability.Deployment) invoke.State {
			s, _ := d.Settings.(Settings)
			return s
		},
	}
}

// Most of what a manifest may say, and what holds where it does not.
const (
	MaxUploads     = 32 // tables
	MaxExpires     = 7 * 24 * time.Hour
	DefaultMax     = 1 << 30
	DefaultExpires = 24 * time.Hour
)

// Declared is a table [[upload]].
type Declared struct {
	Pattern string
	route   int // index of the route that it is; -1 = there are no routes
	set     pattern.Set[struct{}]

	Done    manifest.Request // gets what came
	Max     int64            // bytes of an upload
	Expires time.Duration    // after its begin
}

// Settings are the uploads of a manifest, in the order of the text.
type Settings []Declared

// Close implements invoke.State.
func (Settings) Close() {}

// Of returns the uploads of a manifest.
func Of(m *manifest.Manifest) Settings {
	s, _ := m.Settings(Name).(Settings)
	return s
}

// Find returns an upload by its pattern.
func (s Settings) Find(pattern string) (*Declared, bool) {
	for i := range s {
		if s[i].Pattern == pattern {
			return &s[i], true
		}
	}
	return nil, false
}

// Begins returns the upload that a request to a deployment begins, which has found a route,
// -1 = the whole mount; nil = it begins none.
func Begins(env *invoke.Env, route int, method, path string) *Declared {
	s, _ := env.States.Of(Name).(Settings)
	for i := range s {
		d := &s[i]
		if d.route != route {
			continue
		}
		if _, ok := d.set.Match(method, "", path, nil); route >= 0 || ok {
			return d
		}
	}
	return nil
}

// noRoute is the route of a pattern that could not be read.
const noRoute = -2

// read reads [[upload]].
func read(root manifest.Table) (any, plugin.Terms) {
	s := Settings{}
	tables := root.Tables(Name, Unit().Keys...)
	if len(tables) > MaxUploads {
		root.Fail(Name, "%d uploads are above the maximum of %d", len(tables), MaxUploads)
		return s, nil
	}
	for _, t := range tables {
		d := declared(t)
		if _, twice := s.Find(d.Pattern); twice && d.Pattern != "" {
			t.Fail("pattern", "another upload has that pattern already")
		}
		s = append(s, d)
	}
	return s, nil
}

func declared(t manifest.Table) Declared {
	d := Declared{Max: DefaultMax, Expires: DefaultExpires, route: noRoute}
	d.readPattern(t)
	d.Done = t.Request("request", "POST /files/done")
	if d.Pattern != "" && d.Done.Route == d.route && d.route >= 0 {
		t.Fail("request", "it is the request that asks for an upload; write another one, which gets what came")
	}
	if n, ok := t.Size("max", limit.RouteBody); ok {
		d.Max = n
	}
	if age, ok := t.Days("expires", MaxExpires); ok {
		d.Expires = age
	}
	return d
}

func (d *Declared) readPattern(t manifest.Table) {
	text, route, ok := t.Pattern("pattern")
	switch {
	case !ok:
		return
	case !strings.HasPrefix(text, "POST "):
		t.Fail("pattern", "an upload is asked for with POST; write e.g. \"POST /files\"")
		return
	}
	d.Pattern, d.route = text, route
	if p, err := pattern.ParseStored(text); err == nil {
		_ = d.set.Add(p, struct{}{}) // the only one has no conflict
	}
}

// Attributes are what the handlers of an upload are told: event is "create" or "done".
func Attributes(event, id, length string, more ...abi.Pair) []abi.Pair {
	return append([]abi.Pair{{Name: "upload.event", Value: event}, {Name: "upload.id", Value: id}, {Name: "upload.length", Value: length}}, more...)
}
