package native

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// offer is what a module may import, by "module.function".
type offer map[string]capability.Func

func newOffer(funcs []capability.Func) offer {
	o := make(offer, len(funcs))
	for _, f := range funcs {
		o[f.Module+"."+f.Name] = f
	}
	return o
}

// check refuses a module that could not be linked or called, so that no request
// finds it out. limit is the most pages of memory.
func (o offer) check(m wazero.CompiledModule, limit uint32) error {
	for _, f := range m.ImportedFunctions() {
		if err := o.checkImport(f); err != nil {
			return err
		}
	}
	if err := checkExports(m.ExportedFunctions()); err != nil {
		return err
	}
	mem, ok := m.ExportedMemories()[exportMemory]
	switch {
	case !ok:
		return invalid("the module exports no memory named %q, through which the host passes requests", exportMemory)
	case mem.Min() > limit:
		return fault.New(fault.TooLarge, "prepare", fmt.Sprintf(
			"the module starts with %d KiB of memory, over the limit of %d KiB; raise limits.memory in its manifest",
			mem.Min()*64, limit*64))
	}
	return nil
}

func (o offer) checkImport(f api.FunctionDefinition) error {
	module, name, _ := f.Import()
	have, ok := o[module+"."+name]
	if !ok {
		return invalid("%s", unknownImport(module, name))
	}
	params, results := valueTypes(have.Params), valueTypes(have.Results)
	if !bytes.Equal(f.ParamTypes(), params) || !bytes.Equal(f.ResultTypes(), results) {
		return invalid("the module imports %.64q.%.64q as %s, but it is %s", module, name,
			signature(f.ParamTypes(), f.ResultTypes()), signature(params, results))
	}
	return nil
}

func unknownImport(module, name string) string {
	what := fmt.Sprintf("the module imports %.64q.%.64q", module, name)
	switch {
	case module == abi.Module:
		return what + ", which this host does not have; update the host or build with an older SDK"
	case strings.HasPrefix(module, abi.ModulePrefix):
		return fmt.Sprintf("wrong ABI version: %s, and this host speaks %s; build the module with an SDK of that version", what, abi.Module)
	case strings.HasPrefix(module, "wasi_"):
		return fmt.Sprintf("%s; of WASI this host has the functions of %s: build for WASI preview 1", what, wasi.Module)
	case strings.HasPrefix(module, "extism:"):
		return what + ", which belongs to Extism; a module of the native ABI uses " + abi.Module
	default:
		return fmt.Sprintf("%s, which nobody provides; a module may import the functions of %s and %s", what, abi.Module, wasi.Module)
	}
}

func checkExports(exports map[string]api.FunctionDefinition) error {
	handle, ok := exports[exportHandle]
	if !ok {
		return missingHandle(exports)
	}
	if err := checkSignature(handle, nil, []api.ValueType{api.ValueTypeI32}); err != nil {
		return err
	}
	if initialize, ok := exports[exportInitialize]; ok {
		return checkSignature(initialize, nil, nil)
	}
	return nil
}

func missingHandle(exports map[string]api.FunctionDefinition) error {
	if _, ok := exports["_start"]; ok {
		return invalid("the module is a command (it exports _start) and does not export %s() -> i32; "+
			"build it as a reactor: go build -buildmode=c-shared, clang -mexec-model=reactor", exportHandle)
	}
	return invalid("the module does not export %s() -> i32, which serves a request; build it with an SDK of %s", exportHandle, abi.Module)
}

func checkSignature(f api.FunctionDefinition, params, results []api.ValueType) error {
	if bytes.Equal(f.ParamTypes(), params) && bytes.Equal(f.ResultTypes(), results) {
		return nil
	}
	return invalid("the module exports %.64q as %s, but it must be %s", f.ExportNames()[0],
		signature(f.ParamTypes(), f.ResultTypes()), signature(params, results))
}

func signature(params, results []api.ValueType) string {
	s := "(" + typeNames(params) + ")"
	if len(results) == 0 {
		return s
	}
	return s + " -> " + typeNames(results)
}

func typeNames(types []api.ValueType) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = api.ValueTypeName(t)
	}
	return strings.Join(names, ", ")
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "prepare", fmt.Sprintf(format, args...))
}
