package extism

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	sdk "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// instance implements engine.Instance.
type instance struct {
	program  *program
	plugin   *sdk.Plugin
	memories memories
	state    state
}

// modules is how modules are made. No import of a guest reaches wazero's own
// WASI, but if one did it would find true clocks and randomness.
var modules = wazero.NewModuleConfig().
	WithRandSource(rand.Reader).
	WithSysWalltime().
	WithSysNanotime()

// Instance implements engine.Program. Meanwhile the guest has neither config nor
// log nor store. A command and a guest in Haskell are not initialised yet: the
// SDK does so in the first call.
func (p *program) Instance(ctx context.Context) (engine.Instance, error) {
	memories, err := p.newMemories()
	if err != nil {
		return nil, err
	}
	in := &instance{program: p, memories: memories}
	in.state.memory = memories.guest
	in.state.arena.limit = p.memory
	c := &call{Context: experimental.WithMemoryAllocator(ctx, &in.memories), state: &in.state}
	plugin, err := p.compiled.Instance(c, sdk.PluginInstanceConfig{ModuleConfig: modules})
	if err != nil {
		in.memories.free()
		return nil, failure(c, "initialise", err)
	}
	in.plugin = plugin
	if err := in.start(ctx); err != nil {
		_ = in.Close(ctx) // the reason it is closed is err
		return nil, err
	}
	return in, nil
}

// start initialises the guest. The first line it writes to stderr is why it
// gave up, if it does.
func (in *instance) start(ctx context.Context) error {
	if !in.program.starts {
		return nil
	}
	c := &call{Context: ctx, state: &in.state}
	_, _, err := in.plugin.CallWithContext(c, ownStart, nil)
	in.state.guest.Out.Flush(nil)
	if err == nil {
		return nil
	}
	f := failure(c, "initialise", err)
	if reason := in.state.guest.Out.Initial(); reason != "" {
		f.Message = fmt.Sprintf("%s; the guest wrote %q", f.Message, reason)
	}
	return f
}

// Handle implements engine.Instance: it calls the export of the route that
// matched.
func (in *instance) Handle(ctx context.Context, inv *invoke.Invocation) error {
	r, ok := in.program.routes[inv.Request.Head.Pattern]
	if !ok {
		return fault.New(fault.Internal, "handle", fmt.Sprintf("no route %q", inv.Request.Head.Pattern))
	}
	if ctx.Err() != nil { // the SDK would print it
		return outOfTime(ctx)
	}
	s := &in.state
	body, done, err := in.program.body(inv)
	if err != nil {
		return err
	}
	defer done()
	s.inv, s.guest.Inv = inv, inv
	s.input = r.input(inv, body)
	err = in.call(&call{Context: ctx, state: s}, r.export)
	s.guest.Out.Flush(inv)
	if err == nil {
		err = r.reply(inv, s.output())
	}
	s.inv, s.guest.Inv = nil, nil
	return err
}

// call calls an export. The SDK hands it no input and takes no output: they go
// past its kernel.
func (in *instance) call(c *call, export string) error {
	code, _, err := in.plugin.CallWithContext(c, export, nil)
	if err != nil && !(errors.Is(c.err, capability.ErrExit) && c.exit == 0) {
		return failure(c, "handle", err)
	}
	message := in.state.text(in.state.errorAt)
	switch {
	case message != "":
		return fault.New(fault.Trap, "handle", fmt.Sprintf("the plugin failed: %q", invoke.Cut(message, maxReason)))
	case err == nil && code != 0:
		return fault.New(fault.Trap, "handle", fmt.Sprintf("the plugin reported failure %d", int32(code)))
	}
	return nil
}

// maxReason bounds what of a plugin's error is kept.
const maxReason = 1 << 10

// Reset implements engine.Instance: an instance serves one invocation.
func (in *instance) Reset() bool { return false }

// Trim implements engine.Instance.
func (in *instance) Trim() {}

// Close implements engine.Instance.
func (in *instance) Close(ctx context.Context) error {
	err := in.plugin.Close(ctx)
	in.memories.free()
	return err
}

// failure says why a call into the guest ended with err.
func failure(c *call, op string, err error) *fault.Error {
	var panicked *panicError
	var exit *sys.ExitError
	var wrong mistake
	switch {
	case errors.As(c.err, &panicked):
		return fault.Wrap(fault.Internal, op, "host function "+c.function+" failed", c.err)
	case errors.As(c.err, &wrong):
		return fault.New(fault.Trap, op, fmt.Sprintf("the plugin called %s: %s", c.function, wrong))
	case errors.Is(c.err, capability.ErrExit):
		return fault.Wrap(fault.Trap, op, c.err.Error(), err)
	case c.Err() != nil && (errors.Is(c.err, c.Err()) || errors.As(err, &exit)):
		return outOfTime(c)
	case c.err != nil:
		return fault.Wrap(fault.Internal, op, "host function "+c.function+" failed", c.err)
	default:
		return fault.Wrap(fault.Trap, op, "the guest trapped: "+reason(err), err)
	}
}

func outOfTime(ctx context.Context) *fault.Error {
	return fault.Wrap(fault.Deadline, "handle", "the guest ran out of time", context.Cause(ctx))
}

// reason is the first line of wazero's text, without the words around it.
func reason(err error) string {
	s := firstLine(err.Error())
	if _, after, ok := strings.Cut(s, "wasm error: "); ok {
		return after
	}
	return s
}
