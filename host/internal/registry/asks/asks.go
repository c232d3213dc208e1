// Package asks reads from an upload what is recorded of it. Only package registry imports
// it.
package asks

import (
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Asks is what an upload says.
type Asks struct {
	Grant  plugin.Grant
	Digest plugin.Digest
	Label  string
	Secret map[string]bool // what the manifest calls so
}

// Read reads the upload of a plugin: its module and its manifest, empty =
// manifest.Default. label "" = the manifest's version. Errors: Invalid, TooLarge.
func Read(name string, module, text []byte, label string, sections []manifest.Section) (a Asks, err error) {
	if err := plugin.CheckName(name); err != nil {
		return a, err
	}
	if len(module) > limit.Module {
		return a, fault.New(fault.TooLarge, "add a version", fmt.Sprintf(
			"the module has %d bytes; the maximum is %s", len(module), limit.FormatSize(limit.Module)))
	}
	m, err := Parse(name, text, sections)
	if err != nil {
		return a, err
	}
	if label == "" {
		label = m.Version
	}
	a = Asks{m.Ask(), plugin.DigestOf(module), label, map[string]bool{}}
	for _, v := range m.Vars {
		if v.Secret {
			a.Secret[v.Name] = true
		}
	}
	return a, manifest.CheckLabel(label)
}

// Parse reads a manifest as it is stored.
func Parse(name string, text []byte, sections []manifest.Section) (*manifest.Manifest, error) {
	if len(text) == 0 {
		return manifest.Default(name), nil
	}
	return manifest.ParseStored(text, manifest.FileName, sections)
}
