package extism

import (
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// ownStart is what the export that initialises a guest is called before the SDK
// sees the module. The SDK would call it in the first request: a guest that
// cannot start is to be found out when it is deployed.
const ownStart = "wasmoor:start"

// starts are the exports that the SDK initialises a guest with, the first
// before the second.
var starts = []string{"_initialize", "__wasm_call_ctors"}

// startOf returns the export that initialises a guest, or "" when the SDK is to
// see to it: Haskell needs more than one call, and a command starts itself.
func startOf(m *wasmbin.Module, routes []manifest.Route) string {
	if _, ok := m.Export("hs_init"); ok {
		return ""
	}
	for _, r := range routes {
		if r.Export+r.Handler == "_start" {
			return ""
		}
	}
	for _, name := range starts {
		if e, ok := m.Export(name); ok && canCall(e) {
			return name
		}
	}
	return ""
}

// rename gives a module's imports the names of our functions, and its start ours.
// With a start of ours the SDK must find none of its own.
func rename(module []byte, start string) ([]byte, error) {
	module, err := wasmbin.RenameImports(module, ownName)
	if err != nil || start == "" {
		return module, err
	}
	return wasmbin.RenameExports(module, func(name string) string {
		switch name {
		case start:
			return ownStart
		case starts[1]:
			return ownStart + ":" + name
		}
		return name
	})
}
