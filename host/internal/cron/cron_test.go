package cron

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func timer(t interface{ Fatal(...any) }, text, zone string, catch CatchUp, attempts int) Timer {
	return Cron{Name: "job", Schedule: parsed(t, text, zone), CatchUp: catch, Attempts: attempts}.For("plugin")
}

var epoch = time.Date(2026, 3, 28, 20, 0, 0, 0, time.UTC)

// world runs a Timer as package ticking does: it has a clock, and keeps the record as it
// was after the last commit.
type world struct {
	timer  Timer
	now    time.Time
	stored []byte
	done   []time.Time // times of the schedule whose run has committed
	begun  []time.Time // of every run
}

func (w *world) record(t interface{ Fatal(...any) }) Record {
	r, err := Decode(w.stored)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (w *world) commit(t interface{ Fatal(...any) }, r *Record) {
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	w.stored = data
}

// step does what is to be done next, and lets the run take so long. It reports whether
// there was one.
func (w *world) step(t interface{ Fatal(...any) }, takes time.Duration, problem string, killed bool) (ran bool) {
	r := w.record(t)
	if w.timer.Adopt(&r, w.now) {
		w.commit(t, &r)
	}
	at := w.timer.At(&r)
	if w.now.Before(at) {
		w.now = at
	}
	due, run := w.timer.Plan(&r, w.now)
	if !run {
		w.commit(t, &r)
		return false
	}
	w.begun = append(w.begun, due)
	began := w.now
	w.now = w.now.Add(takes)
	if killed {
		return true
	}
	w.timer.Settle(&r, due, Result{Began: began, Ended: w.now, Status: 200, Problem: problem})
	w.commit(t, &r)
	if problem == "" {
		w.done = append(w.done, due)
	}
	return true
}

func newWorld(t interface{ Fatal(...any) }, tm Timer) *world {
	w := &world{timer: tm, now: epoch}
	r := tm.New(epoch)
	w.commit(t, &r)
	return w
}

// TestDayWithoutDrift: over a day whose clocks are set, an interval comes as often as it
// fits in, each a whole number of intervals after the first, however long runs take.
func TestDayWithoutDrift(t *testing.T) {
	w := newWorld(t, timer(t, "@every 1m", "Europe/Berlin", CatchUpLast, 1))
	for i := 0; w.now.Before(epoch.Add(24 * time.Hour)); i++ {
		w.step(t, time.Duration(i%59)*time.Second+137*time.Millisecond, "", false)
	}
	if n := len(w.done); n < 1439 || n > 1441 {
		t.Errorf("%d runs in a day of 1440 minutes", n)
	}
	for i := range w.done {
		if off := w.done[i].Sub(w.done[0]); off != time.Duration(i)*time.Minute {
			t.Fatalf("run %d is for %s after the first", i, off)
		}
	}
}

// TestLongRun: what comes while a run goes on is skipped, and in the history.
func TestLongRun(t *testing.T) {
	w := newWorld(t, timer(t, "* * * * *", "UTC", CatchUpAll, 1))
	w.step(t, 3*time.Minute+time.Second, "", false)
	w.step(t, time.Second, "", false)
	r := w.record(t)
	if gap := w.done[1].Sub(w.done[0]); gap != 4*time.Minute || r.Counts != (Counts{Done: 2, Skipped: 3}) {
		t.Errorf("the next run came %s later, counts %+v", gap, r.Counts)
	}
	if s := r.Runs[1]; s.Outcome != Skipped || s.Times != 3 || s.Problem == "" || s.Due != w.done[0].Add(time.Minute).UnixMilli() {
		t.Errorf("history: %+v", r.Runs)
	}
}

// TestCatchUp: what becomes of times that were missed.
func TestCatchUp(t *testing.T) {
	for _, c := range []struct {
		catch         CatchUp
		runs, skipped int
	}{{CatchUpNone, 0, 48}, {CatchUpLast, 1, 47}, {CatchUpAll, 10, 38}} {
		w := newWorld(t, timer(t, "0 * * * *", "UTC", c.catch, 1))
		w.now = epoch.Add(48*time.Hour + 30*time.Minute)
		back := w.now
		for {
			r := w.record(t)
			if w.timer.At(&r).After(w.now) {
				break
			}
			w.step(t, time.Second, "", false)
		}
		r := w.record(t)
		if len(w.done) != c.runs || r.Counts != (Counts{Done: uint64(c.runs), Skipped: uint64(c.skipped)}) {
			t.Errorf("%s: %d runs, %+v", c.catch, len(w.done), r.Counts)
		}
		if next := w.timer.Due(&r); next != epoch.Add(49*time.Hour).Local() {
			t.Errorf("%s: then comes %s, back at %s", c.catch, next, back)
		}
	}
}

// TestAttempts: a run that fails comes again as attempts says and not more often, and
// then the schedule goes on.
func TestAttempts(t *testing.T) {
	w := newWorld(t, timer(t, "0 * * * *", "UTC", CatchUpLast, 3))
	for range 4 {
		w.step(t, time.Second, "it failed", false)
	}
	for i, want := range []time.Duration{0, 0, 0, time.Hour} {
		if got := w.begun[i].Sub(w.begun[0]); got != want {
			t.Errorf("run %d is for %s after the first", i, got)
		}
	}
	if r := w.record(t); r.Failed != 1 || r.Counts.Failed != 4 || r.Runs[2].Attempt != 3 || r.Runs[3].Attempt != 1 {
		t.Errorf("record: %+v", r)
	}
}

// TestHistoryIsBounded: by number and by length of what a handler says.
func TestHistoryIsBounded(t *testing.T) {
	w := newWorld(t, timer(t, "* * * * *", "UTC", CatchUpLast, 1))
	for range 100 {
		w.step(t, time.Second, string(make([]byte, 10_000)), false)
	}
	if r := w.record(t); len(r.Runs) != MaxRuns || len(w.stored) > 64<<10 {
		t.Errorf("%d runs in %d bytes", len(r.Runs), len(w.stored))
	}
}

// TestClockSetBack: by little, no time comes twice; by much, the schedule begins anew in
// place of waiting for years.
func TestClockSetBack(t *testing.T) {
	for back, wait := range map[time.Duration]bool{30 * time.Minute: true, 240 * time.Hour: false} {
		w := newWorld(t, timer(t, "* * * * *", "UTC", CatchUpAll, 1))
		for range 60 {
			w.step(t, time.Second, "", false)
		}
		last := w.done[len(w.done)-1]
		w.now = w.now.Add(-back)
		at := w.now
		w.step(t, time.Second, "", false)
		next := w.done[len(w.done)-1]
		if wait && next != last.Add(time.Minute) || !wait && next.Sub(at) > time.Minute {
			t.Errorf("set back by %s: after %s came %s", back, last, next)
		}
	}
}

// TestSplay: equal schedules of several plugins do not begin together, and one of them
// begins always as late.
func TestSplay(t *testing.T) {
	begins := map[time.Duration]bool{}
	for _, text := range []string{"@every 10s", "0 3 * * *"} {
		for _, plugin := range []string{"a", "b", "c", "d", "e", "f"} {
			tm := Cron{Name: "job", Schedule: parsed(t, text, "UTC"), CatchUp: CatchUpLast, Attempts: 1}.For(plugin)
			r := tm.New(epoch)
			again := Cron{Name: "job", Schedule: parsed(t, text, "UTC")}.For(plugin)
			if at := tm.At(&r); at != again.At(&r) || at.Sub(tm.Due(&r)) >= maxSplay {
				t.Errorf("%s of %s: %s and %s for %s", text, plugin, at, again.At(&r), tm.Due(&r))
			}
			begins[tm.At(&r).Sub(epoch)%maxSplay] = true
		}
	}
	if len(begins) < 8 {
		t.Errorf("12 schedules begin at %d times", len(begins))
	}
}

// TestNothingTwice does random steps: runs that end, fail and are killed, restarts after
// a while, clocks that are set, and versions with the same schedule and another. No time
// of a schedule is done twice, all are in order, and what was done is counted.
func TestNothingTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := []string{"@every 1m", "@every 7s", "*/5 * * * *", "30 2 * * *", "* 1-3 * * *"}
		catch := rapid.SampledFrom([]CatchUp{CatchUpNone, CatchUpLast, CatchUpAll}).Draw(t, "catch up")
		make := func(text string) Timer {
			return timer(t, text, rapid.SampledFrom([]string{"Europe/Berlin", "UTC"}).Draw(t, "zone"), catch, 2)
		}
		w := newWorld(t, make(rapid.SampledFrom(texts).Draw(t, "schedule")))
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0: // a restart
				w.now = w.now.Add(time.Duration(rapid.IntRange(0, 100_000).Draw(t, "down")) * time.Second)
			case 1: // the clock is set
				w.now = w.now.Add(time.Duration(rapid.IntRange(-3500, 90_000).Draw(t, "set")) * time.Second)
				if r := w.record(t); r.Settled > w.now.Add(maxBack).UnixMilli() {
					w.now = time.UnixMilli(r.Settled).Add(-maxBack) // by more it would begin anew
				}
			case 2: // another version with another schedule: its times are others
				w.timer, w.done = make(rapid.SampledFrom(texts).Draw(t, "schedule")), nil
				r := w.record(t)
				r.Counts.Done = 0
				w.commit(t, &r)
			case 3: // another version with the same
				w.timer = Cron{Name: "job", Schedule: parsed(t, w.timer.Schedule.Text, w.timer.Schedule.Zone), CatchUp: catch, Attempts: 2}.For("plugin")
			case 4:
				w.step(t, time.Second, "", true)
			case 5:
				w.step(t, time.Second, "it failed", false)
			default:
				w.step(t, time.Duration(rapid.IntRange(0, 400).Draw(t, "takes"))*time.Second, "", false)
			}
			for i := 1; i < len(w.done); i++ {
				if !w.done[i].After(w.done[i-1]) {
					t.Fatalf("%s came after %s", w.done[i], w.done[i-1])
				}
			}
			if r := w.record(t); r.Counts.Done != uint64(len(w.done)) {
				t.Fatalf("%d runs are counted, there were %d", r.Counts.Done, len(w.done))
			}
			for _, due := range w.done { // it is one of the schedule's
				if at := w.timer.Schedule.next(due.Add(-time.Second), w.timer.seed); !at.Equal(due) {
					t.Fatalf("%s is none of the schedule's times: %s is", due, at)
				}
			}
		}
	})
}
