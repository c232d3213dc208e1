package extism

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Import modules of a plugin.
const (
	EnvModule  = "extism:host/env"  // Extism's own functions
	UserModule = "extism:host/user" // the platform's capabilities
)

// function is a host function that acts on the state of one invocation. Blocks
// are named by their offset, an i64. The error of a guest's mistake is a
// mistake.
type function struct {
	module, name    string
	params, results []abi.Type
	call            func(ctx context.Context, s *state, args []uint64) (uint64, error)
}

// mistake is what a guest did wrong, for the operator. It ends the call.
type mistake string

func (m mistake) Error() string { return string(m) }

// Functions returns every host function a plugin may import.
func Functions() []capability.Func {
	list := wasiFunctions()
	for _, f := range functions() {
		list = append(list, capability.Func{Module: f.module, Name: f.name, Params: f.params, Results: f.results, Call: f.run})
	}
	return list
}

// functions are those that are Extism's, or made for its plugins.
func functions() []function {
	return slices.Concat(kernelFunctions(), envFunctions(), httpFunctions(), kvFunctions())
}

// run is capability.Call.
func (f function) run(ctx context.Context, g *capability.Guest, args []uint64) (uint64, error) {
	result, err := f.call(ctx, g.State.(*state), args)
	if wrong, ok := errors.AsType[mistake](err); ok {
		err = fault.New(fault.Trap, "handle", fmt.Sprintf("the plugin called %s.%s: %s", f.module, f.name, wrong))
	}
	return result, err
}

// handler is a function that neither waits nor fails.
type handler func(s *state, args []uint64) uint64

// plain makes a function of a handler. A signature has a letter per parameter,
// and behind a > one for the result: i for i32, l for i64.
func plain(module, name, signature string, h handler) function {
	return fallible(module, name, signature, func(s *state, args []uint64) (uint64, error) { return h(s, args), nil })
}

// fallible makes a function of one that can end the call.
func fallible(module, name, signature string, h func(s *state, args []uint64) (uint64, error)) function {
	f := function{module: module, name: name}
	f.params, f.results = signatureOf(signature)
	f.call = func(_ context.Context, s *state, args []uint64) (uint64, error) { return h(s, args) }
	return f
}

func signatureOf(signature string) (params, results []abi.Type) {
	list := &params
	for _, c := range signature {
		switch c {
		case 'i':
			*list = append(*list, abi.I32)
		case 'l':
			*list = append(*list, abi.I64)
		case '>':
			list = &results
		}
	}
	return params, results
}

// wasiFunctions are those that native guests have: they keep no state, and a
// guest that sleeps is woken by its deadline. The code of an exit is kept: it is
// how a command says that all is well.
func wasiFunctions() []capability.Func {
	list := wasi.Functions()
	for i, f := range list {
		if f.Name == "proc_exit" {
			list[i].Call = func(ctx context.Context, g *capability.Guest, args []uint64) (uint64, error) {
				g.State.(*state).exit = uint32(args[0])
				return f.Call(ctx, g, args)
			}
		}
	}
	return list
}
