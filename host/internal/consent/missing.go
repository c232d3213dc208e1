package consent

import (
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Missing is what keeps a version from being activated. The zero Missing is nothing.
type Missing struct {
	plugin  string
	version plugin.Version
	moves   bool  // it is to serve where its plugin is not
	asks    []Ask // that nobody has approved
	unset   string
}

// Resolve returns the config of a version whose manifest is m, and what is missing for it
// to serve.
func Resolve(p plugin.Plugin, v plugin.Version, m *manifest.Manifest) (map[string]string, Missing) {
	missing := Missing{plugin: p.Name, version: v, moves: v.Mount != "" && v.Mount != p.Mount, asks: granted(v.Ask.Beyond(Has(p, v)), m)}
	config, err := m.Config(p)
	if err != nil {
		missing.unset = fault.MessageOf(err)
	}
	return config, missing
}

// Moved adds what is missing for a version of p to serve at mounts, which are withheld from
// whoever asks.
func (m Missing) Moved(withheld bool, p plugin.Plugin, to plugin.Mounts) Missing {
	if withheld {
		for _, mount := range to.Foreign(p.Name, p.Mount) {
			m.asks = append(m.asks, Ask{What: "the mount " + string(mount)})
		}
	}
	return m
}

// Any reports whether anything is missing.
func (m Missing) Any() bool { return len(m.asks) > 0 || m.unset != "" || m.version.Rejected != nil }

// Words says each part for a person, with what to do: for whoever makes the change that c
// is about; for anybody where c is zero.
func (m Missing) Words(c Consent) (words []string) {
	if err := m.version.Refusal(m.plugin); err != nil {
		return []string{fault.MessageOf(err)}
	}
	for _, a := range m.asks {
		words = append(words, fmt.Sprintf("it asks for %s, which is not granted; %s: %s", a, c.who(), m.command()))
	}
	if m.unset != "" {
		then := "then run"
		if len(m.asks) > 0 {
			then = "then " + c.who()
		}
		words = append(words, fmt.Sprintf("%s; %s: %s", m.unset, then, m.command()))
	}
	return words
}

// Idle says why a version does not serve that waits for nothing, and how to let it.
func (m Missing) Idle(reason string) []string {
	return []string{fmt.Sprintf("%s; run: %s", reason, m.command())}
}

// command returns the one that lets the version serve where it is to.
func (m Missing) command() string {
	if len(m.asks) > 0 {
		return fmt.Sprintf("wasmoor approve %s %d", m.plugin, m.version.Number)
	}
	command := fmt.Sprintf("wasmoor activate %s %d", m.plugin, m.version.Number)
	if m.moves { // as its upload says
		command += " " + m.version.Mount.Flags()
	}
	return command
}

// who says who can grant what is asked for.
func (c Consent) who() string {
	switch {
	case c.own:
		return "another operator, as the policy says, grants it with"
	case c.withholds:
		return "an operator grants it with"
	}
	return "who may approve it runs"
}
