// Package dispatch runs invocations: it admits them, gives each attempt a clean
// instance and a transaction, re-runs it after a conflict, and commits before
// the reply may leave. It keeps the instances of every deployment, and loads its
// program when a request needs it. Packages deploy and server import it.
package dispatch

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Outcome says what became of an invocation's effects.
type Outcome string

// The outcomes.
const (
	None      Outcome = "none"      // there was nothing to commit
	Committed Outcome = "committed" // durable before the reply was returned
	Aborted   Outcome = "aborted"   // dropped, none is visible
	Unknown   Outcome = "unknown"   // the store could not say
)

// Result describes a finished invocation.
type Result struct {
	Attempts int // runs of the handler; more than 1 after conflicts
	Outcome  Outcome
	Replayed bool // the reply is that of an earlier request with the same key
}

// Config is what a Deployment is made of. All fields but the last four are
// required.
type Config struct {
	Plugin *Plugin
	Env    *invoke.Env
	Store  store.Store
	Clock  func() time.Time
	Pools  *Pools
	// Load makes the program, when a request finds none. It runs once at a time,
	// on a goroutine of the deployment's, and ends with its ctx.
	Load func(context.Context) (engine.Program, error)

	// Stateful lets an instance keep its memory from one invocation to the next,
	// for as long as it lives and none fails.
	Stateful bool
	// Broken is why nothing can be run; nil = it can. Load is not needed then.
	Broken error
	// Program, if not nil, is loaded already, and Instance is one of its own
	// that has handled nothing. The deployment closes them.
	Program  engine.Program
	Instance engine.Instance
}

// Deployment serves one deployment of a plugin until it is drained. Its methods
// are safe for concurrent use.
type Deployment struct {
	cfg  Config
	pool *pool

	// users counts invocations between Acquire and Release; draining is added
	// to it by Drain, so that one atomic word decides who closes.
	users   atomic.Int64
	drained chan struct{}
}

const draining = int64(1) << 62

// NewDeployment returns a deployment that is ready for invocations. Drain it and
// then Close it.
func NewDeployment(cfg Config) *Deployment {
	return &Deployment{
		cfg:     cfg,
		pool:    newPool(cfg),
		drained: make(chan struct{}),
	}
}

// Close closes the instances and the program of a deployment that has drained,
// once a load that is under way has ended.
func (d *Deployment) Close(ctx context.Context) { d.pool.close(ctx) }

// Stats returns what the deployment has at the moment.
func (d *Deployment) Stats() Stats { return d.pool.stats() }

// Env returns what the deployment gives its invocations.
func (d *Deployment) Env() *invoke.Env { return d.cfg.Env }

// InFlight returns how many invocations hold the deployment.
func (d *Deployment) InFlight() int64 { return d.users.Load() &^ draining }

// Acquire keeps the deployment from closing until Release. It reports false once
// the deployment drains: the caller looks its route up again.
func (d *Deployment) Acquire() bool {
	for {
		n := d.users.Load()
		if n&draining != 0 {
			return false
		}
		if d.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release ends what Acquire began.
func (d *Deployment) Release() {
	if d.users.Add(-1) == draining {
		close(d.drained)
	}
}

// Drain refuses new invocations and returns a channel that is closed when the
// last one has ended. Call it once.
func (d *Deployment) Drain() <-chan struct{} {
	if d.users.Add(draining) == draining {
		close(d.drained)
	}
	return d.drained
}

// Do runs inv's handler under limits, re-running it after conflicts, and
// returns when its effects are durable or dropped. The caller has acquired the
// deployment and filled inv.Request; the reply is in inv.Reply. The end of ctx
// stops the handler but not a commit that has begun.
//
// Errors by fault code; the effects are dropped with each but Unknown: Trap and
// BadReply (the guest's), Deadline, Unavailable (the plugin is at its
// limit of requests, cannot be woken or finds no memory for an instance, or the
// store takes no writes), Conflict (the re-runs are
// used up, or a call to another service forbids them), Exhausted (quota or
// disk), Unknown, Internal. Of a request that is to run once also Mismatch (its
// key belongs to another request) and Done (it ran before, and its answer was
// not kept).
func (d *Deployment) Do(parent context.Context, inv *invoke.Invocation, limits limit.Limits) (Result, error) {
	if err := inv.Request.CheckAttributes(); err != nil {
		return Result{Outcome: None}, err
	}
	ctx := withDeadline(parent, limits.Deadline)
	defer ctx.end()
	if once := inv.Request.Once; once != nil {
		if err := d.cfg.Plugin.keys.lock(ctx, once.Key); err != nil {
			return Result{Outcome: None}, err
		}
		defer d.cfg.Plugin.keys.unlock(once.Key)
	}
	if d.cfg.Broken != nil {
		return Result{Outcome: None}, fault.Wrap(fault.Unavailable, "dispatch",
			"the plugin cannot serve; the operator's log says why", d.cfg.Broken)
	}
	if err := d.cfg.Plugin.gate.enter(ctx); err != nil {
		return Result{Outcome: None}, err
	}
	defer d.cfg.Plugin.gate.leave(d.cfg.Clock(), d.cfg.Clock)
	inv.Env = d.cfg.Env
	for attempt := 1; ; attempt++ {
		outcome, err := d.attempt(ctx, inv, attempt, limits)
		if outcome == replayed {
			return Result{Attempts: attempt - 1, Outcome: None, Replayed: true}, nil
		}
		conflict := fault.CodeOf(err) == fault.Conflict
		again := conflict && attempt < limit.Attempts && ctx.Err() == nil
		if conflict && !inv.MayRepeat() {
			return Result{Attempts: attempt, Outcome: outcome}, fault.Wrap(fault.Conflict, "dispatch",
				"the handler has called another service and is not run again after a conflict", err)
		}
		if !again {
			return Result{Attempts: attempt, Outcome: outcome}, err
		}
	}
}

// attempt runs the handler once, in a clean instance and on a new snapshot, and
// settles its effects. The snapshot comes last: the younger it is when the
// handler starts, the less there is to conflict with. The instance goes back
// before the commit, which takes longer than most handlers.
func (d *Deployment) attempt(ctx context.Context, inv *invoke.Invocation, attempt int, limits limit.Limits) (Outcome, error) {
	lease, err := d.pool.take(ctx)
	if err != nil {
		return None, err
	}
	defer lease.end(ctx)
	if attempt == 1 { // the wait for an instance is over
		inv.Start = d.cfg.Clock()
	}
	tx, err := d.begin(inv.Start)
	if err != nil {
		return None, err
	}
	if tx != nil {
		defer tx.Close()
	}
	inv.Begin(attempt, limits, tx)
	defer inv.End()
	if inv.Request.Once != nil && tx != nil {
		if outcome, err := replay(inv); outcome != "" {
			return outcome, err
		}
	}
	err = lease.handle(ctx, inv)
	if tx != nil && tx.Failure() != nil {
		return Aborted, tx.Failure()
	}
	if err != nil {
		return Aborted, err
	}
	if reason := inv.Reply.Fault(); reason != "" {
		return Aborted, fault.New(fault.BadReply, "dispatch", reason)
	}
	return d.settle(inv)
}

func (d *Deployment) begin(now time.Time) (*store.Tx, error) {
	env := d.cfg.Env
	if !env.KV {
		return nil, nil
	}
	snap, err := d.cfg.Store.Snapshot()
	if err != nil {
		return nil, err
	}
	return store.Begin(snap, env.Space, env.Quota, now), nil
}

// settle commits or drops the effects of a handler that returned normally.
func (d *Deployment) settle(inv *invoke.Invocation) (Outcome, error) {
	switch {
	case inv.Tx == nil || inv.Tx.ReadOnly() && inv.Request.Once == nil:
		return None, nil
	case inv.Request.DropEffects || !inv.Commits():
		return Aborted, nil
	}
	if inv.Request.Once != nil {
		if err := keep(inv); err != nil {
			return Aborted, err
		}
	}
	// The handler's time is over, the commit's is not: it ends durable or with
	// an error, whatever the client or the deadline do meanwhile.
	_, err := d.cfg.Store.Commit(context.Background(), inv.Tx.Effects())
	switch fault.CodeOf(err) {
	case "":
		return Committed, nil
	case fault.Unknown:
		return Unknown, err
	case fault.Invalid:
		return Aborted, fault.Wrap(fault.Trap, "commit", fault.MessageOf(err), err)
	case fault.NotFound: // the plugin was purged while its handler ran
		return Aborted, fault.Wrap(fault.Unavailable, "commit", fault.MessageOf(err), err)
	default:
		return Aborted, err
	}
}
