package manifest

import (
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Config returns what a guest reads of what an operator has set. Errors: Invalid
// names what has no value, Unavailable the secrets that cannot be opened; both say
// which commands mend it. A secret that cannot be opened is not passed over where it
// is optional: a plugin without it might let everybody in.
func (m *Manifest) Config(p plugin.Plugin) (map[string]string, error) {
	if lost := p.Lost(m.VarNames()); len(lost) > 0 {
		return nil, errLost(p, lost)
	}
	return m.Resolve(p.Name, p.Values(), p.IsBlind)
}

func errLost(p plugin.Plugin, lost []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "plugin %q needs %s, which cannot be opened: %s; give the server back its key and restart it, or set it again with:",
		p.Name, strings.Join(lost, ", "), p.Secrets[lost[0]].Lost)
	for _, name := range lost {
		fmt.Fprintf(&b, "\n  wasmoor secret set %s %s", p.Name, name)
	}
	return fault.New(fault.Unavailable, "open the secrets", b.String())
}
