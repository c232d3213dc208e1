package machine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// Source is what is built: a module that Offer.Read accepts.
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

// Build builds a module in dir (see engine.Builder): it is validated, gets its
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
	instrumented, err := wasmbin.Instrument(s.Module)
	if err != nil {
		return err
	}
	a, err := m.initialised(ctx, s, instrumented)
	if err != nil {
		return err
	}
	compiled, err := compile(ctx, compiler, a.module)
	if err != nil {
		return err
	}
	return errors.Join(compiled.Close(ctx), a.write(dir))
}

// initialised runs what initialises the module and returns what is left of it
// to do for an instance.
func (m *Machine) initialised(ctx context.Context, s Source, i *wasmbin.Instrumented) (*artefact, error) {
	a, err := newArtefact(s, i)
	if err != nil {
		return nil, err
	}
	st, err := m.start(ctx, s, a)
	if err != nil {
		return nil, err
	}
	if a.Cold = st.cold; a.Fresh == "" {
		a.Fresh = st.left
	}
	if a.Fresh == "" {
		a.Seeds, a.Fresh = st.seeds()
	}
	if a.Fresh != "" {
		return a, nil
	}
	module, err := wasmbin.Snapshot(a.module, uint32(len(st.memory)/linear.PageSize), st.globals)
	if err != nil {
		return nil, err
	}
	a.module, a.image, a.Globals = module, st.memory, st.globals
	a.Memory, a.Start = len(st.memory), nil
	return a, nil
}

// started is where an initialised instance stands.
type started struct {
	memory  []byte
	globals []uint64
	draws   draws
	left    string // why an instance cannot start there
	cold    bool   // warm-up requests were left out
}

// interpreted is how long the interpreter may take to initialise a guest. It is
// many times slower than machine code, which takes longer to make.
const interpreted = 500 * time.Millisecond

// start initialises an instance, with the interpreter if that will do: it has
// neither the time nor the depth of stack that a guest has in machine code.
func (m *Machine) start(ctx context.Context, s Source, a *artefact) (*started, error) {
	within, cancel := context.WithTimeout(ctx, interpreted)
	defer cancel()
	st, err := m.startWith(within, wazero.NewRuntimeConfigInterpreter(), s, a, 0)
	if err != nil && ctx.Err() == nil {
		st, err = m.startWith(ctx, compiling(), s, a, s.Options.Start)
	}
	return st, err
}

// startWith initialises an instance that runs as config says, within the time
// limit, if there is one.
func (m *Machine) startWith(ctx context.Context, config wazero.RuntimeConfig, s Source, a *artefact, limit time.Duration) (st *started, err error) {
	r := wazero.NewRuntimeWithConfig(ctx, config)
	defer func() { err = errors.Join(err, r.Close(context.WithoutCancel(ctx))) }()
	if err := link(ctx, r, m.functions); err != nil {
		return nil, fault.Wrap(fault.Internal, "prepare", "the engine cannot start", err)
	}
	compiled, err := compile(ctx, r, a.module)
	if err != nil {
		return nil, err
	}
	st = &started{}
	p := &Program{
		code: &code{runtime: r, compiled: compiled}, leave: func() error { return nil },
		meta: a.meta, calls: s.Calls, state: s.State,
		memories: linear.NewPool(linear.NewBudget(0), a.Limit, nil),
	}
	defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()
	var in *Instance
	err = engine.Starting(ctx, "prepare", limit, func(ctx context.Context) (err error) {
		in, err = p.instance(ctx, st.draws.fill)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close(context.WithoutCancel(ctx))) }()
	if s.Left != nil {
		st.left = s.Left(in)
	}
	st.memory, st.globals = in.snapshot(a.globals)
	return st, st.warmUp(ctx, s, in, limit)
}

// warmUp has the instance handle the warm-up requests, each within limit, and
// moves on to where it stands then. Should they draw random bytes, nobody knows
// what becomes of those, and the instance stays where it was before.
func (st *started) warmUp(ctx context.Context, s Source, in *Instance, limit time.Duration) error {
	if len(s.Options.Warmups) == 0 {
		return nil
	}
	before := st.draws
	for _, w := range s.Options.Warmups {
		err := engine.Starting(ctx, "prepare", limit, func(ctx context.Context) error {
			return s.Handle(ctx, in, warmupInvocation(w, s.Options, in.Guest.Random))
		})
		if err != nil {
			return fault.Wrap(fault.CodeOf(err), "prepare", fmt.Sprintf(
				"the warm-up request %s %.200q failed: %s", w.Head.Method, w.Head.Path, fault.MessageOf(err)), err)
		}
	}
	if st.draws.more != before.more || len(st.draws.list) > len(before.list) {
		st.draws, st.cold = before, true
		return nil
	}
	st.memory, st.globals = in.snapshot(len(st.globals))
	return nil
}

func warmupInvocation(w manifest.Warmup, o engine.Options, random func([]byte)) *invoke.Invocation {
	limits := limit.Default()
	limits.Memory = o.Memory
	inv := &invoke.Invocation{
		Env:     &invoke.Env{Limits: limits, Warmup: true, Random: random},
		Request: &invoke.Request{Head: w.Head, Body: invoke.BodyOf([]byte(w.Body)), DropEffects: true},
		Start:   time.Now(),
	}
	inv.Begin(1, limits, nil)
	return inv
}
