package ticking

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	capcron "github.com/wasmoor/wasmoor/host/internal/capability/cron"
	"github.com/wasmoor/wasmoor/host/internal/cron"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

// job follows one schedule of a plugin, on a goroutine of its own: no run delays another
// schedule's.
type job struct {
	service *Service
	key     key
	busy    chan struct{} // held by whoever runs it, or changes its record
	wake    chan struct{}

	// Of whoever holds busy.
	box   box
	tries int // in a row that found no place

	mu      sync.Mutex
	plugin  string
	timer   cron.Timer
	asks    string // the request
	held    bool   // the plugin is paused
	gone    bool   // it is not declared any more, or the plugin does not serve
	forget  bool   // the plugin serves without it
	record  cron.Record
	known   bool
	running bool
	late    time.Duration // the run that goes on
	lateAll time.Duration // all runs together
	refused int64
}

func newJob(s *Service, k key) *job {
	return &job{
		service: s, key: k, busy: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		box: box{store: s.cfg.Store, key: k, clock: s.cfg.Clock},
	}
}

// use takes over what the version that serves says.
func (j *job) use(plugin string, d *capcron.Declared, held bool) {
	j.mu.Lock()
	j.plugin, j.timer, j.asks = plugin, d.For(plugin), d.Request.Method+" "+d.Request.Path
	j.held, j.gone, j.forget = held, false, false
	j.mu.Unlock()
	j.poke()
}

// leave has the job end, after the run that goes on. With forget its record goes too.
func (j *job) leave(forget bool) {
	j.mu.Lock()
	j.gone, j.forget = true, forget
	j.mu.Unlock()
	j.poke()
}

func (j *job) poke() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// longest bounds a wait: whoever sets the clock is not noticed otherwise.
const longest = time.Minute

// follow does what is due until the job or the service ends.
func (j *job) follow() {
	s := j.service
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case j.busy <- struct{}{}:
		case <-s.Taking.Done():
			return
		}
		ended, wait := j.ended(), time.Duration(0)
		if !ended {
			wait = j.turn()
		}
		<-j.busy
		if ended {
			return
		}
		timer.Reset(wait)
		select {
		case <-s.Taking.Done():
			return
		case <-timer.C:
		case <-j.wake:
		}
	}
}

// ended takes the job off the list if it is to end. Whoever declares it again later
// makes another.
func (j *job) ended() bool {
	j.service.mu.Lock()
	j.mu.Lock()
	gone, forget := j.gone, j.forget
	if gone {
		delete(j.service.jobs, j.key)
	}
	j.mu.Unlock()
	j.service.mu.Unlock()
	if forget {
		if err := j.box.forget(); err != nil {
			j.service.cfg.Log.Warn("the record of a schedule that is gone stays", "plugin", j.plugin, "cron", j.key.name, "error", err)
		}
	}
	return gone
}

// turn does what is due, and returns how long nothing is.
func (j *job) turn() time.Duration {
	s := j.service
	j.mu.Lock()
	t, held := j.timer, j.held
	j.mu.Unlock()
	now := s.cfg.Clock()
	r, err := j.box.open(func(r *cron.Record) bool {
		if r.Format == 0 { // there is none
			*r = t.New(now)
			return true
		}
		return t.Adopt(r, now)
	})
	if err != nil {
		return j.later("the record of a schedule cannot be read or written", err)
	}
	if j.box.stored == nil { // somebody else has changed it
		return firstWait
	}
	j.show(r)
	at := t.At(&r)
	switch {
	case held, at.IsZero():
		return longest
	case now.Before(at):
		j.tries = 0
		return min(at.Sub(now), longest)
	}
	next := r
	due, run := t.Plan(&next, now)
	if !run {
		if err := j.box.put(&next); err != nil {
			return j.later("the record of a schedule cannot be written", err)
		}
		return 0
	}
	j.begin(max(0, min(now.Sub(at), now.Sub(t.Begins(due)))))
	defer j.end()
	return j.run(&t, next, due)
}

// run makes the request for a time, and notes how it went.
func (j *job) run(t *cron.Timer, r cron.Record, due time.Time) time.Duration {
	began := j.service.cfg.Clock()
	settle := func(res cron.Result) (cron.Record, error) {
		after := r
		t.Settle(&after, due, res)
		return after, nil
	}
	claim := &claim{box: &j.box, began: began, settle: settle, expected: true}
	out := j.request(t, claim, strconv.FormatInt(due.UnixMilli(), 10), due, r.Failed+1, nil)
	switch verdict, problem := judge(out); {
	case out.Committed && claim.stored != nil:
		j.box.stored = claim.stored
	case j.service.Handling.Err() != nil: // the server stops
		return longest
	case verdict == again:
		j.mu.Lock()
		j.refused++
		j.mu.Unlock()
		j.box.stored = nil
		return j.later("a run of a schedule found no place", out.Err)
	case verdict == changed:
		j.box.stored = nil
	default:
		if problem != "" {
			j.service.cfg.Log.Warn("a run of a schedule failed; see the last ones with: wasmoor cron list NAME", "plugin", j.plugin, "cron", j.key.name, "attempt", r.Failed+1, "problem", problem)
		}
		after, _ := settle(cron.Result{Began: began, Ended: j.service.cfg.Clock(), Status: out.Status, Problem: problem})
		for wait := firstWait; ; wait = min(2*wait, lastWait) { // else it would come again
			err := j.box.put(&after)
			if err == nil {
				break
			}
			j.service.cfg.Log.Warn("the outcome of a run of a schedule cannot be written: will try again", "plugin", j.plugin, "cron", j.key.name, "error", err)
			select {
			case <-time.After(wait):
			case <-j.service.Taking.Done():
				return longest
			}
		}
	}
	j.tries = 0
	return 0
}

// fire is Service.Fire.
func (j *job) fire(ctx context.Context) (run cron.Run, err error) {
	wait := time.NewTimer(time.Second)
	defer wait.Stop()
	select {
	case j.busy <- struct{}{}:
	case <-ctx.Done():
		return run, fault.Wrap(fault.Left, "", "the client left", ctx.Err())
	case <-wait.C:
		return run, fault.New(fault.Conflict, "", fmt.Sprintf("schedule %q runs at the moment", j.key.name))
	}
	defer func() {
		j.box.stored = nil // follow reads it anew
		<-j.busy
		j.poke()
	}()
	j.mu.Lock()
	t := j.timer
	j.mu.Unlock()
	j.begin(0)
	defer j.end()
	began := j.service.cfg.Clock()
	note := func(res cron.Result) (r cron.Record, err error) {
		if r = t.New(began); len(j.box.read) > 0 {
			r, err = cron.Decode(j.box.read)
		}
		r.Note(res)
		run = r.Runs[len(r.Runs)-1]
		return r, err
	}
	claim := &claim{box: &j.box, began: began, settle: note}
	out := j.request(&t, claim, "manual-"+strconv.FormatInt(began.UnixMilli(), 10), began, 1, []abi.Pair{{Name: "cron.manual", Value: "true"}})
	if out.Committed && claim.stored != nil {
		return run, nil
	}
	verdict, problem := judge(out)
	if verdict != over || j.service.Handling.Err() != nil {
		return cron.Run{}, out.Err
	}
	err = j.box.change(func() (*cron.Record, error) {
		r, err := note(cron.Result{Began: began, Ended: j.service.cfg.Clock(), Status: out.Status, Problem: problem})
		return &r, err
	})
	return run, err
}

// request makes a request.
func (j *job) request(t *cron.Timer, c *claim, id string, due time.Time, attempt int, more []abi.Pair) trigger.Outcome {
	name := j.key.name
	return j.service.cfg.Run(j.service.Handling, &trigger.Request{
		Plugin: j.plugin, Trigger: abi.TriggerCron, Deadline: t.Deadline, Claim: c,
		Attributes: append([]abi.Pair{
			{Name: "cron.name", Value: name},
			{Name: "cron.id", Value: name + "-" + id},
			{Name: "cron.due", Value: strconv.FormatInt(due.UnixMilli(), 10)},
			{Name: "cron.attempt", Value: strconv.Itoa(attempt)},
		}, more...),
		To: func(m *manifest.Manifest) (manifest.Request, bool) {
			now, ok := capcron.Of(m).Find(name)
			return now.Request, ok
		},
	})
}

// verdict is what a request came to that has settled nothing.
type verdict int

const (
	over    verdict = iota // it was handled, or failed
	again                  // it found no place
	changed                // nothing is to be done any more
)

func judge(out trigger.Outcome) (verdict, string) {
	if out.Ended {
		return over, fault.MessageOf(out.Err)
	}
	switch fault.CodeOf(out.Err) {
	case "":
		return over, answered(out.Status)
	case fault.Done:
		return changed, ""
	case fault.Unavailable, fault.NotFound, fault.Unknown, fault.Left:
		return again, ""
	}
	return over, fault.MessageOf(out.Err)
}

// answered returns what is wrong with a status; "" = nothing.
func answered(status int) string {
	if status >= 200 && status < 300 {
		return ""
	}
	return fmt.Sprintf("the handler answered %d", status)
}

// Waits after what found no place or no store.
const (
	firstWait = 250 * time.Millisecond
	lastWait  = 30 * time.Second
)

func (j *job) later(what string, err error) time.Duration {
	j.tries++
	wait := min(lastWait, firstWait<<min(j.tries-1, 10))
	j.service.cfg.Log.Warn(what+": will try again", "plugin", j.plugin, "cron", j.key.name, "after", wait, "error", err)
	return wait
}

func (j *job) begin(late time.Duration) {
	j.mu.Lock()
	j.running, j.late, j.lateAll = true, late, j.lateAll+late
	j.mu.Unlock()
}

func (j *job) end() {
	j.mu.Lock()
	j.running, j.late = false, 0
	j.mu.Unlock()
}

// show has stats tell a record.
func (j *job) show(r cron.Record) {
	j.mu.Lock()
	j.record, j.known = r, true
	j.mu.Unlock()
}

func (j *job) stats() Stats {
	now := j.service.cfg.Clock()
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Stats{
		Plugin: j.plugin, Name: j.key.name, Schedule: j.timer.Schedule.Text, Zone: j.timer.Schedule.Zone, Request: j.asks,
		Paused: j.held, Running: j.running, Late: j.late, LateAll: j.lateAll, Refused: j.refused, Record: j.record,
	}
	if j.known {
		s.At = j.timer.At(&j.record)
		if !s.At.IsZero() && !j.running && !j.held {
			s.Late = max(0, now.Sub(s.At))
		}
	}
	return s
}
