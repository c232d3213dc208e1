package extism

import (
	"context"
	"slices"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
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

// functions returns every host function a plugin may import.
func functions() []function {
	return slices.Concat(kernelFunctions(), envFunctions(), httpFunctions(), kvFunctions(), wasiFunctions())
}

// Functions returns every host function a plugin may import, for those who
// describe modules: they are not to be called.
func Functions() []capability.Func {
	var list []capability.Func
	for _, f := range functions() {
		list = append(list, capability.Func{Module: f.module, Name: f.name, Params: f.params, Results: f.results})
	}
	return list
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
// guest that sleeps is woken by its deadline.
func wasiFunctions() []function {
	var list []function
	for _, f := range wasi.Functions() {
		list = append(list, function{
			module: f.Module, name: f.Name, params: f.Params, results: f.Results,
			call: func(ctx context.Context, s *state, args []uint64) (uint64, error) {
				s.guest.Mem = s.memory.Bytes()
				return f.Call(ctx, &s.guest, args)
			},
		})
	}
	return list
}
