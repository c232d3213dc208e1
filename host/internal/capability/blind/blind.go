// Package blind is the capability to have secrets put into calls to one origin, which
// the guest cannot read: the table [secrets] of a manifest. Package outbound gives
// what it keeps of a deployment to the calls. Package capabilities imports it.
package blind

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi/field"
	signing "github.com/wasmoor/wasmoor/abi/webhook"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/webhook"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Name is that of the table, of the grant, and of what is kept of a deployment: an
// egress.Blinds.
const Name = "secrets"

// Unit returns the capability.
func Unit() capability.Unit {
	return capability.Unit{
		Name: Name, Named: true, Read: ask, Terms: readTerms,
		Deployment: newBlinds,
	}
}

// maxSecrets is how many secrets a manifest may have.
const maxSecrets = 32

// Settings are the secrets of a manifest, by their names.
type Settings []declared

type declared struct {
	name, description, format, reason string
	signs                             bool // webhooks, and goes nowhere
	where
}

// item returns what Terms have of a secret.
func (d declared) item() string {
	if d.signs {
		return ""
	}
	return fmt.Sprintf("%s %s %s", d.name, d.origin, strings.ToLower(d.header))
}

// where is what a grant is about.
type where struct {
	origin plugin.Origin
	header string
}

// Vars implements manifest.Declares.
func (s Settings) Vars() (vars []manifest.Var) {
	for _, d := range s {
		v := manifest.Var{Name: d.name, Required: true, Secret: true, Blind: d.origin.String(), Description: d.description}
		if d.signs {
			v.Blind = webhook.Blind
		}
		vars = append(vars, v)
	}
	return vars
}

// Reason implements manifest.Reasoned.
func (s Settings) Reason(what string) string {
	for _, d := range s {
		if !d.signs && inWords(d.item()) == what {
			return d.reason
		}
	}
	return ""
}

// ask reads [secrets].
func ask(t manifest.Table) (any, plugin.Terms) {
	var s Settings
	var terms []string
	names := t.Names()
	if len(names) > maxSecrets {
		t.Fail("", "%d secrets are above the maximum of %d", len(names), maxSecrets)
		return s, nil
	}
	for _, name := range names {
		if err := manifest.CheckVar(name); err != nil {
			t.Fail(name, "%s", fault.MessageOf(err))
			continue
		}
		one, ok := t.Sub(name, "blind", "header", "format", "description", manifest.ReasonKey)
		if !ok {
			continue
		}
		d := declared{name: name, format: "{}"}
		d.header = "Authorization"
		d.description, _ = one.String("description")
		d.reason = one.Reason(manifest.ReasonKey)
		text, _ := one.String("blind")
		if text == webhook.Blind {
			d.signs = true
			for _, key := range []string{"header", "format"} {
				if one.Has(key) {
					one.Fail(key, "a secret that signs webhooks is in no header")
				}
			}
			s = append(s, d)
			continue
		}
		var err error
		if d.origin, err = plugin.ParseOrigin(text); err != nil || strings.HasPrefix(d.origin.Host, "*") {
			one.Fail("blind", "it must be the one origin that gets the secret, e.g. \"https://api.example.com\", or \"webhooks\" for one that signs webhooks")
		}
		if header, set := one.String("header"); set {
			if d.header = header; !field.IsToken(header) || field.FramingOf(header, "x") != field.End || strings.EqualFold(header, "host") || strings.EqualFold(header, "expect") {
				one.Fail("header", "it is no header that a call may have")
			}
		}
		if format, set := one.String("format"); set {
			if d.format = format; strings.Count(format, "{}") != 1 || !field.IsValue(format) {
				one.Fail("format", "it needs {} once, where the secret goes, e.g. \"Bearer {}\"")
			}
		}
		s = append(s, d)
		terms = append(terms, d.item())
	}
	if len(terms) == 0 {
		return s, nil
	}
	return s, Terms(strings.Join(terms, ", "))
}

// Check says for people why a value cannot be that of a blind secret, "" if it can.
func Check(v manifest.Var, value string) string {
	if v.Blind != webhook.Blind {
		return egress.CheckBlind(value)
	}
	if _, err := signing.Parse(value); err != nil {
		return err.Error()
	}
	return ""
}

// newBlinds makes the secrets of a deployment: those that are granted and set.
func newBlinds(d capability.Deployment) invoke.State {
	settings, _ := d.Settings.(Settings)
	granted, _ := d.Grant.(Terms)
	var list []egress.Blind
	for _, one := range settings {
		value, set := d.Values[one.name]
		if set && !one.signs && slices.Contains(granted.items(), one.item()) {
			list = append(list, egress.Blind{Origin: one.origin, Header: one.header, Format: one.format, Secret: value})
		}
	}
	if len(list) == 0 {
		return nil
	}
	return egress.NewBlinds(list)
}

// Terms are which secrets go where: NAME ORIGIN HEADER, with a comma and a space
// between, sorted. They implement plugin.Terms.
type Terms string

func (t Terms) items() []string {
	if t == "" {
		return nil
	}
	return strings.Split(string(t), ", ")
}

// Beyond implements plugin.Terms.
func (t Terms) Beyond(other plugin.Terms) (list []plugin.Excess) {
	have, _ := other.(Terms)
	for _, item := range t.items() {
		if !slices.Contains(have.items(), item) {
			list = append(list, plugin.Excess{What: inWords(item)})
		}
	}
	return list
}

// inWords says for a person what an item is.
func inWords(item string) string {
	part := strings.Fields(item)
	return fmt.Sprintf("the secret %s for %s, in the header %s", part[0], part[1], part[2])
}

// Both implements plugin.Terms.
func (t Terms) Both(other plugin.Terms) plugin.Terms {
	o, _ := other.(Terms)
	both := slices.DeleteFunc(t.items(), func(item string) bool { return !slices.Contains(o.items(), item) })
	if len(both) == 0 {
		return nil
	}
	return Terms(strings.Join(both, ", "))
}

// Union implements plugin.Terms.
func (t Terms) Union(other plugin.Terms) plugin.Terms {
	o, _ := other.(Terms)
	all := append(t.items(), o.items()...)
	slices.Sort(all)
	return Terms(strings.Join(slices.Compact(all), ", "))
}

// Members implements plugin.Terms.
func (t Terms) Members() []plugin.Member { return []plugin.Member{{Name: Name, Value: string(t)}} }

// readTerms reads what Members wrote.
func readTerms(object []byte) (plugin.Terms, error) {
	var r struct {
		Secrets Terms `json:"secrets"`
	}
	if err := json.Unmarshal(object, &r); err != nil || r.Secrets == "" {
		return nil, err
	}
	return r.Secrets, nil
}
