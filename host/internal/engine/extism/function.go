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

// function is one of Extism's own host functions, which acts on the state of one
// invocation. Blocks are named by their offset, an i64.
type function struct {
	name            string
	params, results []abi.Type
	call            func(s *state, args []uint64) (uint64, error)
}

// Functions returns every host function a plugin may import: Extism's own and
// those of capabilities.
func Functions(capabilities []capability.Func) []capability.Func {
	var list []capability.Func
	for _, f := range functions() {
		list = append(list, capability.Func{
			Module: capability.ExtismEnv, Name: f.name, Params: f.params, Results: f.results,
			Call: func(_ context.Context, g *capability.Guest, args []uint64) (uint64, error) {
				return f.call(g.State.(*state), args)
			},
		})
	}
	list = append(list, capabilities...)
	for i, f := range list {
		list[i].Call = ending(f)
	}
	return list
}

// functions are those that are Extism's own.
func functions() []function { return slices.Concat(kernelFunctions(), varFunctions()) }

// ending returns how a function is called: a mistake ends the guest, and the code
// of an exit is kept, because it is how a command says that all is well.
func ending(f capability.Func) capability.Call {
	exits := f.Module == wasi.Module && f.Name == "proc_exit"
	return func(ctx context.Context, g *capability.Guest, args []uint64) (uint64, error) {
		if exits {
			g.State.(*state).exit = uint32(args[0])
		}
		result, err := f.Call(ctx, g, args)
		if err == nil {
			return result, nil
		}
		if wrong, ok := errors.AsType[capability.Mistake](err); ok {
			err = fault.New(fault.Trap, "handle", fmt.Sprintf("the plugin called %s.%s: %s", f.Module, f.Name, wrong))
		}
		return result, err
	}
}

// handler is a function that does not fail.
type handler func(s *state, args []uint64) uint64

// plain makes a function of a handler. A signature has a letter per parameter,
// and after a > one for the result: i for i32, l for i64.
func plain(name, signature string, h handler) function {
	return fallible(name, signature, func(s *state, args []uint64) (uint64, error) { return h(s, args), nil })
}

// fallible makes a function of one whose error, a capability.Mistake, ends the
// call.
func fallible(name, signature string, h func(s *state, args []uint64) (uint64, error)) function {
	f := function{name: name, call: h}
	f.params, f.results = signatureOf(signature)
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
