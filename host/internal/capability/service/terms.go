package service

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Terms are whom a plugin may call: alias=plugin for what its manifest says, and
// alias>plugin where an operator has bound the alias, sorted, with a space between.
// Whoever binds an alias has decided about it, so that it covers whatever the manifest
// says of the alias. They implement plugin.Terms.
type Terms string

// item is a part of Terms.
type item struct {
	alias, plugin string
	bound         bool // by an operator
}

func (i item) String() string {
	if i.bound {
		return i.alias + ">" + i.plugin
	}
	return i.alias + "=" + i.plugin
}

func termsOf(items []item) Terms {
	texts := make([]string, len(items))
	for i, it := range items {
		texts[i] = it.String()
	}
	slices.Sort(texts)
	return Terms(strings.Join(slices.Compact(texts), " "))
}

// items returns the parts. One that cannot be read, which only a damaged record has, is
// left out: it grants nothing.
func (t Terms) items() (list []item) {
	for text := range strings.FieldsSeq(string(t)) {
		at := strings.IndexAny(text, "=>")
		if at < 0 {
			continue
		}
		list = append(list, item{text[:at], text[at+1:], text[at] == '>'})
	}
	return list
}

func (t Terms) has(i item) bool { return slices.Contains(t.items(), i) }

// Bound returns the plugin that an operator has bound an alias to.
func (t Terms) Bound(alias string) (to string, ok bool) {
	for _, i := range t.items() {
		if i.bound && i.alias == alias {
			return i.plugin, true
		}
	}
	return "", false
}

// Covers reports whether a plugin may call what a manifest names.
func (t Terms) Covers(d Declared) bool { return t.covers(item{d.Alias, d.Plugin, false}) }

// lasting is what an operator has bound: a version that names no plugin is no reason to
// forget it, or the next one would call whom its manifest says.
func lasting(t plugin.Terms) plugin.Terms {
	own, _ := t.(Terms)
	if bound := slices.DeleteFunc(own.items(), func(i item) bool { return !i.bound }); len(bound) > 0 {
		return termsOf(bound)
	}
	return nil
}

// covers reports whether t lets a plugin do what an item is about.
func (t Terms) covers(i item) bool {
	if _, bound := t.Bound(i.alias); bound && !i.bound {
		return true
	}
	return t.has(i)
}

// Beyond implements plugin.Terms.
func (t Terms) Beyond(other plugin.Terms) (list []plugin.Excess) {
	have, _ := other.(Terms)
	for _, i := range t.items() {
		if !have.covers(i) {
			list = append(list, plugin.Excess{What: i.inWords(), Reaches: i.plugin})
		}
	}
	return list
}

// Union implements plugin.Terms. An alias that both bind is bound as here.
func (t Terms) Union(other plugin.Terms) plugin.Terms {
	o, _ := other.(Terms)
	all := t.items()
	for _, i := range o.items() {
		if _, bound := t.Bound(i.alias); !i.bound || !bound {
			all = append(all, i)
		}
	}
	return termsOf(all)
}

// Both implements plugin.Terms. What an operator has bound stays bound.
func (t Terms) Both(other plugin.Terms) plugin.Terms {
	o, _ := other.(Terms)
	both := slices.DeleteFunc(t.items(), func(i item) bool { return !i.bound && !o.covers(i) })
	if len(both) == 0 {
		return nil
	}
	return termsOf(both)
}

// Members implements plugin.Terms.
func (t Terms) Members() []plugin.Member { return []plugin.Member{{Name: Name, Value: string(t)}} }

// readTerms reads what Members wrote.
func readTerms(object []byte) (plugin.Terms, error) {
	var r struct {
		Services Terms `json:"services"`
	}
	if err := json.Unmarshal(object, &r); err != nil || r.Services == "" {
		return nil, err
	}
	return r.Services, nil
}

// Bind returns a grant with aliases bound to plugins, and others as the manifest says,
// which counts as approved. Errors: NotFound (the manifest has no such alias), Invalid.
func Bind(g plugin.Grant, s Settings, to map[string]string, unbind []string) (plugin.Grant, error) {
	have, _ := g.Terms[Name].(Terms)
	items := have.items()
	drop := func(alias string) error {
		if !slices.ContainsFunc(s, func(d Declared) bool { return d.Alias == alias }) {
			return fault.New(fault.NotFound, "", fmt.Sprintf("the manifest has no %.64q under [services]; it has: %s", alias, s.names()))
		}
		items = slices.DeleteFunc(items, func(i item) bool { return i.bound && i.alias == alias })
		return nil
	}
	for alias, name := range to {
		if err := plugin.CheckName(name); err != nil {
			return g, err
		}
		if err := drop(alias); err != nil {
			return g, err
		}
		items = append(items, item{alias, name, true})
	}
	for _, alias := range unbind {
		if err := drop(alias); err != nil {
			return g, err
		}
		for _, d := range s {
			if d.Alias == alias {
				items = append(items, item{alias, d.Plugin, false})
			}
		}
	}
	return g.With(Name, termsOf(items)), nil
}

func (s Settings) names() string {
	if len(s) == 0 {
		return "nothing"
	}
	var names []string
	for _, d := range s {
		names = append(names, d.Alias)
	}
	return strings.Join(names, ", ")
}
