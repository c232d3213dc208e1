package native

import (
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/engine/machine"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

func unknownImport(module, name string) error {
	what := fmt.Sprintf("the module imports %.64q.%.64q", module, name)
	switch {
	case module == abi.Module:
		return machine.Invalid("%s, which this host does not have; update the host or build with an older SDK", what)
	case strings.HasPrefix(module, abi.ModulePrefix):
		return machine.Invalid("wrong ABI version: %s, and this host speaks %s; build the module with an SDK of that version", what, abi.Module)
	case strings.HasPrefix(module, "extism:"):
		return machine.Invalid("%s, which belongs to Extism; write abi = \"extism\" and routes that name exports in its manifest", what)
	case machine.Foreign(module, name) != "":
		return machine.Invalid("%s: it is %s", what, machine.Foreign(module, name))
	default:
		return machine.Invalid("%s, which nobody provides; a module may import the functions of %s and %s", what, abi.Module, wasi.Module)
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
	if isCommand(m) {
		return machine.Invalid("the module is a command: what initialises it is in _start, which would run the program to its end, "+
			"and it exports no _initialize; %s", asReactor)
	}
	if mem, ok := m.Export(abi.ExportMemory); !ok || mem.Kind != wasmbin.Memory {
		return machine.Invalid("the module exports no memory named %q, through which the host passes requests", abi.ExportMemory)
	}
	return nil
}

func missingHandle(m *wasmbin.Module) error {
	if isCommand(m) {
		return machine.Invalid("the module is a command (it exports _start) and does not export %s() -> i32; %s", abi.ExportHandle, asReactor)
	}
	return machine.Invalid("the module does not export %s() -> i32, which serves a request; build it with an SDK of %s", abi.ExportHandle, abi.Module)
}

// asReactor says how toolchains make what is no command.
const asReactor = "build it as a reactor: go build -buildmode=c-shared, clang -mexec-model=reactor, " +
	"Rust's crate-type = [\"cdylib\"], AssemblyScript's --exportStart _initialize"

// isCommand reports whether a module starts as a program does that runs once.
func isCommand(m *wasmbin.Module) bool {
	_, starts := m.Export("_start")
	_, initialises := m.Export(abi.ExportInitialize)
	return starts && !initialises
}

// checkFunction checks that an export is a function without parameters.
func checkFunction(e wasmbin.Export, results []abi.Type) error {
	switch want := (wasmbin.FuncType{Results: results}); {
	case e.Kind != wasmbin.Function:
		return machine.Invalid("the module exports %q as a %s, but it must be a function %s", e.Name, e.Kind, want)
	case !e.Type.Is(nil, results):
		return machine.Invalid("the module exports %q as %.200s, but it must be %s", e.Name, e.Type, want)
	}
	return nil
}
