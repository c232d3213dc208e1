package deploy

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/rollout"
)

// lookEvery is how often the gate looks at a roll-out.
const lookEvery = 250 * time.Millisecond

// byGate is who the audit names where nobody decided.
const byGate = "rollout"

// watches are the roll-outs that are watched, and how many there were.
type watches struct {
	mu         sync.Mutex
	all        map[string]*watch // by plugin
	unrecorded map[string]registry.Change
	ends       chan struct{} // closed when the Deployer is
	closed     bool
	running    sync.WaitGroup

	begun, done, back, aborted, held atomic.Int64
}

// watch is over one roll-out. After a start it begins anew: counts, and the time of
// the step.
type watch struct {
	salt    uint64
	tally   *rollout.Tally
	machine rollout.Machine
	step    int
	stepped time.Time

	mu   sync.Mutex
	last rollout.Decision
}

// close ends all watches and waits for them.
func (ws *watches) close() {
	ws.mu.Lock()
	if !ws.closed && ws.ends != nil {
		close(ws.ends)
	}
	ws.closed = true
	ws.mu.Unlock()
	ws.running.Wait()
}

// of returns the watch over a plugin's roll-out, nil = none.
func (ws *watches) of(p plugin.Plugin) *watch {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if w := ws.all[p.Name]; w != nil && p.Rollout != nil && w.salt == p.Rollout.Salt() {
		return w
	}
	return nil
}

// remember keeps what could not be recorded for a later try.
func (ws *watches) remember(name string, c registry.Change) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.unrecorded == nil {
		ws.unrecorded = map[string]registry.Change{}
	}
	ws.unrecorded[name] = c
}

// tend has a roll-out watched, if l is one and nobody does. The caller holds the lock.
func (d *Deployer) tend(l *live) {
	r := l.plugin.Rollout
	if !r.Runs() || d.watch.of(l.plugin) != nil {
		return
	}
	ws := &d.watch
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.closed {
		return
	}
	if ws.all == nil {
		ws.all, ws.ends = map[string]*watch{}, make(chan struct{})
	}
	w := &watch{salt: r.Salt(), tally: &rollout.Tally{From: r.From, To: r.To}, step: r.Step, stepped: time.Now()}
	ws.all[l.plugin.Name] = w
	l.owner.Tally.Store(w.tally)
	ws.running.Go(func() {
		defer l.owner.Tally.CompareAndSwap(w.tally, nil)
		d.watchOver(l.plugin.Name, w)
	})
}

// watchOver looks at a roll-out until it has ended.
func (d *Deployer) watchOver(name string, w *watch) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-d.watch.ends:
			return
		case now := <-tick.C:
			if d.look(ctx, name, w, now) {
				return
			}
		}
	}
}

// look does what the gate says now. It reports whether the roll-out has ended.
func (d *Deployer) look(ctx context.Context, name string, w *watch, now time.Time) (ended bool) {
	l := d.state.Load().live[name]
	if l == nil || l.plugin.Rollout == nil || l.plugin.Rollout.Salt() != w.salt {
		return true
	}
	if !l.plugin.Rollout.Runs() {
		return d.record(ctx, name)
	}
	decision := w.look(l.plugin.Rollout, now)
	if len(l.serving) == 1 {
		decision = rollout.Decision{Act: rollout.Back, Reason: "the version cannot be restored; the log of the start says why"}
	}
	if w.set(decision) {
		d.watch.held.Add(1)
		d.cfg.Log.Warn("a roll-out is held: its time is over and it is not known yet whether the version does worse",
			"plugin", name, "version", l.plugin.Rollout.To, "share", plugin.Percent(l.plugin.Rollout.Weight()), "reason", decision.Reason)
	}
	if decision.Act == rollout.Stay {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := d.reroll(ctx, name, func(l *live) error { return d.obey(ctx, l, w, decision) })
	if err != nil && fault.CodeOf(err) != fault.NotFound {
		d.cfg.Log.Warn("a step of a roll-out failed; it is tried again", "plugin", name, "error", err)
	}
	return false
}

// obey carries out a decision on a roll-out that is still the one it was made for.
func (d *Deployer) obey(ctx context.Context, l *live, w *watch, decision rollout.Decision) error {
	switch r := l.plugin.Rollout; {
	case r.Salt() != w.salt || r.Step != w.step:
		return nil
	case decision.Act == rollout.Back:
		return d.goBack(ctx, l, plugin.RolledBack, decision.Reason, byGate)
	case r.Paused:
		return nil
	}
	return d.advance(ctx, l, false, decision.Reason, byGate)
}

// record records the end of a roll-out that could not be recorded then. It reports
// whether nothing is left to do.
func (d *Deployer) record(ctx context.Context, name string) (done bool) {
	d.watch.mu.Lock()
	c, left := d.watch.unrecorded[name]
	d.watch.mu.Unlock()
	if !left {
		return true
	}
	unlock, err := d.lock(ctx)
	if err != nil {
		return false
	}
	defer unlock()
	p, err := d.cfg.Registry.Installed(ctx, name)
	if err == nil && p.Rollout.Runs() && p.Rollout.Salt() == c.Rollout.Salt() {
		_, err = d.cfg.Registry.Rollout(ctx, name, c, rolledBackDetail(c.Rollout))
	}
	if err != nil && fault.CodeOf(err) != fault.NotFound {
		return false
	}
	d.watch.mu.Lock()
	defer d.watch.mu.Unlock()
	delete(d.watch.unrecorded, name)
	return true
}

// look asks the machine.
func (w *watch) look(r *plugin.Rollout, now time.Time) rollout.Decision {
	if r.Step != w.step {
		w.step, w.stepped = r.Step, now
	}
	at := *r
	at.Stepped = w.stepped // the recorded time is one that may have been set since
	old, fresh := w.tally.Counts()
	return w.machine.Look(&at, now, &old, &fresh)
}

// set keeps the last decision. It reports whether the roll-out is held from now on.
func (w *watch) set(d rollout.Decision) (held bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	held = d.Held && !w.last.Held
	w.last = d
	return held
}

// RolloutStatus is how a roll-out does, at a moment. One that has ended, or is of
// before a start, has no counts.
type RolloutStatus struct {
	plugin.Rollout
	Decision rollout.Decision
	Old, New rollout.Counts
	Watched  bool // it has counts
}

// Rollout returns how the last roll-out of a plugin does or did; false = there was
// none.
func (d *Deployer) Rollout(p plugin.Plugin) (s RolloutStatus, ok bool) {
	if p.Rollout == nil {
		return s, false
	}
	s.Rollout = *p.Rollout
	if w := d.watch.of(p); w != nil {
		w.mu.Lock()
		s.Decision = w.last
		w.mu.Unlock()
		s.Watched = true
		s.Old, s.New = w.tally.Counts()
	}
	return s, true
}

// RolloutTotals is how many roll-outs there were since the start, for metrics.
type RolloutTotals struct{ Begun, Done, Back, Aborted, Held, Running int64 }

// Rollouts returns how many roll-outs there were since the start. Held counts each
// time that one had to wait for more requests at the end of a step.
func (d *Deployer) Rollouts() RolloutTotals {
	t := RolloutTotals{
		Begun: d.watch.begun.Load(), Done: d.watch.done.Load(), Back: d.watch.back.Load(),
		Aborted: d.watch.aborted.Load(), Held: d.watch.held.Load(),
	}
	for _, l := range d.state.Load().live {
		if l.plugin.Rollout.Runs() {
			t.Running++
		}
	}
	return t
}
