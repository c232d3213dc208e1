// Package native runs modules of the native ABI on wazero, an instance for each
// caller that asks for one. Package host imports it; no type of wazero leaves it.
package native

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/config"
	"github.com/wasmoor/wasmoor/host/internal/capability/exchange"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/capability/log"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/capability/system"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// Config is what an engine is made of.
type Config struct {
	// Memory is what the linear memories of all instances may have together, of
	// other engines' too; nil = no bound.
	Memory *linear.Budget
	// Extra are host functions beside those of Functions, whose modules they
	// may not share.
	Extra []capability.Func
}

// Functions returns every host function a module may import.
func Functions() []capability.Func {
	return slices.Concat(
		exchange.Functions(),
		kv.Functions(),
		config.Functions(),
		log.Functions(),
		system.Functions(),
		outbound.Functions(),
		wasi.Functions(),
	)
}

// Engine makes programs with wazero. It implements engine.Engine.
type Engine struct {
	runtime wazero.Runtime
	offer   offer
	memory  *linear.Budget
}

var _ engine.Engine = (*Engine)(nil)

// New returns an engine with its host functions linked. Close it.
//
// Modules of the same bytes share their compiled code, which is freed when the
// last of their programs is closed.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	funcs := slices.Concat(Functions(), cfg.Extra)
	e := &Engine{
		runtime: wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
			WithCloseOnContextDone(true).
			WithDebugInfoEnabled(false)),
		offer:  newOffer(funcs),
		memory: cmp.Or(cfg.Memory, linear.NewBudget(0)),
	}
	if err := link(ctx, e.runtime, funcs); err != nil {
		_ = e.runtime.Close(ctx) // the reason is err
		return nil, fault.Wrap(fault.Internal, "engine", "link host functions", err)
	}
	return e, nil
}

// Close releases the engine. Programs must have been closed.
func (e *Engine) Close(ctx context.Context) error { return e.runtime.Close(ctx) }

// Prepare implements engine.Engine. All that needs no machine code is checked
// before there is any.
func (e *Engine) Prepare(ctx context.Context, module []byte, o engine.Options) (engine.Program, error) {
	limit, err := linear.Limit(o.Memory)
	if err != nil {
		return nil, err
	}
	m, err := wasmbin.Read(module)
	if err != nil {
		return nil, err
	}
	if err := e.offer.check(m, uint32(limit/linear.PageSize)); err != nil {
		return nil, err
	}
	compiled, err := e.compile(ctx, module)
	if err != nil {
		return nil, err
	}
	_, initializes := m.Export(abi.ExportInitialize)
	return &program{
		runtime: e.runtime, compiled: compiled, initializes: initializes,
		memories: linear.NewPool(e.memory, limit, nil), min: int(m.Memories[0].Min) * wasmbin.PageSize,
	}, nil
}

// compile validates the module and makes machine code of it. A module that
// makes wazero panic is refused like any other that it cannot take.
func (e *Engine) compile(ctx context.Context, module []byte) (compiled wazero.CompiledModule, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fault.Wrap(fault.Internal, "prepare", "the compiler failed on this module",
				fmt.Errorf("%v\n%s", r, debug.Stack()))
		}
	}()
	ctx = experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0))
	compiled, err = e.runtime.CompileModule(ctx, module)
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
	runtime     wazero.Runtime
	compiled    wazero.CompiledModule
	initializes bool
	memories    *linear.Pool
	min         int // bytes of memory that an instance starts with
	closing     sync.Once
}

// Fresh implements engine.Program.
func (p *program) Fresh() string { return "this engine makes a new instance for each request" }

// Close implements engine.Program. wazero counts references by module, so that
// closing one program twice would free the code of another.
func (p *program) Close(ctx context.Context) error {
	p.closing.Do(func() {
		_ = p.compiled.Close(ctx) // it always returns nil
		p.memories.Close()
	})
	return nil
}
