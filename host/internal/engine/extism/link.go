package extism

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	sdk "github.com/extism/go-sdk"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
)

// The SDK has functions of its own under the names that plugins import. They
// would keep state from one request to the next and call any host, so that the
// imports are given other names before the SDK sees the module.
var ownModules = map[string]string{
	EnvModule:   "wasmoor:extism/env",
	UserModule:  "wasmoor:extism/user",
	wasi.Module: "wasmoor:extism/wasi",
}

func ownName(module, name string) (newModule, newName string) {
	if own, ok := ownModules[module]; ok {
		return own, name
	}
	return module, name
}

// link makes the SDK's host functions of ours.
func link(funcs []function) []sdk.HostFunction {
	list := make([]sdk.HostFunction, len(funcs))
	for i, f := range funcs {
		list[i] = sdk.NewHostFunctionWithStack(f.name, hostFunction(f), valueTypes(f.params), valueTypes(f.results))
		list[i].SetNamespace(ownModules[f.module])
	}
	return list
}

// call is the context of one call into a guest. The SDK and wazero wrap it and
// hand it to host functions, which find their state in it.
type call struct {
	context.Context
	state *state

	err      error  // why a host function ended the call
	function string // the one that did
	exit     uint32 // what proc_exit was called with
}

type callKey struct{}

// Value implements context.Context.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// errEnd unwinds the guest's stack; call.err has the reason.
var errEnd = errors.New("the call was ended by a host function")

// hostFunction adapts f to the SDK. What f returns as an error or panics with
// stays in the call.
func hostFunction(f function) sdk.HostFunctionStackCallback {
	name, results := f.module+"."+f.name, len(f.results) > 0
	return func(ctx context.Context, _ *sdk.CurrentPlugin, stack []uint64) {
		c := ctx.Value(callKey{}).(*call)
		result, err := guarded(f, c, stack)
		if err != nil {
			c.err, c.function = err, name
			if errors.Is(err, capability.ErrExit) {
				c.exit = uint32(stack[0])
			}
			panic(errEnd)
		}
		if results {
			stack[0] = result
		}
	}
}

// guarded runs a host function and turns a panic into an error of type
// panicError.
func guarded(f function, c *call, args []uint64) (result uint64, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{value: r, stack: debug.Stack()}
		}
	}()
	return f.call(c, c.state, args)
}

// panicError is a panic of a host function: a bug of the host.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

func valueTypes(types []abi.Type) []sdk.ValueType {
	list := make([]sdk.ValueType, len(types))
	for i, t := range types {
		list[i] = sdk.ValueType(t) // both are the encodings of the binary format
	}
	return list
}
