package plugin

import (
	"maps"
	"slices"
	"time"
)

// Secret is a value that is stored sealed and shown to nobody: of a var that a
// manifest calls secret, or of a blind secret.
type Secret struct {
	Value Hidden
	Set   time.Time // zero = it is not known
	By    string
	Blind bool   // it was set for calls alone: no guest ever reads this value
	Lost  string // why it cannot be opened, for people; "" = it is in Value
}

// Hidden is a text that prints, logs and encodes as a placeholder. Reveal shows it.
type Hidden string

const hidden = "(secret)"

// String implements fmt.Stringer.
func (Hidden) String() string { return hidden }

// GoString implements fmt.GoStringer.
func (Hidden) GoString() string { return hidden }

// MarshalText implements encoding.TextMarshaler.
func (Hidden) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Reveal returns the text. Keep it out of logs and answers.
func (h Hidden) Reveal() string { return string(h) }

// Values returns what an operator has set: vars, and the secrets that can be opened.
func (p Plugin) Values() map[string]string {
	if len(p.Secrets) == 0 {
		return p.Vars
	}
	all := make(map[string]string, len(p.Vars)+len(p.Secrets))
	maps.Copy(all, p.Vars)
	for name, s := range p.Secrets {
		if s.Lost == "" {
			all[name] = s.Value.Reveal()
		}
	}
	return all
}

// IsSet reports whether an operator has given a name a value, one that cannot be
// opened too.
func (p Plugin) IsSet(name string) bool {
	_, plain := p.Vars[name]
	_, sealed := p.Secrets[name]
	return plain || sealed
}

// IsBlind reports whether a name has a value that no guest may read.
func (p Plugin) IsBlind(name string) bool { return p.Secrets[name].Blind }

// Lost returns those of names whose secrets cannot be opened, in order.
func (p Plugin) Lost(names []string) (lost []string) {
	for _, name := range slices.Sorted(slices.Values(names)) {
		if p.Secrets[name].Lost != "" {
			lost = append(lost, name)
		}
	}
	return lost
}
