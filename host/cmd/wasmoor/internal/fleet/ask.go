package fleet

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// asked is what a module's manifest asks for.
type asked struct {
	grant   map[string]any // as the admin API writes it
	vars    []string       // that are no secrets
	secrets []string
	needed  []string // of both, those without which it does not serve
}

// askedBy reads what a module asks for, without trying it. Errors: Invalid.
func askedBy(module []byte) (asked, error) {
	text, ok, err := wasmbin.CustomSection(module, abi.ManifestSection)
	if err != nil {
		return asked{}, err
	}
	m := manifest.Default("none")
	if ok {
		if m, err = manifest.Parse(text, manifest.FileName, capabilities.Sections()); err != nil {
			return asked{}, err
		}
	}
	a := asked{grant: map[string]any{}}
	for _, member := range m.Ask().Members() {
		a.grant[member.Name] = member.Value
	}
	for _, v := range m.Vars {
		if v.Secret {
			a.secrets = append(a.secrets, v.Name)
		} else {
			a.vars = append(a.vars, v.Name)
		}
		if v.Required {
			a.needed = append(a.needed, v.Name)
		}
	}
	return a, nil
}
