// Package extism runs plugins built with a PDK of Extism, unmodified, on
// Extism's SDK: a fresh instance for each caller that asks for one. The SDK
// starts a guest's language and calls its exports; what a guest imports is ours
// and acts on the invocation alone. Package host imports it; no type of Extism
// or wazero leaves it.
package extism

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	sdk "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// Engine makes programs of plugins. It implements engine.Engine.
type Engine struct {
	functions []sdk.HostFunction
	offer     offer
	memory    *linear.Budget
}

var _ engine.Engine = (*Engine)(nil)

// New returns an engine whose instances take their memory from b. It holds
// nothing that must be closed: each program has a runtime of its own.
func New(b *linear.Budget) *Engine {
	funcs := functions()
	return &Engine{functions: link(funcs), offer: newOffer(funcs), memory: b}
}

// Close implements engine.Engine.
func (e *Engine) Close(context.Context) error { return nil }

// Prepare implements engine.Engine. Of o.Routes each must name a function that
// the module exports.
func (e *Engine) Prepare(ctx context.Context, module []byte, o engine.Options) (engine.Program, error) {
	limit, err := linear.Limit(o.Memory)
	if err != nil {
		return nil, err
	}
	m, err := wasmbin.Read(module)
	if err != nil {
		return nil, err
	}
	if err := e.offer.check(m, uint32(limit/linear.PageSize), o.Routes); err != nil {
		return nil, err
	}
	start := startOf(m, o.Routes)
	if module, err = rename(module, start); err != nil {
		return nil, err
	}
	compiled, err := e.compile(ctx, module, uint32(max(limit, kernelSize)/linear.PageSize))
	if err != nil {
		return nil, err
	}
	p := &program{
		compiled: compiled, routes: newRoutes(o.Routes), memory: limit, starts: start != "",
		budget:  e.memory,
		kernels: linear.NewPool(e.memory, kernelSize, nil), guests: linear.NewPool(e.memory, limit, nil),
	}
	if len(m.Memories) > 0 {
		p.min = int(m.Memories[0].Min) * linear.PageSize
	}
	return p, nil
}

// compile validates the module and makes machine code of it. The SDK gets the
// module's bytes and nothing else: no file, URL, host or path.
func (e *Engine) compile(ctx context.Context, module []byte, limit uint32) (compiled *sdk.CompiledPlugin, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fault.Wrap(fault.Internal, "prepare", "the compiler failed on this module",
				fmt.Errorf("%v\n%s", r, debug.Stack()))
		}
	}()
	ctx = experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0))
	compiled, err = sdk.NewCompiledPlugin(ctx,
		sdk.Manifest{Wasm: []sdk.Wasm{sdk.WasmData{Data: module, Name: "main"}}},
		sdk.PluginConfig{
			RuntimeConfig: wazero.NewRuntimeConfig().
				WithCloseOnContextDone(true).
				WithMemoryLimitPages(limit).
				WithDebugInfoEnabled(false),
			EnableWasi: true, // to start guests that need it; their imports are ours
		},
		e.functions)
	switch {
	case err == nil:
		return compiled, nil
	case ctx.Err() != nil:
		return nil, fault.Wrap(fault.Deadline, "prepare", "compiling the module took too long", err)
	default:
		return nil, fault.Wrap(fault.Invalid, "prepare", "the file is not a valid WebAssembly module: "+firstLine(err.Error()), err)
	}
}

// program implements engine.Program.
type program struct {
	compiled *sdk.CompiledPlugin
	memory   int // most bytes of a guest's memory, and of its arena
	routes   map[string]route
	starts   bool // ownStart initialises the guest
	min      int  // bytes a guest's memory starts with
	budget   *linear.Budget
	kernels  *linear.Pool
	guests   *linear.Pool
	closing  sync.Once
}

// Fresh implements engine.Program.
func (p *program) Fresh() string { return "this engine makes a new instance for each request" }

// Close implements engine.Program.
func (p *program) Close(ctx context.Context) (err error) {
	p.closing.Do(func() {
		err = p.compiled.Close(ctx)
		p.kernels.Close()
		p.guests.Close()
	})
	return err
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
