package machine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/runq"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/rewrite"
)

// call is the context of one call into a guest. wazero hands the context it was
// given to host functions unchanged, so that they find their guest without a
// look-up. One goroutine uses it, and nothing of wazero keeps it.
type call struct {
	context.Context
	deadline time.Time // zero = none
	guest    *capability.Guest
	memory   *linear.Memory
	turn     *runq.Turn // nil = it computes as long as it likes

	trying   bool   // it ends where the guest asks for something: see Try
	err      error  // why the call was ended
	function string // the host function that did; "" = an interrupt
}

func (c *call) begin(ctx context.Context) {
	c.Context, c.err, c.function = ctx, nil, ""
	c.deadline, _ = ctx.Deadline()
	c.turn = runq.Of(ctx)
}

// overdue returns why the call's time is up. The deadline is read off the clock
// too: the context learns of it from a timer, which waits for a processor that
// guests may be using.
func (c *call) overdue() error {
	if err := c.Err(); err != nil {
		return err
	}
	if c.late() {
		return context.DeadlineExceeded
	}
	return nil
}

// late reports whether the time is up, without a look at a context that has a
// deadline. One without is that of a build.
func (c *call) late() bool {
	if c.deadline.IsZero() {
		return c.Context.Err() != nil
	}
	return time.Until(c.deadline) <= 0
}

// errEnd unwinds the guest's stack; call.err has the reason.
var errEnd = errors.New("the call was ended by the host")

// interrupt is what a module calls every so often (rewrite.Instrument). That it
// is a function of Go is half of its use: there the runtime can take its turn, and
// so can other plugins.
func interrupt(ctx context.Context, _ []uint64) {
	c := ctx.(*call)
	c.pause(c.overdue())
}

// pause lets other plugins have their turn, and ends the call if it is to end.
func (c *call) pause(err error) {
	if err == nil {
		err = c.turn.Check(c.Context)
	}
	if err != nil {
		c.err = err
		panic(errEnd)
	}
}

// link makes a host module of each import module among funcs, and the one of
// interrupts.
func link(ctx context.Context, r wazero.Runtime, funcs []capability.Func) error {
	_, err := r.NewHostModuleBuilder(rewrite.InterruptModule).NewFunctionBuilder().
		WithGoFunction(api.GoFunc(interrupt), nil, nil).Export(rewrite.InterruptName).Instantiate(ctx)
	if err != nil {
		return err
	}
	builders := map[string]wazero.HostModuleBuilder{}
	for _, f := range funcs {
		b, ok := builders[f.Module]
		if !ok {
			b = r.NewHostModuleBuilder(f.Module)
			builders[f.Module] = b
		}
		b.NewFunctionBuilder().
			WithGoFunction(hostFunction(f), valueTypes(f.Params), valueTypes(f.Results)).
			Export(f.Name)
	}
	for _, b := range builders {
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// hostFunction adapts f to wazero. What f returns as an error or panics with
// stays in the call: to wazero it is one value to unwind the guest with. It
// looks at the clock as interrupt does: to the checks in the guest's code a call
// is one step, however long it takes.
func hostFunction(f capability.Func) api.GoFunc {
	name, run, results := f.Module+"."+f.Name, f.Call, len(f.Results) > 0
	tells := tells(name)
	var narrow []int // parameters of 32 bits
	for i, t := range f.Params {
		if t == abi.I32 {
			narrow = append(narrow, i)
		}
	}
	return func(ctx context.Context, stack []uint64) {
		c := ctx.(*call)
		for _, i := range narrow { // wazero leaves what was there above them
			stack[i] = uint64(uint32(stack[i]))
		}
		if c.late() {
			c.pause(context.DeadlineExceeded)
		}
		c.pause(nil)
		if c.trying && tells {
			c.err, c.function = errAsked, name
			panic(errEnd)
		}
		c.guest.Mem = c.memory.Bytes()
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
