package machine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// All requests start from the memory that initialising left. What depends there
// on the time or on chance would be the same in all of them: a generator seeded
// by the clock would make the same numbers each time. To see whether something
// does, a module is initialised again with the sources shifted, and what it
// leaves is compared.

// trial is a module that is initialised again and again. Close it.
type trial struct {
	source   Source
	artefact *artefact
	program  *Program
	limit    time.Duration // of initialising, and of each warm-up request; 0 = none
	origin   origin
	observer *observer
	first    *examination // the run that is kept
}

// image is where an instance stands.
type image struct {
	memory  []byte
	globals []uint64
	seeds   []uint32 // where memory holds the state of a generator
	cheap   []uint32 // where it holds the 64-bit state of Go's cheaprand, after one
}

// started is where an initialised instance stands.
type started struct {
	image
	uptime time.Duration
	fresh  string // why no other instance can start there
	cold   string // why warm-up requests were left out
}

// try initialises the module, in a runtime that config describes, within a
// context within ctx.
func (m *Machine) try(ctx, within context.Context, config wazero.RuntimeConfig, s Source, a *artefact, limit time.Duration) (_ *trial, err error) {
	watch := newObserver(a.functions)
	listening := experimental.WithFunctionListenerFactory(ctx, watch)
	r := wazero.NewRuntimeWithConfig(ctx, config)
	t := &trial{
		source: s, artefact: a, limit: limit, observer: watch, origin: newOrigin(patience(s.Options)),
		program: &Program{
			code: &code{runtime: r}, leave: func() error { return r.Close(context.WithoutCancel(ctx)) },
			meta: a.meta, names: a.names, declared: a.declared, calls: s.Calls, name: s.Options.Name, state: s.State,
			memories: linear.NewPool(linear.NewBudget(0), a.Limit, nil),
		},
	}
	if err = link(listening, r, m.functions); err != nil {
		err = fault.Wrap(fault.Internal, "prepare", "the engine cannot start", err)
	}
	if err == nil {
		t.program.code.compiled, err = compile(listening, r, a.module)
	}
	if err == nil {
		err = t.begin(within)
	}
	if err != nil {
		return nil, errors.Join(err, t.close(ctx))
	}
	return t, nil
}

func (t *trial) close(ctx context.Context) error { return t.program.Close(ctx) }

// patience is how long a guest may sleep while it is built: as long as
// initialising may take, and as long again for each warm-up request.
func patience(o engine.Options) time.Duration {
	one := o.Start
	if one == 0 {
		one = time.Minute
	}
	return one * time.Duration(1+len(o.Warmups))
}

// begin initialises the module for what that leaves.
func (t *trial) begin(ctx context.Context) error {
	x := &examination{trial: t, world: t.origin.world(0, 0, 0), fresh: t.artefact.Fresh}
	t.first = x
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begun := computed()
	err := t.run(ctx, x.world, func(in *Instance) {
		if t.source.Left != nil && x.fresh == "" {
			x.fresh = t.source.Left(in)
		}
		x.take(&x.initial, in)
	}, func(in *Instance) { x.take(&x.warm, in) })
	x.took = computed() - begun
	return err
}

// judged initialises the module again, to judge what the first time left.
func (t *trial) judged(ctx context.Context) (*started, error) {
	x := t.first
	st := &started{fresh: x.fresh, uptime: x.world.Uptime()}
	if st.fresh != "" {
		return st, nil
	}
	t.limit = 3*x.took + later
	var err error
	if st.fresh, st.cold, err = x.judge(ctx); errors.Is(err, errUnexamined) {
		st.fresh = unexamined
	} else if err != nil {
		return nil, err
	}
	st.image = x.initial.image
	if x.warm.memory != nil && st.cold == "" {
		st.image = x.warm.image
	}
	return st, nil
}

// later is how much longer each other run may take than three times the first: it
// does the same, unless it is told another time.
const later = 300 * time.Millisecond

// run makes an instance in a world and has it handle the warm-up requests, if
// there are any. It calls initialised before, and warm after.
func (t *trial) run(ctx context.Context, w *world, initialised, warm func(*Instance)) (err error) {
	t.observer.world = w
	var in *Instance
	err = engine.Starting(ctx, "prepare", computing, t.limit, func(ctx context.Context) (err error) {
		in, err = t.program.instance(ctx, w)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close(context.WithoutCancel(ctx))) }()
	initialised(in)
	for _, r := range t.source.Options.Warmups {
		err := engine.Starting(ctx, "prepare", computing, t.limit, func(ctx context.Context) error {
			return t.source.Handle(ctx, in, warmupInvocation(r, t.source.Options, t.origin.wall, w))
		})
		if err != nil {
			return fault.Wrap(fault.CodeOf(err), "prepare", fmt.Sprintf(
				"the warm-up request %s %.200q failed: %s", r.Head.Method, r.Head.Path, fault.MessageOf(err)), err)
		}
	}
	if len(t.source.Options.Warmups) > 0 {
		warm(in)
	}
	return nil
}

func warmupInvocation(w manifest.Warmup, o engine.Options, start time.Time, world invoke.World) *invoke.Invocation {
	limits := limit.Default()
	limits.Memory = o.Memory
	inv := &invoke.Invocation{
		Env:     &invoke.Env{Limits: limits, Warmup: true, World: world},
		Request: &invoke.Request{Head: w.Head, Body: invoke.BodyOf([]byte(w.Body)), DropEffects: true},
		Start:   start,
	}
	inv.Begin(1, limits, nil)
	return inv
}
