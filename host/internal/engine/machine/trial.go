package machine

import (
	"context"
	"errors"
	"fmt"
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

// trial is a module that is initialised again and again.
type trial struct {
	source   Source
	program  *Program
	limit    time.Duration // of initialising, and of each warm-up request; 0 = none
	origin   origin
	observer *observer
}

// state is where an instance stands.
type state struct {
	memory  []byte
	globals []uint64
	seeds   []uint32 // where memory holds the state of a generator
}

// started is where an initialised instance stands.
type started struct {
	state
	uptime time.Duration
	fresh  string // why no other instance can start there
	cold   string // why warm-up requests were left out
}

// try initialises the module in a runtime that config describes and returns
// where it stands, and whether others can start there.
func (m *Machine) try(ctx context.Context, config wazero.RuntimeConfig, s Source, a *artefact, limit time.Duration) (st *started, err error) {
	watch := newObserver(functionsOf(a.module, a.Memory))
	listening := experimental.WithFunctionListenerFactory(ctx, watch)
	r := wazero.NewRuntimeWithConfig(ctx, config)
	defer func() { err = errors.Join(err, r.Close(context.WithoutCancel(ctx))) }()
	if err := link(listening, r, m.functions); err != nil {
		return nil, fault.Wrap(fault.Internal, "prepare", "the engine cannot start", err)
	}
	compiled, err := compile(listening, r, a.module)
	if err != nil {
		return nil, err
	}
	t := &trial{
		source: s, limit: limit, observer: watch, origin: newOrigin(patience(s.Options)),
		program: &Program{
			code: &code{runtime: r, compiled: compiled}, leave: func() error { return nil },
			meta: a.meta, calls: s.Calls, state: s.State,
			memories: linear.NewPool(linear.NewBudget(0), a.Limit, nil),
		},
	}
	defer func() { err = errors.Join(err, t.program.Close(context.WithoutCancel(ctx))) }()
	return t.judged(ctx, a)
}

// patience is how long a guest may sleep while it is built: as long as
// initialising may take, and as long again for each warm-up request.
func patience(o engine.Options) time.Duration {
	one := o.Start
	if one == 0 {
		one = time.Minute
	}
	return one * time.Duration(1+len(o.Warmups))
}

// judged initialises the module once for what it leaves, and again to judge that.
func (t *trial) judged(ctx context.Context, a *artefact) (*started, error) {
	st := &started{fresh: a.Fresh}
	x := &examination{trial: t, world: t.origin.world(0, 0, true), globals: a.globals}
	err := t.run(ctx, x.world, func(in *Instance) {
		if t.source.Left != nil && st.fresh == "" {
			st.fresh = t.source.Left(in)
		}
		x.take(&x.initial, in)
	}, func(in *Instance) { x.take(&x.warm, in) })
	st.uptime = x.world.Uptime()
	if err != nil || st.fresh != "" {
		return st, err
	}
	if st.fresh, st.cold, err = x.judge(ctx); err != nil {
		return nil, err
	}
	st.state = x.initial.state
	if x.warm.memory != nil && st.cold == "" {
		st.state = x.warm.state
	}
	return st, nil
}

// run makes an instance in a world and has it handle the warm-up requests, if
// there are any. It calls initialised before, and warm after.
func (t *trial) run(ctx context.Context, w *world, initialised, warm func(*Instance)) (err error) {
	t.observer.world = w
	var in *Instance
	err = engine.Starting(ctx, "prepare", t.limit, func(ctx context.Context) (err error) {
		in, err = t.program.instance(ctx, w)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close(context.WithoutCancel(ctx))) }()
	initialised(in)
	for _, r := range t.source.Options.Warmups {
		err := engine.Starting(ctx, "prepare", t.limit, func(ctx context.Context) error {
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
