// Package extism runs plugins built with a PDK of Extism, unmodified. What a
// plugin is, Extism's SDK decides when it is built; what it imports is ours and
// acts on the invocation alone; and it runs as other guests do, from a snapshot.
// Package host imports it; no type of Extism or wazero leaves it.
package extism

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/engine/machine"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// Engine builds and loads plugins. It implements engine.Engine.
type Engine struct {
	machine      *machine.Machine
	offer        machine.Offer
	capabilities []capability.Func
	memory       linear.Budget
}

var _ engine.Engine = (*Engine)(nil)

// New returns an engine whose instances take their memory from b, and what they
// share with the host. capabilities are the host functions that a plugin may
// import in addition to Extism's own. Close it.
func New(capabilities []capability.Func, b linear.Budget) *Engine {
	funcs := Functions(capabilities)
	return &Engine{
		machine:      machine.New(machine.Config{Functions: funcs, Memory: b}),
		offer:        machine.NewOffer(funcs, unknownImport(capabilities)),
		capabilities: capabilities,
		memory:       b,
	}
}

// Close releases the engine. Programs must have been closed.
func (e *Engine) Close(ctx context.Context) error { return e.machine.Close(ctx) }

// Check implements engine.Engine. Of o.Routes each must name a function that
// the module exports.
func (e *Engine) Check(module []byte, o engine.Options) error {
	_, err := e.read(module, o)
	return err
}

func (e *Engine) read(module []byte, o engine.Options) (*wasmbin.Module, error) {
	m, err := e.offer.Read(module, o)
	if err != nil {
		return nil, err
	}
	for _, r := range o.Routes {
		if err := checkRoute(m, r); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Build implements engine.Engine.
func (e *Engine) Build(ctx context.Context, module []byte, o engine.Options, dir string) error {
	m, err := e.read(module, o)
	if err != nil {
		return err
	}
	if err := accepted(ctx, module, e.capabilities); err != nil {
		return err
	}
	s, err := e.source(o)
	if err != nil {
		return err
	}
	s.Module, s.Start = module, startOf(m, o.Routes)
	return e.machine.Build(ctx, s, dir)
}

// Load implements engine.Engine.
func (e *Engine) Load(ctx context.Context, dir string, o engine.Options) (engine.Program, error) {
	s, err := e.source(o)
	if err != nil {
		return nil, err
	}
	p, err := e.machine.Load(ctx, s, dir)
	if err != nil {
		return nil, err
	}
	return program{p}, nil
}

// source is the input of a build, without the module.
func (e *Engine) source(o engine.Options) (machine.Source, error) {
	limit, err := linear.Limit(o.Memory)
	if err != nil {
		return machine.Source{}, err
	}
	routes, exports := newRoutes(o.Routes)
	return machine.Source{
		Options: o,
		Calls:   exports,
		State: func(in *machine.Instance) any {
			s := &state{routes: routes, limit: limit, budget: e.memory, arena: arena{limit: limit, budget: e.memory}}
			in.Guest.Blocks = &s.arena
			return s
		},
		Left: func(in *machine.Instance) string { return in.Guest.State.(*state).left() },
		Handle: func(ctx context.Context, in *machine.Instance, inv *invoke.Invocation) error {
			defer in.Guest.State.(*state).reset()
			return instance{in}.Handle(ctx, inv)
		},
	}, nil
}

// program implements engine.Program.
type program struct{ *machine.Program }

// Instance implements engine.Program.
func (p program) Instance(ctx context.Context) (engine.Instance, error) {
	in, err := p.Program.Instance(ctx)
	if err != nil {
		return nil, err
	}
	return instance{in}, nil
}
