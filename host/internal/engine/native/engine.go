// Package native runs modules of the native ABI on wazero. Package host imports
// it; no type of wazero leaves it.
package native

import (
	"context"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/engine/machine"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// Config holds the parts of an engine.
type Config struct {
	// Functions are the host functions that a module may import.
	Functions []capability.Func
	// Memory is what the linear memories of all instances may have together, of
	// other engines' too; nil = no bound.
	Memory linear.Budget
}

// Engine builds and loads modules with wazero. It implements engine.Engine.
type Engine struct {
	machine *machine.Machine
	offer   machine.Offer
}

var _ engine.Engine = (*Engine)(nil)

// New returns an engine. Close it.
//
// Programs of the same artefact share their compiled code, which is freed when
// the last of them is closed.
func New(cfg Config) *Engine {
	return &Engine{
		machine: machine.New(machine.Config{Functions: cfg.Functions, Memory: cfg.Memory}),
		offer:   machine.NewOffer(cfg.Functions, unknownImport),
	}
}

// Close releases the engine. Programs must have been closed.
func (e *Engine) Close(ctx context.Context) error { return e.machine.Close(ctx) }

// Check implements engine.Engine.
func (e *Engine) Check(module []byte, o engine.Options) error {
	m, err := e.offer.Read(module, o)
	if err != nil {
		return err
	}
	return checkExports(m)
}

// Build implements engine.Engine.
func (e *Engine) Build(ctx context.Context, module []byte, o engine.Options, dir string) error {
	if err := e.Check(module, o); err != nil {
		return err
	}
	return e.machine.Build(ctx, source(module, o), dir)
}

// Load implements engine.Engine.
func (e *Engine) Load(ctx context.Context, dir string, o engine.Options) (engine.Program, error) {
	p, err := e.machine.Load(ctx, source(nil, o), dir)
	if err != nil {
		return nil, err
	}
	return program{p}, nil
}

func source(module []byte, o engine.Options) machine.Source {
	return machine.Source{
		Module: module, Options: o,
		Start: []string{abi.ExportInitialize},
		Calls: []string{abi.ExportHandle},
		Handle: func(ctx context.Context, in *machine.Instance, inv *invoke.Invocation) error {
			return instance{in}.Handle(ctx, inv)
		},
	}
}
