package extism

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/machine"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// unknownImport says what an author can do about an import that the host does not
// have, of which capabilities are what it gives plugins of its own.
func unknownImport(capabilities []capability.Func) func(module, name string) error {
	var given []string
	for _, f := range capabilities {
		if f.Module == capability.ExtismUser {
			given = append(given, f.Name)
		}
	}
	slices.Sort(given)
	return func(module, name string) error {
		what := fmt.Sprintf("the module imports %.64q.%.64q", module, name)
		switch {
		case module == capability.ExtismEnv:
			return machine.Invalid("%s, which this host does not have; update the host or build with an older PDK", what)
		case module == capability.ExtismUser:
			return machine.Invalid("%s, a host function that its own host would give; this one gives there: %s", what, strings.Join(given, ", "))
		case strings.HasPrefix(module, abi.ModulePrefix):
			return machine.Invalid("%s, which is of the native ABI; leave abi out of its manifest, or write abi = %q", what, abi.Module)
		case machine.Foreign(module, name) != "":
			return machine.Invalid("%s: it is %s", what, machine.Foreign(module, name))
		default:
			return machine.Invalid("%s, which another module would have to give; a plugin is one module here: link them into one, e.g. with wasm-merge", what)
		}
	}
}

// checkRoute finds the export that a route calls.
func checkRoute(m *wasmbin.Module, r manifest.Route) error {
	name := r.Export + r.Handler
	e, ok := m.Export(name)
	switch {
	case !ok:
		return machine.Invalid("route %q calls %q, which the module does not export; it exports %s", r.Pattern, name, callable(m))
	case e.Kind != wasmbin.Function:
		return machine.Invalid("route %q calls %q, which is a %s and not a function", r.Pattern, name, e.Kind)
	case name == startReactor || name == startConstructors || name == startHaskell:
		return machine.Invalid("route %q calls %q, which only starts the guest", r.Pattern, name)
	case !canCall(e):
		return machine.Invalid("route %q calls %q, which is %.200s; Extism calls functions without parameters that return one number or nothing", r.Pattern, name, e.Type)
	}
	return nil
}

func canCall(e wasmbin.Export) bool {
	results := e.Type.Results
	whole := len(results) == 0 || len(results) == 1 && (results[0] == abi.I32 || results[0] == abi.I64)
	return e.Kind == wasmbin.Function && len(e.Type.Params) == 0 && whole
}

// callable lists what a route can name, for a person.
func callable(m *wasmbin.Module) string {
	const most = 10
	var names []string
	for _, e := range m.Exports {
		switch {
		case !canCall(e):
		case len(names) == most:
			return strings.Join(names, ", ") + " and more"
		default:
			names = append(names, fmt.Sprintf("%.64q", e.Name))
		}
	}
	if len(names) == 0 {
		return "no function that a route can call"
	}
	return strings.Join(names, ", ")
}
