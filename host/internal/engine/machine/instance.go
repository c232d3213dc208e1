package machine

import (
	"context"
	"errors"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/rewrite"
)

// Instance is an instance of a program. It runs one call at a time and belongs
// to one goroutine at a time.
type Instance struct {
	// Guest is what host functions see. Its State is the engine's.
	Guest capability.Guest

	program   *Program
	module    api.Module
	memory    *linear.Memory
	globals   []api.MutableGlobal
	functions []function
	shrink    func()

	call   call
	result [1]uint64
	used   bool // it has run since it was made or put back, and its generators have seeds of their own
}

// function is an export that is called.
type function struct {
	name string
	run  api.Function // nil = not looked up yet
}

func newFunctions(names []string) []function {
	list := make([]function, len(names))
	for i, name := range names {
		list[i].name = name
	}
	return list
}

// start makes the module and runs what initialises it.
func (in *Instance) start(c *call) (err error) {
	p := in.program
	in.module, err = p.code.runtime.InstantiateModule(c, p.code.compiled, anonymous)
	if err != nil {
		return err
	}
	for _, name := range p.meta.Start {
		run := in.module.ExportedFunction(name)
		if err := run.CallWithStack(c, make([]uint64, len(run.Definition().ParamTypes()))); err != nil {
			return err
		}
	}
	in.globals, err = in.mutable(len(p.meta.Globals))
	return err
}

var errNoGlobal = errors.New("a global to put back is missing")

// mutable returns the first n mutable globals of the module.
func (in *Instance) mutable(n int) ([]api.MutableGlobal, error) {
	list := make([]api.MutableGlobal, n)
	for i := range list {
		global, ok := in.module.ExportedGlobal(rewrite.GlobalExport(i)).(api.MutableGlobal)
		if !ok {
			return nil, errNoGlobal
		}
		list[i] = global
	}
	return list, nil
}

// values returns what the first n mutable globals hold.
func (in *Instance) values(n int) []uint64 {
	list := make([]uint64, n)
	for i := range list {
		list[i] = in.module.ExportedGlobal(rewrite.GlobalExport(i)).Get()
	}
	return list
}

// Call calls the export of that index for inv, stops it when ctx ends, and
// returns its result, 0 if it has none. The reply and the effects are in inv,
// which the instance does not keep. Errors by fault code: Trap, Deadline,
// Internal (a host function failed); one of an exit wraps capability.ErrExit.
func (in *Instance) Call(ctx context.Context, inv *invoke.Invocation, index int) (result uint64, err error) {
	c := &in.call
	c.begin(ctx)
	in.Guest.Inv = inv
	in.result[0] = 0
	in.memory.Forgive()
	if c.err = c.overdue(); c.err != nil {
		err = errEnd
	} else {
		in.reseed(inv.World())
		err = in.run(&in.functions[index])
	}
	if err != nil {
		err = in.failure(opHandle, err)
	}
	in.Guest.Out.Flush(inv)
	in.Guest.Inv, in.Guest.Mem, c.Context = nil, nil, nil
	return in.result[0], err
}

// run calls f. After an error wazero would keep the stack of the call, which may
// be 100 MB.
func (in *Instance) run(f *function) error {
	if f.run == nil {
		f.run = in.module.ExportedFunction(f.name)
	}
	err := f.run.CallWithStack(&in.call, in.result[:])
	if err != nil {
		f.run = nil
	}
	return err
}

// Reset puts the instance back to where it started, after any outcome of Call,
// and reports whether it can be called again. If not, close it.
func (in *Instance) Reset() bool {
	if in.program.meta.Fresh != "" || !in.memory.Reset(in.shrink) {
		return false
	}
	for i, global := range in.globals {
		global.Set(in.program.meta.Globals[i])
	}
	in.used = false
	return true
}

// Trim gives back memory that an idle instance can do without: stacks that calls
// have grown and, while its memory is as the image, pages of its own.
func (in *Instance) Trim() {
	for i := range in.functions {
		in.functions[i].run = nil
	}
	if in.program.meta.Fresh == "" && !in.used {
		in.memory.Trim()
	}
}

// Memory returns the guest's memory, valid until it runs.
func (in *Instance) Memory() []byte { return in.memory.Bytes() }

// Close releases the instance's memory.
func (in *Instance) Close(ctx context.Context) error {
	defer in.memory.Free()
	return in.module.Close(ctx)
}
