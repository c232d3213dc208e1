package fleet

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/spelling"
)

// Actions of changes.
const (
	actAdd    = "+"
	actChange = "~"
	actRemove = "-"
)

// change is one difference between a server and a file.
type change struct {
	Action string `json:"action"`
	Plugin string `json:"plugin"`
	What   string `json:"what"`
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
}

// missing is a secret that has to be set before anything is changed.
type missing struct {
	Plugin   string   `json:"plugin"`
	Secret   string   `json:"secret"`
	Commands []string `json:"commands"` // that set it
}

// plan is what it takes to bring a server to what a file says.
type plan struct {
	Changes []change  `json:"changes"`
	Missing []missing `json:"missing_secrets"`
	Others  []string  `json:"not_in_the_file"` // plugins that stay as they are
	Absent  []change  `json:"absent_pins"`     // of versions that the server has not got

	work []work
}

// work is what is done to one plugin.
type work struct {
	name   string
	want   entry
	have   state
	upload bool // else version is on the server
	number int  // of the version
	remove bool
}

// makePlan compares a server with a file. Errors are those of usage where the file is
// wrong about a module.
func makePlan(ctx context.Context, c *client.Client, f *file, prune bool) (*plan, error) {
	p := &plan{Changes: []change{}, Missing: []missing{}, Others: []string{}, Absent: []change{}}
	installed, err := c.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	have := map[string]adminapi.Plugin{}
	for _, it := range installed {
		if it.State == adminapi.StateDeleted {
			continue
		}
		have[it.Name] = it
		if _, named := f.Plugins[it.Name]; named {
			continue
		}
		if !prune {
			p.Others = append(p.Others, it.Name)
			continue
		}
		p.work = append(p.work, work{name: it.Name, remove: true})
		p.Changes = append(p.Changes, change{actRemove, it.Name, "plugin", strings.Join(it.Mount, " "), ""})
	}
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(f.Plugins)) {
		w := work{name: name, want: f.Plugins[name]}
		if it, there := have[name]; there {
			if w.have, err = look(ctx, c, it); err != nil {
				return nil, err
			}
		}
		changes, err := p.compare(&w)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %s", name, fault.MessageOf(err)))
		}
		if len(changes) > 0 {
			p.Changes, p.work = append(p.Changes, changes...), append(p.work, w)
		}
	}
	if len(problems) > 0 {
		return nil, cli.Usage("%s", strings.Join(problems, "\n"))
	}
	return p, nil
}

// compare lists what is to be changed of a plugin.
func (p *plan) compare(w *work) (changes []change, err error) {
	if w.have.rolling {
		return nil, fmt.Errorf("a roll-out runs; wait for it, or end it with: wasmoor rollout abort %s", w.name)
	}
	wants, declares, err := w.ask()
	if err != nil {
		return nil, err
	}
	if err := w.consent(wants); err != nil {
		return nil, err
	}
	if err := w.bindable(wants); err != nil {
		return nil, err
	}
	if declares {
		if err := w.declared(wants); err != nil {
			return nil, err
		}
	}
	p.miss(w, wants, declares)
	for _, digest := range w.absentPins() {
		p.Absent = append(p.Absent, change{actAdd, w.name, "pin", "", plugin.Digest(digest).Short()})
	}
	add := func(what, from, to string) {
		if from == to {
			return
		}
		action := actChange
		if from == "" {
			action = actAdd
		} else if to == "" {
			action = actRemove
		}
		changes = append(changes, change{action, w.name, what, from, to})
	}
	add("version", plugin.Digest(w.have.digest).Short(), plugin.Digest(w.want.Digest).Short())
	serves := w.have.mount
	if w.have.active == 0 {
		serves = ""
	}
	add("mount", serves, w.want.Mount)
	was := map[string]string{}
	if v, ok := w.have.version(w.have.digest); ok && w.have.active != 0 {
		was = members(v.Ask)
	}
	will := members(wants.grant)
	for _, key := range bothKeys(was, will) {
		add("grant "+key, was[key], will[key])
	}
	w.settings(add)
	return changes, nil
}

// settings calls add with each setting that differs.
func (w *work) settings(add func(what, from, to string)) {
	was, will := limitTexts(w.have.limits), limitTexts(w.want.limits)
	for _, key := range bothKeys(was, will) {
		add("limit "+key, was[key], will[key])
	}
	was, will = policyTexts(w.have.cors), policyTexts(w.want.policy())
	for _, key := range bothKeys(was, will) {
		add("cors "+key, was[key], will[key])
	}
	for _, key := range bothKeys(w.have.vars, w.want.Vars) {
		from, set := w.have.vars[key]
		to, sets := w.want.Vars[key]
		if set != sets || from != to {
			add("var "+key, quoted(from, set), quoted(to, sets))
		}
	}
	w.holds(add)
}

// ask finds the module: on the server, or else in its file. declares says whether it is
// known which vars it reads.
func (w *work) ask() (a asked, declares bool, err error) {
	if v, ok := w.have.version(w.want.Digest); ok {
		w.number = v.Number
		a, declares = w.have.ask(v)
		return a, declares, nil
	}
	w.upload = true
	if w.want.module == "" {
		return a, false, fmt.Errorf("the server has no version with the module %s; name its file with module = \"...\"", plugin.Digest(w.want.Digest).Short())
	}
	module, err := w.want.readModule()
	if err != nil {
		return a, false, err
	}
	a, err = askedBy(module)
	return a, true, err
}

// consent refuses a module that asks for other things than the file grants: who wrote
// the file has not agreed to them.
func (w *work) consent(wants asked) error {
	granted, asks := members(w.want.Grant), members(wants.grant)
	if maps.Equal(granted, asks) {
		return nil
	}
	var text []string
	for _, key := range bothKeys(granted, asks) {
		switch grant, ask := granted[key], asks[key]; {
		case grant == ask:
		case grant == "":
			text = append(text, fmt.Sprintf("it asks for %s = %s, which the file does not grant", key, ask))
		case ask == "":
			text = append(text, fmt.Sprintf("the file grants %s, for which it does not ask", key))
		default:
			text = append(text, fmt.Sprintf("it asks for %s = %s, and the file grants %s", key, ask, grant))
		}
	}
	return fmt.Errorf("the module is not granted what it asks for: %s; if you agree, write it under [plugin.%s.grant]", strings.Join(text, "; "), w.name)
}

// declared refuses vars and secrets that the module does not have, and vars without
// which it does not serve.
func (w *work) declared(wants asked) error {
	for _, key := range slices.Sorted(maps.Keys(w.want.Vars)) {
		switch {
		case slices.Contains(wants.secrets, key):
			return fmt.Errorf("vars.%s is a secret: its value is in no file; write secrets = [%q]", key, key)
		case !slices.Contains(wants.vars, key):
			return undeclared("vars."+key, key, wants.vars)
		}
	}
	for _, key := range w.want.Secrets {
		if !slices.Contains(wants.secrets, key) {
			return undeclared("secrets: "+key, key, wants.secrets)
		}
	}
	for _, key := range wants.needed {
		if _, set := w.want.Vars[key]; !set && slices.Contains(wants.vars, key) {
			return fmt.Errorf("the module needs the var %s; set it under [plugin.%s.vars]", key, w.name)
		}
	}
	return nil
}

func undeclared(where, key string, names []string) error {
	if near := spelling.Nearest(key, names); near != "" {
		return fmt.Errorf("%s is not declared by the module; did you mean %q?", where, near)
	}
	return fmt.Errorf("%s is not declared by the module", where)
}

// miss notes the secrets that are not set.
func (p *plan) miss(w *work, wants asked, declares bool) {
	needed := slices.Clone(w.want.Secrets)
	for _, key := range wants.needed {
		if declares && slices.Contains(wants.secrets, key) {
			needed = append(needed, key)
		}
	}
	slices.Sort(needed)
	for _, key := range slices.Compact(needed) {
		if slices.Contains(w.have.secrets, key) {
			continue
		}
		m := missing{Plugin: w.name, Secret: key}
		if w.upload { // a secret is set of what is there
			words := []string{"wasmoor deploy", word(w.want.module), "--name", w.name, plugin.Mounts(w.want.Mount).Flags()}
			if w.want.Label != "" {
				words = append(words, "--label", word(w.want.Label))
			}
			m.Commands = append(m.Commands, strings.Join(append(words, "--no-activate"), " "))
		}
		m.Commands = append(m.Commands, fmt.Sprintf("wasmoor secret set %s %s", w.name, key))
		p.Missing = append(p.Missing, m)
	}
}

// word writes a word of a command as a shell reads it.
func word(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/", r)
	}
	if strings.TrimFunc(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// limitTexts writes limits for a table.
func limitTexts(l adminapi.Limits) map[string]string { return fields(limitsOf(l)) }

// policyTexts writes a policy for a table.
func policyTexts(p *adminapi.CORS) map[string]string {
	if p == nil {
		return nil
	}
	return fields((*cors)(p))
}

// fields writes each field of a table of the file that is there.
func fields[T any](table *T) map[string]string {
	if table == nil {
		return nil
	}
	out := map[string]string{}
	v := reflect.ValueOf(*table)
	for _, f := range reflect.VisibleFields(v.Type()) {
		value := v.FieldByIndex(f.Index)
		if value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0 {
			continue
		}
		text := fmt.Sprint(value)
		if list, ok := reflect.TypeAssert[[]string](value); ok {
			text = strings.Join(list, ", ")
		}
		key, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		out[key] = text
	}
	return out
}

// quoted writes a value, of which a long one is cut; "" = it is not set.
func quoted(value string, set bool) string {
	const most = 40
	switch {
	case !set:
		return ""
	case len(value) > most:
		return fmt.Sprintf("%.40q and %d bytes more", value, len(value)-most)
	}
	return fmt.Sprintf("%q", value)
}
