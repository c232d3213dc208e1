package native

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// instance implements engine.Instance.
type instance struct {
	module api.Module
	handle api.Function
	memory *linear.Memory
	guest  capability.Guest
	result [1]uint64
}

// anonymous lets any number of instances live in one runtime; start functions
// are ours to call.
var anonymous = wazero.NewModuleConfig().WithName("").WithStartFunctions()

// Instance implements engine.Program.
func (p *program) Instance(ctx context.Context) (engine.Instance, error) {
	memory, err := p.memories.New(p.min)
	if err != nil {
		return nil, err
	}
	in := &instance{memory: memory}
	c := in.call(experimental.WithMemoryAllocator(ctx, memory))
	if err := in.start(c, p); err != nil {
		if in.module != nil {
			_ = in.module.Close(ctx) // the reason it is closed is err
		}
		memory.Free()
		return nil, in.initFailure(c, err)
	}
	in.handle = in.module.ExportedFunction(abi.ExportHandle)
	return in, nil
}

func (in *instance) start(c *call, p *program) (err error) {
	in.module, err = p.runtime.InstantiateModule(c, p.compiled, anonymous)
	if err != nil || !p.initializes {
		return err
	}
	return in.module.ExportedFunction(abi.ExportInitialize).CallWithStack(c, nil)
}

func (in *instance) call(ctx context.Context) *call {
	return &call{Context: ctx, guest: &in.guest, mem: in.memory}
}

// Handle implements engine.Instance.
func (in *instance) Handle(ctx context.Context, inv *invoke.Invocation) error {
	c := in.call(ctx)
	in.guest.Inv = inv
	err := in.handle.CallWithStack(c, in.result[:])
	in.guest.Out.Flush(inv)
	in.guest.Inv, in.guest.Mem = nil, nil
	switch {
	case err != nil:
		return failure(c, "handle", err)
	case uint32(in.result[0]) != 0:
		return fault.New(fault.Trap, "handle", fmt.Sprintf("the handler reported failure %d", int32(in.result[0])))
	}
	return nil
}

// Reset implements engine.Instance: an instance serves one invocation.
func (in *instance) Reset() bool { return false }

// Trim implements engine.Instance.
func (in *instance) Trim() {}

// Close implements engine.Instance.
func (in *instance) Close(ctx context.Context) error {
	defer in.memory.Free()
	return in.module.Close(ctx)
}

// initFailure is failure with what the guest wrote to stderr first: it is why a
// language's runtime gave up, and what whoever deploys needs to know.
func (in *instance) initFailure(c *call, err error) error {
	f := failure(c, opInitialise, err)
	in.guest.Out.Flush(nil)
	if reason := in.guest.Out.Initial(); reason != "" {
		f.Message = fmt.Sprintf("%s; the guest wrote %q", f.Message, reason)
	}
	return f
}

const opInitialise = "initialise"

// failure says why a call into the guest ended with err.
func failure(c *call, op string, err error) *fault.Error {
	var panicked *panicError
	var exit *sys.ExitError
	switch {
	case errors.As(c.err, &panicked):
		return fault.Wrap(fault.Internal, op, "host function "+c.function+" failed", c.err)
	case errors.Is(c.err, capability.ErrExit):
		return fault.Wrap(fault.Trap, op, c.err.Error(), err)
	case c.Err() != nil && (errors.Is(c.err, c.Err()) || errors.As(err, &exit)):
		message := "the guest ran out of time"
		if op == opInitialise {
			message += " while it initialised"
		}
		return fault.Wrap(fault.Deadline, op, message, context.Cause(c))
	case c.err != nil:
		return fault.Wrap(fault.Internal, op, "host function "+c.function+" failed", c.err)
	default:
		return fault.Wrap(fault.Trap, op, "the guest trapped: "+reason(err), err)
	}
}

// reason is the first line of wazero's text, without the words around it.
func reason(err error) string {
	s := firstLine(err.Error())
	if _, after, ok := strings.Cut(s, "wasm error: "); ok {
		return after
	}
	return s
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
