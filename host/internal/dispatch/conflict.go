package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/dispatch/lane"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// onTop is what a run knows of the order among requests of its plugin, and of what
// it depends on that is not durable yet.
type onTop struct {
	in     *lane.Lane      // the lane that it has; nil = none, and never more than one
	rival  *lane.Lane      // that of the plugin whose keys it lost last; nil = its own
	shown  store.Snapshot  // that the attempt has opened, nil = none
	rests  *store.Settling // on which the refusal of its effects may rest
	leaves invoke.Leaving  // of a run that writes nothing, once what it has read is durable
}

// enter takes the lane for an attempt that may otherwise conflict: a re-run, or one
// of a hot route. The lane is taken before an instance and before a place in the run
// queue, so that nobody who waits for it keeps either from who has it.
func (r *run) enter() error {
	if !r.cfg.Env.Stores() || r.inv.Request.DropEffects {
		return nil
	}
	own := &r.cfg.Plugin.lane
	switch {
	case r.res.Attempts == 1 && !own.Hot(r.route(), r.last):
		return nil
	case r.in != nil && (r.in == r.rival || r.rival == nil):
		return nil
	}
	r.leaveLane() // who waits for one has none, or two could wait for each other
	return r.takeLane(cmp.Or(r.rival, own))
}

func (r *run) route() lane.Route {
	head := &r.inv.Request.Head
	return lane.Route{Method: head.Method, Pattern: head.Pattern}
}

func (r *run) takeLane(l *lane.Lane) error {
	err := l.Take(r.patience())
	r.lap(&r.res.Wait, trace.Lane)
	if err != nil {
		return r.gaveUp(fault.Wrap(fault.Unavailable, "dispatch", fmt.Sprintf(
			"requests of plugin %q conflict and run one after the other, and the turn of this one did not come in time; nothing was done", r.cfg.Env.Plugin), err))
	}
	r.in = l
	return nil
}

// leaveLane passes the lane on.
func (r *run) leaveLane() {
	if r.in != nil {
		r.in.Pass()
		r.in = nil
	}
}

// closedLane returns one that a commit of the attempt needs, nil = none.
func (r *run) closedLane() *lane.Lane {
	if own := &r.cfg.Plugin.lane; own.IsClosed() {
		return own
	}
	for _, j := range r.joined {
		if l := &j.of.cfg.Plugin.lane; l.IsClosed() {
			return l
		}
	}
	return nil
}

// Depart implements invoke.Departure. Who waits for the answer of a service keeps
// nobody else waiting.
func (r *run) Depart() error {
	r.leaveLane()
	if r.shown == nil {
		return nil
	}
	return r.shown.Durable()
}

// Snapshot implements store.Source. A run in the lane is on top of what is sealed;
// one in an instance that keeps its memory is not, because the next to use the
// memory does not wait for what this one has read.
func (r *run) Snapshot() (store.Snapshot, error) {
	open := r.cfg.Store.Snapshot
	if r.in != nil && !r.cfg.Stateful {
		open = r.cfg.Store.Latest
	}
	snap, err := open()
	if err != nil {
		return nil, err
	}
	r.shown = snap
	return invoke.Through(r.inv, invoke.Reads, snap), nil
}

// commit commits the effects of the attempt. In the lane the next run begins once
// they are sealed, and not only once they are durable.
func (r *run) commit() error {
	if r.in == nil {
		if l := r.closedLane(); l != nil {
			if err := r.takeLane(l); err != nil {
				return err
			}
		}
	}
	// The handler's time is over, the commit's is not: it ends durable or with
	// an error, whatever the client or the deadline do meanwhile.
	effects := r.inv.Tx.Effects()
	leaving := r.inv.Leaving()
	defer leaving.Left()
	effects.Published = leaving.Published()
	if r.cfg.Stateful {
		_, err := r.cfg.Store.Commit(context.Background(), effects)
		return err
	}
	_, settling, err := r.cfg.Store.Seal(context.Background(), effects)
	if err != nil {
		r.rests = settling
		return err
	}
	r.leaveLane()
	return settling.Wait()
}

// settled returns what became of a request, once all that its answer depends on is
// durable.
func (r *run) settled(err error) error {
	r.leaveLane()
	lost := r.rests.WaitRead()
	if lost == nil && r.shown != nil {
		lost = r.shown.Durable()
	}
	if lost != nil && fault.CodeOf(err) != fault.Unknown {
		return lost
	}
	if err == nil {
		r.leaves.Committed(0)
		r.leaves.Left()
	}
	return err
}

// fared notes whether an attempt conflicted that began in a lane or outside.
func (r *run) fared(beganInLane bool, err error) {
	conflicted := fault.CodeOf(err) == fault.Conflict
	c, named := errors.AsType[*store.Conflict](err)
	if conflicted {
		r.rival = r.laneOf(c)
	}
	switch {
	case conflicted && r.in != nil:
		if r.in == cmp.Or(r.rival, &r.cfg.Plugin.lane) {
			r.in.Close()
		}
	case !beganInLane && (conflicted || err == nil):
		r.cfg.Plugin.lane.Ran(r.route(), conflicted, r.last)
	}
	if conflicted && named {
		r.res.Conflict = c
		r.cfg.Plugin.told.conflict(r.cfg.Env.Log, c, r.last)
	}
}

// laneOf returns the lane of the called plugin whose keys a conflict is about, nil = of
// none.
func (r *run) laneOf(c *store.Conflict) *lane.Lane {
	for _, j := range r.joined {
		if c != nil && c.Space.Owner() == j.of.cfg.Env.Space {
			return &j.of.cfg.Plugin.lane
		}
	}
	return nil
}

// told bounds how often a plugin's log is told of its conflicts.
type told struct {
	next  atomic.Int64 // when it may be told again, Unix nanoseconds
	count atomic.Int64 // of conflicts since it was told
}

const tellEvery = 10 * time.Second

func (t *told) conflict(log *slog.Logger, c *store.Conflict, now time.Time) {
	t.count.Add(1)
	next := t.next.Load()
	if log == nil || now.UnixNano() < next || !t.next.CompareAndSwap(next, now.Add(tellEvery).UnixNano()) {
		return
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, "requests conflict and run again, one after the other",
		slog.String("conflict", c.Error()), slog.Int64("conflicts", t.count.Swap(0)))
}
