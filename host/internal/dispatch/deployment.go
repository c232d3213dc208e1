// Package dispatch runs invocations: it admits them, gives each attempt a clean
// instance and a transaction, re-runs it after a conflict, and commits before
// the reply may leave. It keeps the instances of every deployment, and loads its
// program when a request needs it. Packages serve and deploy import it.
package dispatch

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// Result describes a finished invocation.
type Result struct {
	Attempts int // runs of the handler; more than 1 after conflicts
	Outcome  trace.Outcome
	Replayed bool // the reply is that of an earlier request with the same key
	Called   bool // a service was called, which may have changed something there

	Start time.Time // when it was passed to dispatch

	// Where the time went, over all attempts.
	Wait   time.Duration // for its turn: at the plugin's limit of requests, or for another with its key
	Wake   time.Duration // for an instance, and for the program where that had to be loaded
	Run    time.Duration // in the handler, and putting its instance back
	Commit time.Duration // until the effects were durable or refused

	// Conflict is what the last attempt that conflicted collided with. nil = none
	// did, or the store does not say.
	Conflict *store.Conflict
}

// Config is what a Deployment is made of. All fields but the last four are
// required.
type Config struct {
	Plugin *Plugin
	Env    *invoke.Env
	Store  store.Store
	Clock  func() time.Time
	Pools  *Pools
	// Log takes what the host says of the deployment; nil drops it. What the guest
	// says goes to Env.Log.
	Log *slog.Logger
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
	cfg.Plugin.Meter.Begin(cfg.Env.Version)
	return &Deployment{
		cfg:     cfg,
		pool:    newPool(cfg),
		drained: make(chan struct{}),
	}
}

// Close closes the instances and the program of a deployment that has drained,
// once a load that is under way has ended.
func (d *Deployment) Close(ctx context.Context) {
	d.pool.close(ctx)
	d.cfg.Plugin.Meter.End(d.cfg.Env.Version)
}

// Stats returns what the deployment has at the moment.
func (d *Deployment) Stats() Stats { return d.pool.stats() }

// Env returns what the deployment gives its invocations.
func (d *Deployment) Env() *invoke.Env { return d.cfg.Env }

// Plugin returns what the deployment shares with others of its plugin.
func (d *Deployment) Plugin() *Plugin { return d.cfg.Plugin }

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
// stops the handler but not a commit that has begun. When inv.Request.Client
// leaves, that ends the waits before and between runs of the handler.
//
// Errors by fault code; the effects are dropped with each but Unknown: Trap and
// BadReply (the guest's), Deadline, Unavailable (the plugin is at its
// limit of requests, cannot be woken or finds no memory for an instance, or the
// store takes no writes), Left (the client, while the request waited), Conflict (the re-runs are
// used up), Diverged, Exhausted (quota or
// disk), Unknown, Internal. Of a request that is to run once also Mismatch (its
// key belongs to another request) and Done (it ran before, and its answer was
// not kept).
func (d *Deployment) Do(parent context.Context, inv *invoke.Invocation, limits limit.Limits) (Result, error) {
	r := run{Deployment: d, inv: inv, limits: limits, last: d.cfg.Clock(), res: Result{Outcome: trace.None}}
	r.bounds.begin(parent, limits.Deadline, inv.Request.Client, d.cfg.Plugin.lineOf(inv.Request))
	defer r.bounds.end()
	r.res.Start, inv.Request.Head.Deadline = r.last, r.handling.at.UnixNano()
	if err := inv.Request.CheckAttributes(); err != nil {
		return r.res, err
	}
	if err := d.paused(false); err != nil {
		return r.res, err
	}
	r.entry.of = &r
	if once := inv.Request.Once; once != nil {
		d.cfg.Plugin.slots.list(&r.entry)
		defer d.cfg.Plugin.slots.unlist(&r.entry)
		if err := d.cfg.Plugin.keys.lock(&r.waiting, once.Key); err != nil {
			r.lap(&r.res.Wait, trace.Key)
			return r.res, r.gaveUp(r.ended(err))
		}
		defer d.cfg.Plugin.keys.unlock(once.Key)
	}
	if d.cfg.Broken != nil {
		return r.res, fault.Wrap(fault.Unavailable, "dispatch",
			"the plugin cannot serve; the operator's log says why", d.cfg.Broken)
	}
	waited, err := d.cfg.Plugin.slots.enter(&r.waiting, &r.entry)
	if waited || inv.Request.Once != nil {
		r.lap(&r.res.Wait, trace.Admission)
	}
	if err != nil {
		return r.res, r.gaveUp(r.ended(err))
	}
	defer d.cfg.Plugin.slots.leave(r.last, d.cfg.Clock, &r.entry)
	inv.Env = d.cfg.Env
	defer inv.Finish()
	err = r.ended(r.attempts())
	r.res.Called = r.called()
	return r.res, err
}

// run is what Do knows of its invocation.
type run struct {
	*Deployment
	bounds
	entry  entry
	inv    *invoke.Invocation
	limits limit.Limits
	last   time.Time // when the last part ended
	tx     store.Tx
	res    Result
	joined []*joined // of the attempt
	onTop
}

// lap adds the time since the last part to another, but for what was a wait for a
// place in the run queue.
func (r *run) lap(part *time.Duration, kind trace.Kind) {
	now, waited := r.cfg.Clock(), r.turn.Waited()
	r.res.Wait += waited
	*part += now.Sub(r.last) - waited
	r.inv.Request.Timeline.Step(kind, r.last, now, waited)
	r.last = now
}

// attempts runs the handler until its effects are settled, or it may not run
// again.
func (r *run) attempts() error {
	defer r.leaveLane()
	for {
		r.res.Attempts++
		r.entry.is(Waiting, r.res.Attempts)
		r.shown, r.rests, r.leaves, r.joined = nil, nil, nil, nil
		r.inv.Request.Timeline.Attempt(r.res.Attempts)
		outcome, err := r.attempt()
		if outcome == replayed {
			r.res.Attempts--
			r.res.Outcome, r.res.Replayed = trace.None, true
			return r.settled(nil)
		}
		r.res.Outcome = outcome
		if fault.CodeOf(err) != fault.Conflict {
			return r.settled(err)
		}
		if calls := r.inv.Calls(); calls != nil {
			if err := calls.Again(); err != nil {
				return r.settled(err)
			}
		}
		if r.res.Attempts >= limit.Attempts || r.handling.Err() != nil {
			return r.settled(err)
		}
		r.inv.Request.Timeline.Step(trace.Again, r.last, r.last, 0)
	}
}

// called reports whether the handler has made a call that is not undone.
func (r *run) called() bool {
	calls := r.inv.Calls()
	return calls != nil && calls.Made()
}

// patience is the context of the waits before a run of the handler. After a call
// that is not undone a client that leaves does not end them.
func (r *run) patience() *deadline {
	if r.called() {
		return &r.handling
	}
	return &r.waiting
}

// attempt runs the handler once, in a clean instance and on a new snapshot, and
// settles its effects. The instance goes back before the commit, which takes
// longer than most handlers.
func (r *run) attempt() (trace.Outcome, error) {
	inv, ctx := r.inv, &r.handling
	if err := r.enter(); err != nil {
		return trace.None, err
	}
	if err := r.turn.Take(r.patience()); err != nil {
		r.lap(&r.res.Wait, trace.Queue)
		return trace.None, r.gaveUp(errNoPlace(inv.Env.Plugin, err))
	}
	defer r.turn.End()
	lease, err := r.pool.take(r.patience())
	r.lap(&r.res.Wake, trace.Wake)
	if err != nil {
		return trace.None, r.gaveUp(err)
	}
	defer lease.end(ctx)
	if r.res.Attempts == 1 { // the wait for an instance is over
		inv.Start = r.last
	}
	tx := r.begin()
	if tx != nil {
		defer tx.Close()
	}
	inv.Begin(r.res.Attempts, r.limits, tx)
	inv.Departs(r)
	defer inv.End()
	if inv.Request.Once != nil && tx != nil {
		if outcome, err := replay(inv); outcome != "" {
			return outcome, err
		}
	}
	if claim := inv.Request.Claim; claim != nil {
		if err := claim.Check(tx); err != nil {
			return trace.None, err
		}
	}
	inLane := r.in != nil
	r.entry.is(Running, r.res.Attempts)
	err = lease.handle(ctx, inv)
	r.turn.End()
	r.lap(&r.res.Run, trace.Run)
	outcome, err := r.judge(err)
	r.fared(inLane, err)
	return outcome, err
}

// judge settles what the handler did that ended with err.
func (r *run) judge(err error) (trace.Outcome, error) {
	if tx := r.inv.Tx; tx != nil && tx.Failure() != nil {
		return trace.Aborted, tx.Failure()
	}
	if starved := r.inv.Starved(); starved != nil {
		return trace.Aborted, starved
	}
	if calls := r.inv.Calls(); calls != nil {
		err = calls.Counts(err)
	}
	if err := verdict(&r.handling, r.inv, err); err != nil {
		return trace.Aborted, err
	}
	return r.settle(r.inv)
}

// begin starts the attempt's transaction, nil where there is nothing to store.
func (r *run) begin() *store.Tx {
	env := r.cfg.Env
	if !env.Stores() && r.inv.Request.Claim == nil {
		return nil
	}
	quota := env.Quota
	quota.Shared = r.cfg.Plugin.Team.Disk()
	r.tx.Reset(r, env.Space, quota, r.inv.Start)
	return &r.tx
}

// settle commits or drops the effects of a handler that returned normally.
func (r *run) settle(inv *invoke.Invocation) (trace.Outcome, error) {
	if seen := inv.Request.Seen; seen != nil {
		seen(inv)
	}
	if err := inv.Certify(); err != nil {
		return trace.Aborted, err
	}
	switch {
	case inv.Tx == nil || inv.Tx.ReadOnly() && !inv.Request.Once.Keeps(inv.Reply.Status) && inv.Request.Claim == nil:
		if !inv.Request.DropEffects && inv.Commits() {
			r.leaves = inv.Leaving()
		}
		return trace.None, nil
	case inv.Request.DropEffects || !inv.Commits():
		return trace.Aborted, nil
	}
	if claim := inv.Request.Claim; claim != nil {
		if commit, err := claim.Settle(inv.Tx, inv.Reply.Status); err != nil || !commit {
			return trace.Aborted, err
		}
	}
	if inv.Request.Once.Keeps(inv.Reply.Status) {
		if err := keep(inv); err != nil {
			return trace.Aborted, err
		}
	}
	r.entry.is(Committing, r.res.Attempts) // before it looks whether it may: see Quiet
	defer r.committed()
	if err := r.mayCommit(); err != nil {
		return trace.Aborted, err
	}
	err := r.commit()
	r.lap(&r.res.Commit, trace.Commit)
	switch fault.CodeOf(err) {
	case "":
		return trace.Committed, nil
	case fault.Unknown:
		return trace.Unknown, err
	case fault.Invalid:
		return trace.Aborted, fault.Wrap(fault.Trap, "commit", fault.MessageOf(err), err)
	case fault.NotFound: // the plugin was purged while its handler ran
		return trace.Aborted, fault.Wrap(fault.Unavailable, "commit", fault.MessageOf(err), err)
	default:
		return trace.Aborted, err
	}
}
