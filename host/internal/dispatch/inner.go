package dispatch

import (
	"context"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/runq"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// Inner is a deployment as the handler of another plugin calls it: its guest runs within
// the caller's attempt, on the caller's place in the run queue, and its effects are a part
// of the caller's. One goroutine at a time uses it.
type Inner struct {
	*Deployment
	caller *invoke.Invocation
}

// Within returns d as caller, whose handler runs, may call it. Whoever holds d does so
// until the root of the caller has ended.
func (d *Deployment) Within(caller *invoke.Invocation) Inner { return Inner{d, caller} }

// Release does nothing: the hold lasts longer than the call.
func (n Inner) Release() {}

// Do runs inv's handler in a savepoint of the caller's transaction. inv is
// invoke.Invocation.Within the caller. What the handler wrote is a part of the caller's
// effects if it would be committed as a request of its own, and else it is gone; what it
// read stays read. It waits for nothing that an instance of another request has: at the
// plugin's limit of requests, or without memory for an instance, it is Unavailable at
// once. It waits for a program that is being loaded.
//
// Errors are those of Deployment.Do. They leave no write. Over says with which of them
// the caller's attempt is over too.
func (n Inner) Do(parent context.Context, inv *invoke.Invocation, limits limit.Limits) (Result, error) {
	r := inner{Inner: n, inv: inv, limits: limits, last: n.cfg.Clock()}
	r.res = Result{Outcome: trace.None, Attempts: 1, Start: r.last}
	r.bound(parent)
	defer r.ctx.end()
	err := inv.Request.CheckAttributes()
	if err == nil {
		err = n.paused(false)
	}
	if err == nil && n.cfg.Broken != nil {
		err = fault.Wrap(fault.Unavailable, "dispatch", "the plugin cannot serve; the operator's log says why", n.cfg.Broken)
	}
	if err == nil {
		err = n.cfg.Plugin.slots.enterAtOnce()
	}
	if err != nil {
		return r.res, err
	}
	defer n.cfg.Plugin.slots.leave(r.last, n.cfg.Clock, &entry{})
	r.res.Outcome, err = r.attempt()
	return r.res, err
}

// Over reports whether err, with which a call of caller has ended, ends the caller's
// attempt: its transaction is lost, its time is up, or the host has failed.
func Over(ctx context.Context, caller *invoke.Invocation, err error) bool {
	switch fault.CodeOf(err) {
	case fault.Diverged, fault.Left, fault.Internal, fault.Unknown:
		return true
	}
	return ctx.Err() != nil || caller.Starved() != nil || caller.Tx != nil && caller.Tx.Failure() != nil
}

// Join has writes to the plugin's spaces be among the effects of the caller's attempt, and
// returns where they go, and what that shares with others. Unavailable: a pause of writes.
func (n Inner) Join() (store.Space, *store.Shared, error) {
	err := n.paused(true)
	if root, ok := n.caller.Root().Departure().(*run); ok && err == nil {
		root.join(n.Deployment)
	}
	return n.cfg.Env.Space, n.cfg.Plugin.Team.Disk(), err
}

// inner is what Inner.Do knows of its invocation.
type inner struct {
	Inner
	ctx    deadline
	inv    *invoke.Invocation
	limits limit.Limits
	last   time.Time
	res    Result
}

// Of the time that a caller has left a part stays for it to answer that the call took too
// long.
const (
	answerShare = 8
	answerTime  = 500 * time.Millisecond // at most
)

// bound begins the context of the handler: the caller's, with a deadline of its own.
func (r *inner) bound(parent context.Context) {
	now := time.Now()
	r.ctx.parent, r.ctx.at, r.ctx.turn = parent, now.Add(r.limits.Deadline), runq.Of(parent)
	if at, ok := parent.Deadline(); ok {
		left := at.Sub(now)
		if at = now.Add(left - min(left/answerShare, answerTime)); at.Before(r.ctx.at) {
			r.ctx.at = at
		}
	}
	r.inv.Request.Head.Deadline = r.ctx.at.UnixNano()
}

func (r *inner) lap(part *time.Duration, kind trace.Kind) {
	now := r.cfg.Clock()
	*part += now.Sub(r.last)
	r.inv.Request.Timeline.Step(kind, r.last, now, 0)
	r.last = now
}

// attempt runs the handler once, in a clean instance. The next attempt of the root runs it
// again.
func (r *inner) attempt() (trace.Outcome, error) {
	inv := r.inv
	inv.Request.Timeline.Attempt(1)
	lease, err := r.pool.takeAtOnce(&r.ctx)
	r.lap(&r.res.Wake, trace.Wake)
	if err != nil {
		return trace.None, err
	}
	defer lease.end(&r.ctx)
	tx, save, err := r.begin()
	if err != nil {
		return trace.None, err
	}
	kept := false
	defer func() {
		if !kept {
			tx.Undo(save)
		}
	}()
	defer inv.End()
	err = lease.handle(&r.ctx, inv)
	r.lap(&r.res.Run, trace.Run)
	outcome, err := r.judge(err, tx.Wrote(save))
	kept = outcome == trace.Joined
	if !r.caller.Join(inv, kept || inv.Leaving() != nil) {
		kept = false
		return trace.Aborted, r.caller.Starved()
	}
	if kept {
		tx.Keep(save)
	}
	return outcome, err
}

// begin makes inv ready, in a savepoint of the caller's transaction.
func (r *inner) begin() (tx *store.Tx, save store.Savepoint, err error) {
	tx = r.caller.Tx
	if tx == nil {
		return nil, save, fault.New(fault.Internal, "dispatch", "a handler without a transaction calls another plugin")
	}
	if r.cfg.Stateful { // the next to use the memory does not wait for what this one reads
		if err := r.caller.Depart(); err != nil {
			return nil, save, err
		}
	}
	env := r.cfg.Env
	var part *store.Tx
	if env.Stores() {
		quota := env.Quota
		quota.Shared = r.cfg.Plugin.Team.Disk()
		part = tx.Part(env.Space, quota)
	}
	save = tx.Savepoint()
	r.inv.Env = env
	r.inv.Begin(int(r.caller.Request.Head.Attempt), r.limits, part)
	r.inv.Departs(r.caller)
	return tx, save, nil
}

// judge says what becomes of what the handler did that ended with err.
func (r *inner) judge(err error, wrote bool) (trace.Outcome, error) {
	inv := r.inv
	if lost := r.caller.Tx.Failure(); lost != nil {
		return trace.Aborted, lost
	}
	if starved := inv.Starved(); starved != nil {
		return trace.Aborted, starved
	}
	if err := verdict(&r.ctx, inv, err); err != nil {
		return trace.Aborted, err
	}
	commits := !inv.Request.DropEffects && inv.Commits()
	if wrote && !commits {
		return trace.Aborted, nil
	}
	if !wrote {
		if commits {
			r.caller.Inherit(inv.Leaving())
		}
		return trace.None, nil
	}
	if _, _, err := r.Join(); err != nil {
		return trace.Aborted, err
	}
	r.caller.Inherit(inv.Leaving())
	return trace.Joined, nil
}

// joined is a deployment whose effects are among those of a request of another plugin.
type joined struct {
	of    *Deployment
	entry entry
}

// join notes that effects of a deployment are among those of the attempt.
func (r *run) join(d *Deployment) {
	if d != r.Deployment && !slices.ContainsFunc(r.joined, func(j *joined) bool { return j.of == d }) {
		r.joined = append(r.joined, &joined{of: d})
	}
}

// mayCommit returns why one of the plugins takes no writes. The commit has been noted with
// the plugin of the request; it is with the others when it returns: see Quiet.
func (r *run) mayCommit() error {
	err := r.paused(true)
	for _, j := range r.joined {
		j.entry.of = r
		j.entry.is(Committing, r.res.Attempts)
		j.of.cfg.Plugin.slots.list(&j.entry)
		if refused := j.of.paused(true); err == nil {
			err = refused
		}
	}
	return err
}

// committed ends what mayCommit has noted.
func (r *run) committed() {
	for _, j := range r.joined {
		j.of.cfg.Plugin.slots.unlist(&j.entry)
	}
}

// enterAtOnce takes a slot if one is free.
func (s *slots) enterAtOnce() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running >= s.most {
		return s.full("and a call of another plugin does not wait")
	}
	s.running++
	return nil
}
