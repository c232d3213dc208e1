package machine

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/rewrite"
)

// Source is the input of a build: a module that Offer.Read accepts.
type Source struct {
	Module  []byte
	Options engine.Options
	// Start are the exports that initialise an instance, in this order, after
	// the module's start section. They take zeros, if anything.
	Start []string
	// Calls are the exports that Instance.Call calls by their index. They take
	// nothing and return one number at most.
	Calls []string
	// State makes Guest.State of an instance; nil = none.
	State func(*Instance) any
	// Left says for a person why what initialising left in Guest.State keeps
	// instances from starting there; "" = nothing is left. nil = there is no State.
	Left func(*Instance) string
	// Handle handles a warm-up request.
	Handle func(ctx context.Context, in *Instance, inv *invoke.Invocation) error
}

// Build builds a module in dir (see engine.Engine): it is validated, gets its
// interrupts, is initialised and warmed up once, and becomes a module that
// starts there, with its machine code. A module whose instances cannot be put
// back is kept as it was before it was initialised.
func (m *Machine) Build(ctx context.Context, s Source, dir string) (err error) {
	cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(dir, codeDir))
	if err != nil {
		return fault.Wrap(fault.Internal, "prepare", "the directory to build in cannot be used", err)
	}
	defer func() { err = errors.Join(err, cache.Close(context.WithoutCancel(ctx))) }()
	compiler := wazero.NewRuntimeWithConfig(ctx, compiling().WithCompilationCache(cache))
	defer func() { err = errors.Join(err, compiler.Close(context.WithoutCancel(ctx))) }()

	if err := validate(ctx, compiler, s.Module); err != nil {
		return err
	}
	instrumented, err := rewrite.Instrument(s.Module)
	if err != nil {
		return err
	}
	a, err := m.initialised(ctx, s, instrumented)
	if err != nil {
		return err
	}
	runtime.GC() // what initialising took is not needed while the compiler takes more
	compiled, err := compile(ctx, compiler, a.module)
	if err != nil {
		return err
	}
	return errors.Join(compiled.Close(ctx), a.write(dir))
}

// initialised runs what initialises the module and returns what is left of it
// to do for an instance.
func (m *Machine) initialised(ctx context.Context, s Source, i *rewrite.Instrumented) (*artefact, error) {
	a, err := newArtefact(s, i)
	if err != nil {
		return nil, err
	}
	st, err := m.start(ctx, s, a)
	if err != nil {
		return nil, err
	}
	a.Fresh, a.Cold = st.fresh, st.cold
	if a.Fresh != "" {
		return a, nil
	}
	module, err := rewrite.Snapshot(a.module, uint32(len(st.memory)/linear.PageSize), st.globals)
	if err != nil {
		return nil, err
	}
	a.module, a.image, a.Globals, a.Seeds, a.Cheap, a.Uptime = module, st.memory, st.globals, st.seeds, st.cheap, st.uptime
	a.Memory, a.Start = len(st.memory), nil
	return a, nil
}

// interpreted is how long the interpreter may take to initialise a guest. It is
// many times slower than machine code, which takes longer to make.
const interpreted = time.Second

// start initialises an instance, with the interpreter if that will do: it has
// neither the time nor the depth of stack that a guest has in machine code. A guest
// that fails for another reason fails there too.
func (m *Machine) start(ctx context.Context, s Source, a *artefact) (*started, error) {
	t, err := m.tryWithin(ctx, s, a)
	if code := fault.CodeOf(err); err != nil && ctx.Err() == nil && code != fault.BadReply && (code != fault.Trap || isOverflow(err)) {
		t, err = m.try(ctx, ctx, compiling(), s, a, s.Options.Start)
	}
	if err != nil {
		return nil, err
	}
	st, err := t.judged(ctx)
	return st, errors.Join(err, t.close(ctx))
}

// tryWithin is try with the interpreter, within its time.
func (m *Machine) tryWithin(ctx context.Context, s Source, a *artefact) (*trial, error) {
	within, cancel := computing(ctx, interpreted)
	defer cancel()
	return m.try(ctx, within, Interpreting(), s, a, 0)
}
