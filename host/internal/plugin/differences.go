package plugin

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Difference is what an event made of one thing. "" = it was not there, or is not any
// more.
type Difference struct{ What, Before, After string }

// String shows it to a person.
func (d Difference) String() string {
	if d.Before == "" {
		return d.What + " = " + d.After
	}
	return d.What + ": " + d.Before + " -> " + cmp.Or(d.After, "none")
}

// Field is one thing that a change may differ in, and what it is, for a person.
type Field struct{ Name, Value string }

// Bounds of what an event says: it is a line of the audit.
const (
	maxDifferences = 200
	maxText        = 1 << 10 // bytes of a value
)

// Compare lists the fields that are not the same in both, in the order of their names.
// A field without a value is none.
func Compare(before, after []Field) []Difference {
	values := map[string]*Difference{}
	of := func(name string) *Difference {
		if values[name] == nil {
			values[name] = &Difference{What: name}
		}
		return values[name]
	}
	for _, f := range before {
		of(f.Name).Before = f.Value
	}
	for _, f := range after {
		of(f.Name).After = f.Value
	}
	var all []Difference
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if d := values[name]; d.Before != d.After {
			all = append(all, Difference{name, bounded(d.Before), bounded(d.After)})
		}
	}
	return all
}

// bounded cuts a long text.
func bounded(text string) string {
	if len(text) <= maxText {
		return text
	}
	return fmt.Sprintf("%s... (%d bytes)", strings.ToValidUTF8(text[:maxText], ""), len(text))
}

// Few returns as many differences as an event holds.
func Few(all []Difference) []Difference {
	if len(all) <= maxDifferences {
		return all
	}
	rest := Difference{What: "others", After: fmt.Sprintf("%d more", len(all)-maxDifferences+1)}
	return append(slices.Clone(all[:maxDifferences-1]), rest)
}

// Differences says what changed of a plugin: of vars and secrets their names, and never
// what they hold.
func Differences(before, after Plugin) []Difference {
	all := Compare(before.fields(), after.fields())
	if before.Active != 0 && before.Active != after.Active {
		all = append(all, Difference{"version", fmt.Sprint(before.Active), fmt.Sprint(after.Active)})
	}
	if r := after.Rollout; r != nil && r.Outcome == RolledOut && !reflect.DeepEqual(before.Rollout, r) {
		all = append(all, Difference{"rollout", "runs", "rolled out, " + r.Reason})
	}
	all = append(all, named("var", before.Vars, after.Vars)...)
	return append(all, named("secret", before.Secrets, after.Secrets)...)
}

// fields are what an operator decides of a plugin, but for vars and secrets.
func (p Plugin) fields() []Field {
	fields := []Field{{"mount", string(p.Mount)}}
	for _, m := range p.Grant.Members() {
		fields = append(fields, Field{"grant." + m.Name, fmt.Sprint(m.Value)})
	}
	for key, value := range p.Limits.All() {
		fields = append(fields, Field{"limits." + key, value})
	}
	if c := p.CORS; c != nil {
		fields = append(fields,
			Field{"cors.origins", strings.Join(c.Origins, " ")}, Field{"cors.methods", strings.Join(c.Methods, " ")},
			Field{"cors.headers", strings.Join(c.Headers, " ")}, Field{"cors.expose", strings.Join(c.Expose, " ")},
			Field{"cors.credentials", Text(c.Credentials)}, Field{"cors.max_age", Text(c.MaxAge)})
	}
	return fields
}

// Text is the value of a field; "" for the zero value.
func Text[T comparable](v T) string {
	var zero T
	if v == zero {
		return ""
	}
	return fmt.Sprint(v)
}

// named lists the names that do not have the same in both.
func named[T comparable](what string, before, after map[string]T) (all []Difference) {
	for _, name := range slices.Sorted(maps.Keys(before)) {
		switch now, ok := after[name]; {
		case !ok:
			all = append(all, Difference{what + " " + name, "set", ""})
		case now != before[name]:
			all = append(all, Difference{what + " " + name, "set", "set anew"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, ok := before[name]; !ok {
			all = append(all, Difference{what + " " + name, "", "set"})
		}
	}
	slices.SortFunc(all, func(a, b Difference) int { return cmp.Compare(a.What, b.What) })
	return all
}
