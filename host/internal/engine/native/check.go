package native

import (
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// offer is what a module may import, by module and function.
type offer map[[2]string]wasmbin.FuncType

func newOffer(funcs []capability.Func) offer {
	o := make(offer, len(funcs))
	for _, f := range funcs {
		o[[2]string{f.Module, f.Name}] = wasmbin.FuncType{Params: f.Params, Results: f.Results}
	}
	return o
}

// check refuses a module that could not be linked or called, so that no request
// finds it out. limit is the most pages of memory.
func (o offer) check(m *wasmbin.Module, limit uint32) error {
	for _, i := range m.Imports {
		if err := o.checkImport(i); err != nil {
			return err
		}
	}
	if err := checkExports(m); err != nil {
		return err
	}
	if least := m.Memories[0].Min; least > limit {
		return fault.New(fault.TooLarge, "prepare", fmt.Sprintf(
			"the module starts with %d KiB of memory, over the limit of %d KiB; raise limits.memory in its manifest",
			least*64, limit*64))
	}
	return nil
}

func (o offer) checkImport(i wasmbin.Import) error {
	if i.Kind != wasmbin.Function {
		return invalid("the module imports the %s %.64q.%.64q; a guest has its own memory, tables and globals: "+
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
	case module == abi.Module:
		return invalid("%s, which this host does not have; update the host or build with an older SDK", what)
	case strings.HasPrefix(module, abi.ModulePrefix):
		return invalid("wrong ABI version: %s, and this host speaks %s; build the module with an SDK of that version", what, abi.Module)
	case strings.HasPrefix(module, "wasi_"):
		return invalid("%s; of WASI this host has the functions of %s: build for WASI preview 1", what, wasi.Module)
	case strings.HasPrefix(module, "extism:"):
		return invalid("%s, which belongs to Extism; write abi = \"extism\" and routes that name exports in its manifest", what)
	default:
		return invalid("%s, which nobody provides; a module may import the functions of %s and %s", what, abi.Module, wasi.Module)
	}
}

func checkExports(m *wasmbin.Module) error {
	handle, ok := m.Export(abi.ExportHandle)
	if !ok {
		return missingHandle(m)
	}
	if err := checkFunction(handle, []abi.Type{abi.I32}); err != nil {
		return err
	}
	if initialize, ok := m.Export(abi.ExportInitialize); ok {
		if err := checkFunction(initialize, nil); err != nil {
			return err
		}
	}
	if mem, ok := m.Export(abi.ExportMemory); !ok || mem.Kind != wasmbin.Memory {
		return invalid("the module exports no memory named %q, through which the host passes requests", abi.ExportMemory)
	}
	return nil
}

func missingHandle(m *wasmbin.Module) error {
	if _, ok := m.Export("_start"); ok {
		return invalid("the module is a command (it exports _start) and does not export %s() -> i32; "+
			"build it as a reactor: go build -buildmode=c-shared, clang -mexec-model=reactor", abi.ExportHandle)
	}
	return invalid("the module does not export %s() -> i32, which serves a request; build it with an SDK of %s", abi.ExportHandle, abi.Module)
}

// checkFunction checks that an export is a function without parameters.
func checkFunction(e wasmbin.Export, results []abi.Type) error {
	switch want := (wasmbin.FuncType{Results: results}); {
	case e.Kind != wasmbin.Function:
		return invalid("the module exports %q as a %s, but it must be a function %s", e.Name, e.Kind, want)
	case !e.Type.Is(nil, results):
		return invalid("the module exports %q as %.200s, but it must be %s", e.Name, e.Type, want)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "prepare", fmt.Sprintf(format, args...))
}
