package host

import (
	"regexp"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// PackExtism returns module with a manifest of Extism's own format translated to
// one of ours: a plugin of that name, with a route POST /EXPORT for each function
// that Extism would call. Nothing the manifest names is fetched or read. Errors
// are Invalid faults.
func PackExtism(module, text []byte, name string) ([]byte, error) {
	m, err := wasmbin.Read(module)
	if err != nil {
		return nil, err
	}
	ours, err := manifest.FromExtism(text, module, name, extismExports(m), capabilities.Sections())
	if err != nil {
		return nil, err
	}
	return Pack(module, ours)
}

// extismExports returns the functions of a module that have the type of a
// plugin's and are not there for its toolchain alone. A command has main only.
func extismExports(m *wasmbin.Module) (names []string) {
	command := false
	for _, e := range m.Exports {
		switch {
		case e.Kind != wasmbin.Function || len(e.Type.Params) > 0 || len(e.Type.Results) > 1:
		case e.Name == "_start":
			command = true
		case forToolchain(e.Name) || pathSpecial.MatchString(e.Name):
		default:
			names = append(names, e.Name)
		}
	}
	if len(names) == 0 && command {
		return []string{"_start"}
	}
	return names
}

// pathSpecial finds what means something else in a route's pattern.
var pathSpecial = regexp.MustCompile(`[^A-Za-z0-9._~-]|^\.\.?$`)

// forToolchain reports whether an export is what compilers add: TinyGo's
// scheduler and the runtimes of Emscripten and GHC.
func forToolchain(name string) bool {
	return slices.ContainsFunc([]string{"_", "asyncify_", "emscripten_", "hs_"}, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	})
}

// Pack returns module with the manifest text (TOML or JSON) in its custom
// section, in place of one that is there. Both are checked; errors are Invalid
// faults.
func Pack(module, text []byte) ([]byte, error) {
	if _, err := manifest.Parse(text, manifest.FileName, capabilities.Sections()); err != nil {
		return nil, err
	}
	return wasmbin.WithCustomSection(module, abi.ManifestSection, text)
}
