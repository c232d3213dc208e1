package ticking

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	capcron "github.com/wasmoor/wasmoor/host/internal/capability/cron"
	"github.com/wasmoor/wasmoor/host/internal/cron"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

const space store.Space = 7

// server is a Service over a store, with a clock that tests set, and handlers that add
// one to the counter of their schedule.
type server struct {
	t       *testing.T
	store   *badger.Store
	service *Service

	mu      sync.Mutex
	now     time.Time
	serving []deploy.Installed
	handler func(name string) (status int, err error) // before its commit
	seen    []string                                  // what handlers were told
}

var morning = time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)

func newServer(t *testing.T) *server {
	s := &server{t: t, now: morning, handler: func(string) (int, error) { return 200, nil }}
	var err error
	if s.store, err = badger.Open(badger.Config{Dir: t.TempDir(), Clock: s.clock, MinFree: -1, Reserve: -1, ScrubEvery: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.service.Close(context.Background()), s.store.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// start starts the server, again if it has run: what went on is cut off.
func (s *server) start() {
	s.t.Helper()
	if err := s.service.Close(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	s.service = New(Config{Store: s.store, Serving: s.installed, Run: s.run, Clock: s.clock, Log: slog.New(slog.DiscardHandler)})
	s.service.Start()
}

func (s *server) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *server) installed() []deploy.Installed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.serving)
}

// deploy has a version of the plugin serve, nil = none.
func (s *server) deploy(m *manifest.Manifest, paused bool) {
	s.mu.Lock()
	s.serving = nil
	if m != nil {
		s.serving = []deploy.Installed{{Name: "jobs", Space: space, Manifest: m, Paused: paused}}
	}
	s.mu.Unlock()
	s.service.Refresh()
}

// set moves the clock.
func (s *server) set(by time.Duration) {
	s.mu.Lock()
	s.now = s.now.Add(by)
	s.mu.Unlock()
	s.service.Refresh()
}

func (s *server) handles(handler func(name string) (int, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = handler
}

// run is what package dispatch does with a request.
func (s *server) run(ctx context.Context, q *trigger.Request) (out trigger.Outcome) {
	if _, ok := q.To(s.installed()[0].Manifest); !ok {
		return trigger.Outcome{Err: fault.New(fault.NotFound, "", "no such schedule")}
	}
	s.mu.Lock()
	var told []string
	for _, a := range q.Attributes {
		told = append(told, a.Name+"="+a.Value)
	}
	s.seen = append(s.seen, q.Trigger+" "+strings.Join(told, " "))
	s.mu.Unlock()
	name := q.Attributes[0].Value
	for {
		snap, err := s.store.Snapshot()
		if err != nil {
			return trigger.Outcome{Err: err}
		}
		out, err = s.attempt(ctx, store.Begin(snap, space, store.Quota{}, s.clock()), q, name)
		if fault.CodeOf(err) != fault.Conflict {
			out.Err = err
			return out
		}
	}
}

func (s *server) attempt(ctx context.Context, tx *store.Tx, q *trigger.Request, name string) (out trigger.Outcome, err error) {
	defer tx.Close()
	if err := q.Claim.Check(tx); err != nil {
		return out, err
	}
	s.mu.Lock()
	handler := s.handler
	s.mu.Unlock()
	if out.Status, err = handler(name); err != nil {
		return trigger.Outcome{}, err
	}
	if ctx.Err() != nil {
		return trigger.Outcome{}, fault.Wrap(fault.Unavailable, "", "the server stops", ctx.Err())
	}
	if err := tx.Add([]byte(name), 1); err != nil {
		return out, err
	}
	if commit, err := q.Claim.Settle(tx, out.Status); err != nil || !commit {
		return out, err
	}
	_, err = s.store.Commit(context.Background(), tx.Effects())
	out.Committed = err == nil
	return out, err
}

// counter returns how many runs have committed.
func (s *server) counter(name string) (n int64) {
	s.t.Helper()
	snap, err := s.store.Snapshot()
	if err != nil {
		s.t.Fatal(err)
	}
	defer snap.Release()
	if v, ok, err := snap.Get(space, []byte(name)); err != nil {
		s.t.Fatal(err)
	} else if ok {
		n, _ = store.CounterOf(v.Data)
	}
	return n
}

// stats waits until a schedule is as it should be.
func (s *server) stats(name string, want func(*Stats) bool) Stats {
	s.t.Helper()
	var got Stats
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		for _, got = range s.service.Of("jobs") {
			if got.Name == name && want(&got) {
				return got
			}
		}
	}
	s.t.Fatalf("schedule %s is %+v", name, got)
	return got
}

// settled waits until so many runs of a schedule are recorded, and nothing is due.
func (s *server) settled(name string, done, failed, skipped uint64) Stats {
	s.t.Helper()
	want := cron.Counts{Done: done, Failed: failed, Skipped: skipped}
	return s.stats(name, func(o *Stats) bool { return o.Record.Counts == want && !o.Running && o.At.After(s.clock()) })
}

func crons(t *testing.T, tables ...string) *manifest.Manifest {
	t.Helper()
	text := "manifest_version = 1\nname = \"jobs\"\n"
	for _, table := range tables {
		text += "[[cron]]\n" + strings.ReplaceAll(table, "; ", "\n") + "\n"
	}
	m, err := manifest.Parse([]byte(text), "f.toml", capability.List{capcron.Unit()}.Sections())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const hourly = `schedule = "0 * * * *"; request = "POST /tasks/tidy"`

// TestTicks: what the handler is told, and what is recorded with what it writes.
func TestTicks(t *testing.T) {
	s := newServer(t)
	s.start()
	s.deploy(crons(t, hourly), false)
	s.settled("tasks-tidy", 0, 0, 0)
	s.set(time.Hour + time.Minute)
	got := s.settled("tasks-tidy", 1, 0, 0)
	due := morning.Add(time.Hour).UnixMilli()
	if n := s.counter("tasks-tidy"); n != 1 {
		t.Errorf("%d runs have committed", n)
	}
	want := fmt.Sprintf("%s cron.name=tasks-tidy cron.id=tasks-tidy-%d cron.due=%d cron.attempt=1", abi.TriggerCron, due, due)
	if len(s.seen) != 1 || s.seen[0] != want {
		t.Errorf("the handler was told %q, want %q", s.seen, want)
	}
	run := got.Record.Runs[0]
	if run.Due != due || run.Began != s.clock().UnixMilli() || run.Outcome != cron.Done || run.Status != 200 {
		t.Errorf("history: %+v", run)
	}
	if late := got.LateAll; got.Late != 0 || late > time.Minute || late < 50*time.Second {
		t.Errorf("it began %s late", late)
	}
}

// TestKilledAndRestarted: a run that was cut off before its commit comes again after the
// restart, and one that has committed does not, whatever else is lost.
func TestKilledAndRestarted(t *testing.T) {
	s := newServer(t)
	s.start()
	s.deploy(crons(t, hourly), false)
	s.settled("tasks-tidy", 0, 0, 0)
	began := make(chan struct{})
	s.handles(func(string) (int, error) {
		began <- struct{}{}
		<-s.service.Handling.Done()
		return 200, nil
	})
	s.set(time.Hour + time.Minute)
	<-began
	s.service.Cancel()
	s.handles(func(string) (int, error) { return 200, nil })
	s.start()
	s.settled("tasks-tidy", 1, 0, 0)
	for range 3 {
		s.start()
		s.settled("tasks-tidy", 1, 0, 0)
	}
	if n := s.counter("tasks-tidy"); n != 1 {
		t.Errorf("%d runs have committed", n)
	}
}

// TestFailures: a failed run has no effects, comes again as attempts says, and is over
// then; the schedule goes on.
func TestFailures(t *testing.T) {
	s := newServer(t)
	s.start()
	s.deploy(crons(t, hourly+"; attempts = 2", `schedule = "0 * * * *"; request = "POST /other"`), false)
	s.settled("tasks-tidy", 0, 0, 0)
	s.settled("other", 0, 0, 0)
	s.handles(func(name string) (int, error) {
		if name == "other" {
			return 0, fault.New(fault.Trap, "", "the guest failed")
		}
		return 503, nil
	})
	s.set(time.Hour + time.Minute)
	s.settled("other", 0, 1, 0)
	s.settled("tasks-tidy", 0, 1, 0) // the second attempt is a second away
	s.set(time.Minute)
	got := s.settled("tasks-tidy", 0, 2, 0)
	if p := got.Record.Runs[1]; p.Problem != "the handler answered 503" || p.Attempt != 2 {
		t.Errorf("history: %+v", p)
	}
	if s.counter("tasks-tidy")+s.counter("other") != 0 {
		t.Error("a failed run has effects")
	}
	s.handles(func(string) (int, error) { return 204, nil })
	s.set(time.Hour)
	s.settled("tasks-tidy", 1, 2, 0)
	s.settled("other", 1, 1, 0)
}

// TestLongRunDelaysNoOther: nor does it come twice at a time.
func TestLongRunDelaysNoOther(t *testing.T) {
	s := newServer(t)
	s.start()
	m := crons(t, hourly, `schedule = "0 * * * *"; request = "POST /other"`)
	s.deploy(m, false)
	s.settled("tasks-tidy", 0, 0, 0)
	s.settled("other", 0, 0, 0)
	hold := make(chan struct{})
	s.handles(func(name string) (int, error) {
		if name == "tasks-tidy" {
			<-hold
		}
		return 200, nil
	})
	for n := range uint64(3) {
		s.set(time.Hour + time.Minute/2)
		s.settled("other", n+1, 0, 0)
		s.deploy(m, false) // a hot swap
	}
	if _, err := s.service.Fire(t.Context(), space, "tasks-tidy"); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a second run beside the first: %v", err)
	}
	close(hold)
	s.settled("tasks-tidy", 1, 0, 2)
	if n := s.counter("tasks-tidy"); n != 1 {
		t.Errorf("%d runs have committed", n)
	}
}

// TestPauseAndLeave: while a plugin is paused, deleted or of a version without the
// schedule nothing runs, and then what was missed is made up for as catch_up says.
func TestPauseAndLeave(t *testing.T) {
	s := newServer(t)
	s.start()
	m := crons(t, hourly+`; catch_up = "all"`)
	s.deploy(m, false)
	s.settled("tasks-tidy", 0, 0, 0)
	s.deploy(m, true)
	s.stats("tasks-tidy", func(o *Stats) bool { return o.Paused })
	s.set(3*time.Hour + time.Minute)
	if got := s.service.Of("jobs"); got[0].Record.Counts != (cron.Counts{}) || got[0].Late != 0 {
		t.Errorf("a paused schedule: %+v", got[0])
	}
	s.deploy(m, false)
	s.settled("tasks-tidy", 3, 0, 0)

	s.deploy(nil, false) // deleted, and back: as if it had been paused
	s.set(2 * time.Hour)
	s.deploy(m, false)
	s.settled("tasks-tidy", 5, 0, 0)

	s.deploy(crons(t), false) // a version without it: the next one that has it begins anew
	for end := time.Now().Add(30 * time.Second); len(s.record()) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the record stays")
		}
	}
	s.set(5 * time.Hour)
	s.deploy(m, false)
	s.settled("tasks-tidy", 0, 0, 0)
	if n := s.counter("tasks-tidy"); n != 5 {
		t.Errorf("%d runs have committed", n)
	}
}

func (s *server) record() []byte {
	s.t.Helper()
	snap, err := s.store.Snapshot()
	if err != nil {
		s.t.Fatal(err)
	}
	defer snap.Release()
	v, _, err := snap.Get(space.In(store.AreaCron), []byte("tasks-tidy"))
	if err != nil {
		s.t.Fatal(err)
	}
	return v.Data
}

// TestNoPlace: a run that finds no place is no attempt, and comes as soon as there is
// one.
func TestNoPlace(t *testing.T) {
	s := newServer(t)
	s.start()
	s.deploy(crons(t, hourly), false)
	s.settled("tasks-tidy", 0, 0, 0)
	s.handles(func(string) (int, error) { return 0, fault.New(fault.Unavailable, "", "the plugin is busy") })
	s.set(time.Hour + time.Minute)
	s.stats("tasks-tidy", func(o *Stats) bool { return o.Refused >= 2 })
	s.handles(func(string) (int, error) { return 200, nil })
	s.settled("tasks-tidy", 1, 0, 0)
}

// TestFire: a run that an operator asks for is in the history, and leaves the schedule
// as it was.
func TestFire(t *testing.T) {
	s := newServer(t)
	s.start()
	s.deploy(crons(t, hourly), false)
	at := s.settled("tasks-tidy", 0, 0, 0).At
	run, err := s.service.Fire(t.Context(), space, "tasks-tidy")
	if err != nil || run.Outcome != cron.Done || !run.Manual {
		t.Fatalf("Fire: %+v, %v", run, err)
	}
	s.handles(func(string) (int, error) { return 500, nil })
	if run, err = s.service.Fire(t.Context(), space, "tasks-tidy"); err != nil || run.Outcome != cron.Failed || run.Status != 500 {
		t.Fatalf("Fire: %+v, %v", run, err)
	}
	got := s.settled("tasks-tidy", 1, 1, 0)
	if !got.At.Equal(at) || len(got.Record.Runs) != 2 || s.counter("tasks-tidy") != 1 {
		t.Errorf("after it: %+v", got)
	}
	if _, err := s.service.Fire(t.Context(), space, "none"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("of a schedule that is not there: %v", err)
	}
}
