package native

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
)

// link makes a host module of each import module among funcs.
func link(ctx context.Context, r wazero.Runtime, funcs []capability.Func) error {
	builders := map[string]wazero.HostModuleBuilder{}
	for _, f := range funcs {
		b, ok := builders[f.Module]
		if !ok {
			b = r.NewHostModuleBuilder(f.Module)
			builders[f.Module] = b
		}
		b.NewFunctionBuilder().
			WithGoModuleFunction(hostFunction(f), valueTypes(f.Params), valueTypes(f.Results)).
			Export(f.Name)
	}
	for _, b := range builders {
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// call is the context of one call into a guest. wazero hands the context it was
// given to host functions unchanged, so that they find their guest without a
// look-up. It is new for each call: wazero's watcher may look at the one before
// after that has returned.
type call struct {
	context.Context
	guest *capability.Guest
	mem   *linear.Memory

	err      error  // why a host function ended the call
	function string // the one that did
}

// errEnd unwinds the guest's stack; call.err has the reason.
var errEnd = errors.New("the call was ended by a host function")

// hostFunction adapts f to wazero. What f returns as an error or panics with
// stays in the call: to wazero it is one value to unwind the guest with.
func hostFunction(f capability.Func) api.GoModuleFunc {
	name, run, results := f.Module+"."+f.Name, f.Call, len(f.Results) > 0
	return func(ctx context.Context, _ api.Module, stack []uint64) {
		c := ctx.(*call)
		c.guest.Mem = c.mem.Bytes()
		result, err := guarded(run, c, stack)
		if err != nil {
			c.err, c.function = err, name
			panic(errEnd)
		}
		if results {
			stack[0] = result
		}
	}
}

// guarded runs a host function and turns a panic into an error of type
// panicError.
func guarded(run capability.Call, c *call, args []uint64) (result uint64, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{value: r, stack: debug.Stack()}
		}
	}()
	return run(c.Context, c.guest, args)
}

// panicError is a panic of a host function: a bug of the host.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

func valueTypes(types []abi.Type) []api.ValueType {
	list := make([]api.ValueType, len(types))
	for i, t := range types {
		list[i] = api.ValueType(t) // both are the encodings of the binary format
	}
	return list
}
