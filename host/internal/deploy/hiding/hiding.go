// Package hiding knows which values of a plugin are secret, and which it declares. Package deploy imports it.
package hiding

import (
	"maps"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/redact"
)

// Redactor returns what hides the secrets of a plugin in what its code says: those
// that an operator has set, whether a guest of this version reads them or not, and the
// vars that its manifest calls secret.
func Redactor(p plugin.Plugin, m *manifest.Manifest, config map[string]string) *redact.Redactor {
	secrets := make(map[string]string, len(p.Secrets))
	for name, s := range p.Secrets {
		secrets[name] = s.Value.Reveal()
	}
	for _, v := range m.Vars {
		if v.Secret {
			secrets[v.Name] = config[v.Name]
		}
	}
	return redact.New(secrets)
}

// Lost returns the secrets of a plugin that cannot be opened.
func Lost(p plugin.Plugin) []string { return p.Lost(slices.Collect(maps.Keys(p.Secrets))) }
