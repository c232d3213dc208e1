package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// onTop is what a run knows of the order among requests of its plugin, and of what
// it depends on that is not durable yet.
type onTop struct {
	inLane bool
	shown  store.Snapshot  // that the attempt has opened, nil = none
	rests  *store.Settling // on which the refusal of its effects may rest
}

// enter takes the lane for an attempt that may otherwise conflict: a re-run, or one
// of a hot route. The lane is taken before an instance and before a place in the run
// queue, so that nobody who waits for it keeps either from who has it.
func (r *run) enter() error {
	if r.inLane || !r.cfg.Env.Stores() || r.inv.Request.DropEffects {
		return nil
	}
	if r.res.Attempts == 1 && !r.cfg.Plugin.lane.hot(r.route(), r.last) {
		return nil
	}
	return r.takeLane()
}

func (r *run) route() route {
	head := &r.inv.Request.Head
	return route{head.Method, head.Pattern}
}

func (r *run) takeLane() error {
	err := r.cfg.Plugin.lane.take(r.patience())
	r.lap(&r.res.Wait, trace.Lane)
	if err != nil {
		return r.gaveUp(fault.Wrap(fault.Unavailable, "dispatch", fmt.Sprintf(
			"requests of plugin %q conflict and run one after the other, and the turn of this one did not come in time; nothing was done", r.cfg.Env.Plugin), err))
	}
	r.inLane = true
	return nil
}

// leaveLane passes the lane on.
func (r *run) leaveLane() {
	if r.inLane {
		r.inLane = false
		r.cfg.Plugin.lane.pass()
	}
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
	if r.inLane && !r.cfg.Stateful {
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
	if !r.inLane && r.cfg.Plugin.lane.isClosed() {
		if err := r.takeLane(); err != nil {
			return err
		}
	}
	// The handler's time is over, the commit's is not: it ends durable or with
	// an error, whatever the client or the deadline do meanwhile.
	if r.cfg.Stateful {
		_, err := r.cfg.Store.Commit(context.Background(), r.inv.Tx.Effects())
		return err
	}
	_, settling, err := r.cfg.Store.Seal(context.Background(), r.inv.Tx.Effects())
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
	return err
}

// fared notes whether an attempt conflicted that began in the lane or outside.
func (r *run) fared(beganInLane bool, err error) {
	conflicted := fault.CodeOf(err) == fault.Conflict
	switch {
	case conflicted && r.inLane:
		r.cfg.Plugin.lane.close()
	case !beganInLane && (conflicted || err == nil):
		r.cfg.Plugin.lane.ran(r.route(), conflicted, r.last)
	}
	if !conflicted {
		return
	}
	if c, ok := errors.AsType[*store.Conflict](err); ok {
		r.res.Conflict = c
		r.cfg.Plugin.told.conflict(r.cfg.Env.Log, c, r.last)
	}
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
