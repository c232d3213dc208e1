package extism

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// offer is what a plugin may import, by module and function.
type offer map[[2]string]wasmbin.FuncType

func newOffer(funcs []function) offer {
	o := make(offer, len(funcs))
	for _, f := range funcs {
		o[[2]string{f.module, f.name}] = wasmbin.FuncType{Params: f.params, Results: f.results}
	}
	return o
}

// check refuses a module that could not be linked or called, so that no request
// finds it out. limit is the most pages of memory.
func (o offer) check(m *wasmbin.Module, limit uint32, routes []manifest.Route) error {
	for _, i := range m.Imports {
		if err := o.checkImport(i); err != nil {
			return err
		}
	}
	for _, r := range routes {
		if err := checkRoute(m, r); err != nil {
			return err
		}
	}
	if len(m.Memories) > 0 && m.Memories[0].Min > limit {
		return fault.New(fault.TooLarge, "prepare", fmt.Sprintf(
			"the module starts with %d KiB of memory, over the limit of %d KiB; raise limits.memory in its manifest",
			m.Memories[0].Min*64, limit*64))
	}
	return nil
}

func (o offer) checkImport(i wasmbin.Import) error {
	if i.Kind != wasmbin.Function {
		return invalid("the module imports the %s %.64q.%.64q; a plugin has its own memory, tables and globals: "+
			"link it without importing them", i.Kind, i.Module, i.Name)
	}
	have, ok := o[[2]string{i.Module, i.Name}]
	switch {
	case !ok:
		return unknownImport(i.Module, i.Name)
	case !i.Type.Is(have.Params, have.Results):
		return invalid("the module imports %.64q.%.64q as %.200s, but it is %s", i.Module, i.Name, i.Type, have)
	}
	return nil
}

func unknownImport(module, name string) error {
	what := fmt.Sprintf("the module imports %.64q.%.64q", module, name)
	switch {
	case module == EnvModule:
		return invalid("%s, which this host does not have; update the host or build with an older PDK", what)
	case module == UserModule:
		return invalid("%s, a host function that its own host would give; this one gives kv_get, kv_set, kv_delete, kv_add and kv_list there", what)
	case strings.HasPrefix(module, abi.ModulePrefix):
		return invalid("%s, which is of the native ABI; leave abi out of its manifest, or write abi = %q", what, abi.Module)
	case strings.HasPrefix(module, "wasi_"):
		return invalid("%s; of WASI this host has the functions of %s: build for WASI preview 1", what, wasi.Module)
	default:
		return invalid("%s, which another module would have to give; a plugin is one module here: link them into one, e.g. with wasm-merge", what)
	}
}

// checkRoute finds the export that a route calls.
func checkRoute(m *wasmbin.Module, r manifest.Route) error {
	name := r.Export + r.Handler
	e, ok := m.Export(name)
	switch {
	case !ok:
		return invalid("route %q calls %q, which the module does not export; it exports %s", r.Pattern, name, callable(m))
	case e.Kind != wasmbin.Function:
		return invalid("route %q calls %q, which is a %s and not a function", r.Pattern, name, e.Kind)
	case slices.Contains(starts, name):
		return invalid("route %q calls %q, which only starts the guest", r.Pattern, name)
	case !canCall(e):
		return invalid("route %q calls %q, which is %.200s; Extism calls functions without parameters that return one number or nothing", r.Pattern, name, e.Type)
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

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "prepare", fmt.Sprintf(format, args...))
}
