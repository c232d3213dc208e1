package host

import (
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// PackExtism returns module with a manifest of Extism's own format translated to
// one of ours: a plugin of that name, with a route POST /EXPORT for each function
// it exports. Nothing the manifest names is fetched or read. Errors are Invalid
// faults.
func PackExtism(module, text []byte, name string) ([]byte, error) {
	m, err := wasmbin.Read(module)
	if err != nil {
		return nil, err
	}
	var exports []string
	for _, e := range m.Exports {
		if e.Kind == wasmbin.Function && !strings.HasPrefix(e.Name, "_") && e.Type.Is(nil, []abi.Type{abi.I32}) {
			exports = append(exports, e.Name)
		}
	}
	ours, err := manifest.FromExtism(text, module, name, exports)
	if err != nil {
		return nil, err
	}
	return Pack(module, ours)
}

// Pack returns module with the manifest text (TOML or JSON) in its custom
// section, in place of one that is there. Both are checked; errors are Invalid
// faults.
func Pack(module, text []byte) ([]byte, error) {
	if _, err := manifest.Parse(text, manifest.FileName); err != nil {
		return nil, err
	}
	return wasmbin.WithCustomSection(module, abi.ManifestSection, text)
}
