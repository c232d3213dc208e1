package delivery

import (
	"bytes"
	"context"
	"sync"
	"time"

	capqueue "github.com/wasmoor/wasmoor/host/internal/capability/queue"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// desk delivers the messages of one plugin. Claims are in its memory alone: in the
// store a message waits until the commit that has handled it.
type desk struct {
	service *Service
	plugin  string
	space   store.Space
	ctx     context.Context
	end     context.CancelFunc
	wake    chan struct{}
	before  *desk         // of the same messages, whose handlers may still run; nil = none
	over    chan struct{} // closed when no handler of this desk or one before runs any more

	mu       sync.Mutex
	held     bool // the plugin is paused
	silent   bool // it may not call other services
	most     int  // messages that are handled at a time, of all queues
	lines    map[string]*line
	cursor   queue.ID // the last message that was read
	reload   bool     // what is paused, and messages that wait again
	handling int      // messages, but for webhooks: those take no instance of the plugin
	handlers sync.WaitGroup

	receivers map[string]int // webhooks that are being sent
}

// line is one queue.
type line struct {
	queue.Line
	declared capqueue.Declared
	is       bool // declared: else its messages wait until it is
	paused   bool
	counts   Counts
	tries    map[queue.ID]int  // runs in a row that were no attempts
	begun    map[queue.ID]bool // of at-most-once: those that this process has begun
	back     map[queue.ID]Back // wait again, before it was settled that they were dead
}

func hasQueues(p *deploy.Installed) bool { return len(capqueue.Of(p.Manifest)) > 0 }

func newDesk(s *Service, p *deploy.Installed, before *desk) *desk {
	d := &desk{
		service: s, plugin: p.Name, space: p.Space, wake: make(chan struct{}, 1), lines: map[string]*line{}, receivers: map[string]int{}, reload: true,
		before: before, over: make(chan struct{}),
	}
	d.ctx, d.end = context.WithCancel(s.Taking)
	return d
}

// use takes over what a plugin is now.
func (d *desk) use(p *deploy.Installed) {
	d.mu.Lock()
	d.held, d.silent = p.Paused, p.Silent
	d.most = max(1, p.Manifest.Limits().Concurrency/2) // the other half is for who waits
	for _, l := range d.lines {
		l.is = false
	}
	for _, q := range capqueue.Of(p.Manifest) {
		l := d.line(q.Name)
		l.declared, l.is = q, true
	}
	d.mu.Unlock()
	d.poke()
}

// line returns a queue. The caller holds mu.
func (d *desk) line(name string) *line {
	l := d.lines[name]
	if l == nil {
		l = &line{tries: map[queue.ID]int{}, begun: map[queue.ID]bool{}, back: map[queue.ID]Back{}}
		l.declared.Name = name
		d.lines[name] = l
	}
	return l
}

// poke has run look again.
func (d *desk) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// retryLoad is how long run waits after messages could not be read.
const retryLoad = time.Second

// left reports whether no handler runs any more of a desk that has ended.
func (d *desk) left() bool {
	select {
	case <-d.over:
		return true
	default:
		return false
	}
}

// run starts handlers until the desk ends, and waits for them. It begins when those of
// the desk before have ended: what they handle still lies in the store.
func (d *desk) run() {
	defer close(d.over)
	if d.before != nil {
		<-d.before.over
		d.before = nil
	}
	defer d.handlers.Wait()
	watch := d.service.cfg.Store.Watch(d.space.In(store.AreaQueue), queue.Messages())
	defer watch.Close()
	behind := true // there are messages that were not read
	timer := time.NewTimer(0)
	defer timer.Stop()
	for d.ctx.Err() == nil {
		wait := time.Hour
		if behind || d.stale() {
			if err := d.load(); err != nil {
				d.service.cfg.Log.Warn("the messages of a plugin cannot be read: will try again", "plugin", d.plugin, "error", err)
				behind, wait = true, retryLoad
			} else {
				behind = false
			}
		}
		timer.Reset(min(wait, d.start()))
		select {
		case <-d.ctx.Done():
		case <-timer.C:
		case <-d.wake:
		case <-watch.Changed():
			behind = behind || d.isBehind(watch.Take())
		}
	}
}

func (d *desk) stale() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reload
}

// isBehind reports whether there may be a message after the last that was read. Those
// before it are changed by this package alone.
func (d *desk) isBehind(c store.Changes) bool {
	if c.Lost {
		return true
	}
	if len(c.Keys) == 0 {
		return false
	}
	last, ok := queue.IDOf(c.Keys[len(c.Keys)-1])
	d.mu.Lock()
	defer d.mu.Unlock()
	return ok && bytes.Compare(last[:], d.cursor[:]) > 0
}

// load reads the messages after the last one, and what is paused. It never passes
// what lies before, where most messages have been and are gone. After an error it must
// be called again.
func (d *desk) load() error {
	d.service.loading <- struct{}{}
	defer func() { <-d.service.loading }()
	d.mu.Lock()
	after := d.cursor
	d.reload = false // before the snapshot, which lacks what changes from now on
	d.mu.Unlock()
	snap, err := d.service.cfg.Store.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	type found struct {
		id        queue.ID
		name, key string
		sent, due int64
	}
	var list []found
	err = queue.Scan(snap, d.space, after, func(id queue.ID, m *queue.Message) bool {
		list = append(list, found{id, m.Queue, m.Chain(), m.Sent, m.Due})
		return true
	})
	if err != nil {
		return err
	}
	paused, err := queue.Paused(snap, d.space)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range list {
		d.line(f.name).Add(f.id, f.key, f.sent, f.due)
		d.cursor = f.id
	}
	for name, l := range d.lines {
		l.paused = paused[name]
	}
	return nil
}

// start starts handlers for what may be handled, and returns when there may be more,
// if nothing happens.
func (d *desk) start() time.Duration {
	now := d.service.cfg.Clock()
	d.mu.Lock()
	defer d.mu.Unlock()
	wait := time.Hour
	if d.held {
		return wait
	}
	// One of each queue in turn, so that none keeps the others waiting.
	for more := true; more; {
		more = false
		for _, l := range d.lines {
			if !d.open(l) {
				continue
			}
			if id, ok := l.Take(now.UnixMilli()); ok {
				more = true
				if !l.declared.Webhooks() {
					d.handling++
				}
				declared := l.declared
				d.handlers.Go(func() { d.handle(&declared, id) })
			}
		}
	}
	for _, l := range d.lines { // whoever ends wakes
		if due, ok := l.Next(); ok && d.open(l) {
			wait = min(wait, max(0, time.UnixMilli(due).Sub(now)))
		}
	}
	return wait
}

// open reports whether another message of a queue may be handled.
func (d *desk) open(l *line) bool {
	if l.declared.Webhooks() {
		return !d.silent && l.open()
	}
	return d.handling < d.most && l.open()
}

// forget forgets a message that is there no more.
func (l *line) forget(id queue.ID) {
	delete(l.tries, id)
	delete(l.begun, id)
	delete(l.back, id)
	l.Remove(id)
}

// open reports whether another message of the queue may be handled, as far as it decides.
func (l *line) open() bool {
	_, claimed := l.Len()
	return l.is && !l.paused && claimed < l.declared.Concurrency
}

// settle notes what became of a message that was being handled.
func (d *desk) settle(name string, id queue.ID, v verdict) {
	now := d.service.cfg.Clock()
	d.mu.Lock()
	l := d.line(name)
	switch v.kind {
	case done:
		l.counts.Handled++
	case dead:
		l.counts.Failed++
		l.counts.Dead++
	case again:
		l.counts.Failed++
	case conflicted:
		l.counts.Conflicts++
	case refused:
		l.counts.Refused++
	}
	if v.stays() && l.Has(id) {
		delay := v.delay
		if v.kind == again {
			delete(l.tries, id)
		} else {
			l.tries[id]++
			delay = max(v.delay, patience(l.tries[id]))
		}
		l.Back(id, now.Add(delay).UnixMilli())
	} else {
		m, revived := l.back[id]
		l.forget(id)
		if revived {
			l.Add(id, m.Chain(), m.Sent, m.Due)
		}
	}
	if !l.declared.Webhooks() {
		d.handling--
	}
	d.mu.Unlock()
	d.poke()
}

// changed takes over what an operator has changed.
func (d *desk) changed(gone []queue.ID, back []Back) {
	d.mu.Lock()
	for _, id := range gone {
		for _, l := range d.lines {
			l.forget(id)
		}
	}
	d.reload = true
	for i := range back {
		m := &back[i]
		l := d.line(m.Queue)
		if l.Has(m.ID) {
			m.Body = nil
			l.back[m.ID] = *m
			continue
		}
		l.Add(m.ID, m.Chain(), m.Sent, m.Due)
	}
	d.mu.Unlock()
	d.poke()
}

func (d *desk) stats() (list []Stats) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, l := range d.lines {
		all, handling := l.Len()
		s := Stats{
			Plugin: d.plugin, Queue: name, Declared: l.is, Paused: l.paused || d.held || d.silent && l.declared.Webhooks(), Waiting: all - handling, Handling: handling, Counts: l.counts,
		}
		if sent, ok := l.Oldest(); ok {
			s.Oldest = time.UnixMilli(sent)
		}
		list = append(list, s)
	}
	return list
}
