// Package capability is the seam between host functions and engines: a host
// function in terms of an invocation and guest memory, with no engine in it.
// Each capability is a sub-package that lists its functions; engines link them
// once, the deployment's invoke.Env configures them, and each call acts on the
// invocation alone: no host function touches global state.
package capability

import (
	"errors"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// Func is one host function a guest may import.
type Func struct {
	Module  string // import module, e.g. abi.Module
	Name    string
	Params  []abi.Type
	Results []abi.Type // none or one
	Call    Call
}

// Call runs a host function. Inv is nil while the guest initialises: functions
// of abi.Module answer abi.Unavailable then (Native sees to it). args holds the
// parameters as WebAssembly values; the result is the one WebAssembly value, or
// ignored when there is none. An error traps the guest: it is for exits and
// host failures, never for a guest's mistake, which is a status.
type Call func(inv *invoke.Invocation, mem Memory, args []uint64) (uint64, error)

// ErrExit is the error of a guest that ended itself (proc_exit).
var ErrExit = errors.New("guest exited")

// Handler is a host function of the native ABI: its result is a size or a
// status, and inv is never nil.
type Handler func(inv *invoke.Invocation, mem Memory, args []uint64) int64

// Native makes the host functions of abi.Module from handlers by name, with the
// signatures of abi.Functions. It panics when a handler has no entry there:
// the lists are fixed at build time.
func Native(handlers map[string]Handler) []Func {
	funcs := make([]Func, 0, len(handlers))
	for _, f := range abi.Functions() {
		h, ok := handlers[f.Name]
		if !ok {
			continue
		}
		funcs = append(funcs, Func{
			Module: abi.Module, Name: f.Name,
			Params: f.Types(), Results: []abi.Type{abi.I64},
			Call: func(inv *invoke.Invocation, mem Memory, args []uint64) (uint64, error) {
				if inv == nil {
					return Result(abi.Unavailable), nil
				}
				return uint64(h(inv, mem, args)), nil
			},
		})
	}
	if len(funcs) != len(handlers) {
		panic("capability: handler for a function that abi.Functions does not list")
	}
	return funcs
}

// Result turns a status into a host function's result.
func Result(s abi.Status) uint64 { return uint64(int64(s)) }
