// Package machine is what the engines share of wazero. It builds a module: adds
// interrupts, initialises it once, takes a snapshot and compiles that. And it
// runs what was built: instances that start where the snapshot was taken, are
// stopped when their time is up, and are put back after each call. Engines
// import it; they say which host functions there are and what to call.
package machine

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/tetratelabs/wazero"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Config is what a machine is made of.
type Config struct {
	// Functions are the host functions a module may import.
	Functions []capability.Func
	// Memory is what the linear memories of all instances may have together, of
	// other machines' too; nil = no bound.
	Memory *linear.Budget
}

// Machine builds modules and makes programs of what was built. Safe for
// concurrent use.
type Machine struct {
	functions []capability.Func
	memory    *linear.Budget

	opening sync.Mutex
	serving *serving // made by the first Load: to build it is not needed
}

// serving is where the programs of a machine run.
type serving struct {
	runtime wazero.Runtime
	cache   wazero.CompilationCache
	code    *shelf
}

// New returns a machine. Close it.
func New(cfg Config) *Machine {
	return &Machine{functions: cfg.Functions, memory: cmp.Or(cfg.Memory, linear.NewBudget(0))}
}

// Close releases the machine. Programs must have been closed.
func (m *Machine) Close(ctx context.Context) error {
	m.opening.Lock()
	defer m.opening.Unlock()
	if m.serving == nil {
		return nil
	}
	err := m.serving.close(ctx)
	m.serving = nil
	return err
}

// serve returns where programs run.
func (m *Machine) serve(ctx context.Context) (*serving, error) {
	m.opening.Lock()
	defer m.opening.Unlock()
	if m.serving != nil {
		return m.serving, nil
	}
	s, err := newServing(context.WithoutCancel(ctx), m.functions)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "engine", "the engine cannot start", err)
	}
	m.serving = s
	return s, nil
}

func newServing(ctx context.Context, functions []capability.Func) (s *serving, err error) {
	code, cache, err := newShelf()
	if err != nil {
		return nil, err
	}
	s = &serving{code: code, cache: cache, runtime: wazero.NewRuntimeWithConfig(ctx, compiling().WithCompilationCache(cache))}
	if err := link(ctx, s.runtime, functions); err != nil {
		return nil, errors.Join(err, s.close(ctx))
	}
	return s, nil
}

func (s *serving) close(ctx context.Context) error {
	return errors.Join(s.runtime.Close(ctx), s.cache.Close(ctx), s.code.remove())
}

// compiling is how modules are compiled, which must be the same where they are
// built and where they run.
func compiling() wazero.RuntimeConfig {
	return wazero.NewRuntimeConfig().WithDebugInfoEnabled(false)
}

// anonymous lets any number of instances live in one runtime; start functions
// are ours to call.
var anonymous = wazero.NewModuleConfig().WithName("").WithStartFunctions()
