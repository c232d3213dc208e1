// Package service is the capability to call other plugins of this server and to send to
// their queues: the table [services] of a manifest, and who may call whom. It has no host
// functions: capabilities outbound and queue do both, with package service. Package
// capabilities imports it.
package service

import (
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/service"
)

// Name is that of the table, of the grant, and of what a deployment keeps: a
// service.Services.
const Name = service.Name

// MaxServices is how many plugins a manifest may name.
const MaxServices = 32

// Unit returns the capability. run runs the calls, and find finds who gets messages; nil
// is for those who only read manifests.
func Unit(run service.Runner, find service.Finder) capability.Unit {
	return capability.Unit{
		Name: Name, Named: true, Read: ask, Terms: readTerms, Lasting: lasting,
		Plugin: func(func() time.Time) invoke.State { return new(service.Counts) },
		Deployment: func(d capability.Deployment) invoke.State {
			settings, _ := d.Settings.(Settings)
			granted, _ := d.Grant.(Terms)
			bound := settings.bound(granted)
			if bound == nil {
				return nil
			}
			counts, _ := d.Plugin.(*service.Counts)
			s := &service.Services{Bound: bound, Count: map[string]*service.Count{}, Run: run, Find: find}
			for alias := range bound {
				s.Count[alias] = counts.Of(alias)
			}
			return s
		},
	}
}

// Settings are the plugins that a manifest names, by alias.
type Settings []Declared

// Declared is an alias, and the plugin that it stands for unless an operator binds it.
type Declared struct{ Alias, Plugin, reason string }

// Of returns the services of a manifest.
func Of(m *manifest.Manifest) Settings {
	s, _ := m.Settings(Name).(Settings)
	return s
}

// bound returns which plugins the aliases stand for that are granted, nil for none.
func (s Settings) bound(granted Terms) map[string]string {
	var bound map[string]string
	for _, d := range s {
		to, ok := granted.Bound(d.Alias)
		if !ok && granted.has(item{d.Alias, d.Plugin, false}) {
			to, ok = d.Plugin, true
		}
		if ok && bound == nil {
			bound = map[string]string{}
		}
		if ok {
			bound[d.Alias] = to
		}
	}
	return bound
}

// Reason implements manifest.Reasoned.
func (s Settings) Reason(what string) string {
	for _, d := range s {
		if (item{d.Alias, d.Plugin, false}).inWords() == what {
			return d.reason
		}
	}
	return ""
}

// ask reads [services].
func ask(t manifest.Table) (any, plugin.Terms) {
	s := Settings{}
	names := t.Names()
	if len(names) > MaxServices {
		t.Fail("", "%d plugins are above the maximum of %d", len(names), MaxServices)
		return s, nil
	}
	var terms []item
	for _, alias := range names {
		d := Declared{Alias: alias}
		if err := plugin.CheckName(alias); err != nil {
			t.Fail(alias, "it is the first part of a host, http://NAME%s: use 1 to 63 of a-z, 0-9 and -, not starting or ending with -", plugin.Internal)
			continue
		}
		from, key := t, alias
		if t.IsTable(alias) {
			from, _ = t.Sub(alias, "plugin", manifest.ReasonKey)
			key, d.reason = "plugin", from.Reason(manifest.ReasonKey)
		}
		var ok bool
		if d.Plugin, ok = from.String(key); !ok {
			if !from.Has(key) {
				from.Fail(key, "it is missing; write the name of the plugin that is called")
			}
			continue
		}
		if err := plugin.CheckName(d.Plugin); err != nil {
			from.Fail(key, "%s", fault.MessageOf(err))
			continue
		}
		s = append(s, d)
		terms = append(terms, item{alias, d.Plugin, false})
	}
	if len(terms) == 0 {
		return s, nil
	}
	return s, termsOf(terms)
}

// inWords says for a person what an item is.
func (i item) inWords() string {
	if i.alias == i.plugin {
		return "calls and messages to the plugin " + i.plugin
	}
	return fmt.Sprintf("calls and messages to the plugin %s (as %s)", i.plugin, i.alias)
}
