package cron

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Cron is a request that comes by a schedule.
type Cron struct {
	Name     string
	Schedule Schedule
	CatchUp  CatchUp
	Attempts int           // runs for one time, when they fail
	Deadline time.Duration // 0 = the route's
}

// MaxDeadline bounds how long a run may take.
const MaxDeadline = 15 * time.Minute

// CatchUp says what becomes of times that were missed: the server was down, the plugin
// was paused, or there was no place to run.
type CatchUp string

// What becomes of them.
const (
	CatchUpNone CatchUp = "none" // nothing
	CatchUpLast CatchUp = "last" // the last of them is made up for
	CatchUpAll  CatchUp = "all"  // the last ten are, one after the other
)

const (
	maxCatchUp = 10
	// grace is how late a run without catching up may begin.
	grace = time.Minute
	// maxSplay bounds by how much runs of equal schedules are apart.
	maxSplay = 5 * time.Second
	// maxBack is by how much a clock may be set back. By more it was wrong before.
	maxBack = time.Hour
	// MaxRuns bounds the history.
	MaxRuns    = 20
	maxProblem = 200
	maxCounted = 1000
)

// Timer is a Cron of one plugin.
type Timer struct {
	Cron
	seed uint64
}

// For returns the Timer of a plugin. It is the same after restarts and for all versions.
func (c Cron) For(plugin string) Timer {
	h := fnv.New64a()
	_, _ = h.Write([]byte(plugin + "\x00" + c.Name))
	return Timer{c, h.Sum64()}
}

// splay is by how much runs begin after the time of the schedule.
func (t *Timer) splay() time.Duration {
	if t.Schedule.every > 0 {
		return 0 // the times themselves are apart
	}
	return time.Duration(t.seed%uint64(maxSplay/time.Millisecond)) * time.Millisecond
}

// Record is what is kept of a Timer. Times are Unix milliseconds.
type Record struct {
	Format   int    `json:"format"`
	Schedule string `json:"schedule"`
	Zone     string `json:"zone"`
	Settled  int64  `json:"settled"`         // of all times up to it something has become
	Failed   int    `json:"failed,omitzero"` // attempts of the time that comes
	Began    int64  `json:"began,omitzero"`  // the first of them
	Retry    int64  `json:"retry,omitzero"`  // not before then comes another
	Counts   Counts `json:"counts"`
	Runs     []Run  `json:"runs,omitempty"` // the last ones, in order
}

// Counts are of all runs.
type Counts struct {
	Done    uint64 `json:"done"`
	Failed  uint64 `json:"failed"`
	Skipped uint64 `json:"skipped"`
}

// Run is a run, or several times in a row for which none came.
type Run struct {
	Due     int64   `json:"due"` // the time of the schedule; of several the first
	Began   int64   `json:"began,omitzero"`
	Ended   int64   `json:"ended"`
	Outcome Outcome `json:"outcome"`
	Attempt int     `json:"attempt,omitzero"`
	Status  int     `json:"status,omitzero"` // that the handler answered
	Problem string  `json:"problem,omitempty"`
	Times   int     `json:"times,omitzero"`  // that were skipped, at most 1000 are counted
	Manual  bool    `json:"manual,omitzero"` // an operator asked for it
}

// Outcome is what became of a time.
type Outcome string

// Outcomes.
const (
	Done    Outcome = "done"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped"
)

const format = 1

// Encode returns what is stored.
func (r *Record) Encode() ([]byte, error) {
	r.Format = format
	return json.Marshal(r)
}

// Decode reads what Encode wrote.
func Decode(data []byte) (r Record, err error) {
	if err = json.Unmarshal(data, &r); err != nil || r.Format != format {
		return Record{}, fault.Wrap(fault.Internal, "cron", fmt.Sprintf("a record of a schedule is malformed or of format %d; the data directory is damaged, or of a newer server", r.Format), err)
	}
	return r, nil
}

// New returns the record of a Timer that is new at now: of the times before, none is
// missed.
func (t *Timer) New(now time.Time) Record {
	return Record{Schedule: t.Schedule.Text, Zone: t.Schedule.Zone, Settled: now.UnixMilli()}
}

// Adopt takes over another schedule, whose times count from now on, and a clock that was
// set back by much. It reports whether r has changed.
func (t *Timer) Adopt(r *Record, now time.Time) bool {
	same := r.Schedule == t.Schedule.Text && r.Zone == t.Schedule.Zone
	if same && r.Settled <= now.Add(maxBack).UnixMilli() {
		return false
	}
	began := t.New(now)
	began.Counts, began.Runs = r.Counts, r.Runs
	*r = began
	return true
}

// Due returns the time of the schedule that comes next; zero = none comes ever.
func (t *Timer) Due(r *Record) time.Time { return t.Schedule.next(time.UnixMilli(r.Settled), t.seed) }

// Begins returns when the run for a time begins, if nothing is in its way.
func (t *Timer) Begins(due time.Time) time.Time { return due.Add(t.splay()) }

// At returns when something is to be done next; zero = never.
func (t *Timer) At(r *Record) time.Time {
	if r.Failed > 0 {
		return time.UnixMilli(r.Retry)
	}
	due := t.Due(r)
	if due.IsZero() {
		return due
	}
	return t.Begins(due)
}

// Plan returns what to do at now, at At or later: with run, a request for the time due,
// on which Settle follows; else nothing but to keep the record, some times of which
// are skipped. The caller keeps r with the outcome.
func (t *Timer) Plan(r *Record, now time.Time) (due time.Time, run bool) {
	if r.Failed > 0 {
		return t.Due(r), true
	}
	shifted := now.Add(-t.splay())
	missed, n := t.last(r, shifted), 1
	if t.CatchUp == CatchUpAll {
		n = maxCatchUp
	}
	missed = missed[max(0, len(missed)-n):]
	due = missed[0]
	if t.CatchUp == CatchUpNone && shifted.Sub(due) > grace {
		t.skip(r, shifted, now, "it was missed")
		return due, false
	}
	t.skip(r, due.Add(-time.Millisecond), now, "it was missed")
	return due, true
}

// last returns times that have come until now, the last ten or all there are.
func (t *Timer) last(r *Record, now time.Time) []time.Time {
	for back := time.Minute; ; back *= 8 {
		from, whole := time.UnixMilli(r.Settled), true
		if d := now.Add(-back); back > 0 && back < 100*maxEvery && d.After(from) {
			from, whole = d, false
		}
		var list []time.Time
		for at := t.Schedule.next(from, t.seed); !at.IsZero() && !at.After(now); at = t.Schedule.next(at, t.seed) {
			list = append(list, at)
		}
		if whole || len(list) >= maxCatchUp {
			return list
		}
	}
}

// skip settles what has come until then.
func (t *Timer) skip(r *Record, until, now time.Time, why string) {
	n, first := 0, t.Due(r)
	for at := first; n < maxCounted && !at.IsZero() && !at.After(until); at = t.Schedule.next(at, t.seed) {
		n++
	}
	if n == 0 {
		return
	}
	r.Settled = until.UnixMilli()
	r.Counts.Skipped += uint64(n)
	r.note(Run{Due: first.UnixMilli(), Ended: now.UnixMilli(), Outcome: Skipped, Times: n, Problem: why})
}

// Result is how a run went.
type Result struct {
	Began, Ended time.Time
	Status       int    // 0 = there is no answer
	Problem      string // "" = it was done
}

// Settle notes how the run for a time went that Plan returned. Times that came while it
// ran are skipped; one that failed may come again.
func (t *Timer) Settle(r *Record, due time.Time, res Result) {
	run := Run{
		Due: due.UnixMilli(), Began: res.Began.UnixMilli(), Ended: res.Ended.UnixMilli(), Outcome: Done,
		Attempt: r.Failed + 1, Status: res.Status, Problem: res.Problem,
	}
	if r.Began == 0 {
		r.Began = run.Began
	}
	if res.Problem == "" {
		r.Counts.Done++
	} else {
		run.Outcome = Failed
		r.Counts.Failed++
		r.Failed++
	}
	r.note(run)
	if r.Failed > 0 && run.Outcome == Failed && r.Failed < t.Attempts {
		r.Retry = res.Ended.Add(backoff(r.Failed)).UnixMilli()
		return
	}
	began, ended := time.UnixMilli(r.Began).Add(-t.splay()), res.Ended.Add(-t.splay())
	r.Settled, r.Failed, r.Began, r.Retry = due.UnixMilli(), 0, 0, 0
	if t.Due(r).After(began) { // else others wait that were missed
		t.skip(r, ended, res.Ended, "the run before was going on")
	}
}

// backoff is the wait after so many failed attempts.
func backoff(failed int) time.Duration {
	return min(5*time.Minute, time.Second<<min(failed-1, 9))
}

// Note adds a run that an operator asked for, which is none of the schedule's.
func (r *Record) Note(res Result) {
	run := Run{
		Due: res.Began.UnixMilli(), Began: res.Began.UnixMilli(), Ended: res.Ended.UnixMilli(), Outcome: Done, Attempt: 1,
		Status: res.Status, Problem: res.Problem, Manual: true,
	}
	if res.Problem != "" {
		run.Outcome = Failed
		r.Counts.Failed++
	} else {
		r.Counts.Done++
	}
	r.note(run)
}

// note adds to the history, in a list of its own: others may have the one before.
func (r *Record) note(run Run) {
	run.Problem = run.Problem[:min(len(run.Problem), maxProblem)]
	kept := r.Runs[max(0, len(r.Runs)+1-MaxRuns):]
	r.Runs = append(slices.Clone(kept), run)
}
