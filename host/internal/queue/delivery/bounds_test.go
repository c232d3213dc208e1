package delivery

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

// quotas is a store whose spaces may be full.
type quotas struct {
	store.Store
	full atomic.Bool
	late atomic.Pointer[func()] // called once, after the next snapshot is taken
}

func (q *quotas) Snapshot() (store.Snapshot, error) {
	snap, err := q.Store.Snapshot()
	if late := q.late.Swap(nil); late != nil {
		(*late)()
	}
	return snap, err
}

// Commit has room for no byte more, where the commit is held to a quota.
func (q *quotas) Commit(ctx context.Context, e *store.Effects) (store.Revision, error) {
	if q.full.Load() {
		for i := range e.Parts {
			if e.Parts[i].Quota.Bytes > 0 {
				e.Parts[i].Quota.Bytes = 1
			}
		}
	}
	return q.Store.Commit(ctx, e)
}

// In queues that are full, what fails still counts its attempts and becomes a dead
// letter, though that takes a few bytes more: else it would be handled for ever.
func TestDiesWhereItIsFull(t *testing.T) {
	b := newBench(t, table)
	var runs, refusals atomic.Int64
	begun, goOn := make(chan struct{}), make(chan struct{})
	b.answers(func(body string, _ int) trigger.Outcome {
		if runs.Add(1) <= 2 {
			begun <- struct{}{}
			<-goOn
		}
		if body == "refused" {
			refusals.Add(1)
			return trigger.Outcome{Status: http.StatusUnprocessableEntity}
		}
		return trigger.Outcome{Status: http.StatusInternalServerError}
	})
	b.send("q", " refused", " poison")
	<-begun
	<-begun
	b.store.full.Store(true)
	close(goOn)
	b.until("both are dead letters", func() bool { return b.count(true) == 2 && b.empty() })
	if n := runs.Load(); n > 6 {
		t.Errorf("two messages of three attempts ran %d times", n)
	}
	if n := refusals.Load(); n != 1 {
		t.Errorf("what the handler refused ran %d times: another attempt changes nothing", n)
	}
}

// An id drops messages for as long as they are kept, and not beyond.
func TestIDsAreUsedAgain(t *testing.T) {
	b := newBench(t, table)
	begin := time.Now()
	for _, c := range []struct {
		after   time.Duration
		dropped bool
	}{{0, false}, {time.Second, true}, {time.Hour - time.Second, true}, {time.Hour + time.Second, false}, {2 * time.Hour, true}, {2*time.Hour + 2*time.Second, false}} {
		snap, err := b.store.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		tx := store.Begin(snap, space, store.Quota{}, begin.Add(c.after))
		dropped, err := queue.Send(queue.Part(tx, space), 0, &queue.Message{Queue: "other"}, "order-1", time.Hour)
		if err != nil || dropped != c.dropped {
			t.Errorf("after %v: dropped %v, %v; want %v", c.after, dropped, err, c.dropped)
		}
		if _, err := b.store.Commit(t.Context(), tx.Effects()); err != nil {
			t.Fatal(err)
		}
		tx.Close()
	}
}

// A plugin all of whose handlers hang keeps no message of another waiting.
func TestNeighbours(t *testing.T) {
	b := newBench(t, table+"concurrency = 2\n")
	goOn := make(chan struct{})
	b.answers(func(body string, _ int) trigger.Outcome {
		if strings.HasPrefix(body, "hang") {
			<-goOn
		}
		return trigger.Outcome{Status: http.StatusOK}
	})
	other := b.serving
	other.Name, other.Space = "other", space+1
	b.mu.Lock()
	b.others = []deploy.Installed{other}
	b.mu.Unlock()
	b.service.Refresh()
	b.send("q", slices.Repeat([]string{" hang"}, 100)...)
	b.until("two hang", func() bool { return len(b.service.Of(space)) > 0 && b.service.Of(space)[0].Handling == 2 })
	b.sendTo(space+1, "q", " a", " b")
	b.until("the other's are handled", func() bool { return len(b.done()) == 2 })
	if s := b.service.Of(space)[0]; s.Waiting != 98 || s.Handling != 2 {
		t.Errorf("%+v", s)
	}
	close(goOn)
	b.until("all are handled", func() bool { return len(b.done()) == 102 })
}

// A message whose handler sends another never ends, and is never more than one at a
// time: other messages have their turns.
func TestSendsToItself(t *testing.T) {
	b := newBench(t, table+"concurrency = 1\n")
	var loops atomic.Int64
	var ended atomic.Bool
	b.answers(func(body string, _ int) trigger.Outcome {
		if body == "loop" && !ended.Load() {
			loops.Add(1)
			b.send("q", " loop")
		}
		return trigger.Outcome{Status: http.StatusOK}
	})
	b.send("q", " loop")
	b.until("it goes round", func() bool { return loops.Load() > 10 })
	b.send("q", " a")
	b.until("another has its turn", func() bool { return slices.Contains(b.done(), "a") })
	if n := b.count(false); n > 2 {
		t.Errorf("%d messages", n)
	}
	ended.Store(true)
	b.until("it ends", b.empty)
}

// A version without any queue keeps the messages, also over a restart, for one that has
// theirs again.
func TestNoQueueAnyMore(t *testing.T) {
	b := newBench(t, table)
	b.declare("")
	b.service.Refresh()
	b.send("q", " a")
	if err := b.service.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.start()
	if list := b.service.Of(space); list != nil {
		t.Errorf("%+v", list)
	}
	b.send("q", " b")
	if got := b.done(); len(got) > 0 || b.count(false) != 2 {
		t.Errorf("handled %v", got)
	}
	b.declare(table + "concurrency = 1\n")
	b.service.Refresh()
	b.until("both are handled", b.empty)
	if got := fmt.Sprint(b.done()); got != "[a b]" {
		t.Errorf("handled %s", got)
	}
}

// What an operator purged while it was handled leaves nothing behind.
func TestPurgedWhileHandled(t *testing.T) {
	b := newBench(t, table)
	begun, goOn := make(chan struct{}), make(chan struct{})
	b.answers(func(string, int) trigger.Outcome {
		begun <- struct{}{}
		<-goOn
		return trigger.Outcome{Status: http.StatusInternalServerError}
	})
	b.send("q", " a")
	<-begun
	snap, err := b.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	tx := store.Begin(snap, space, store.Quota{}, time.Now())
	var gone []queue.ID
	_ = queue.Scan(snap, space, queue.ID{}, func(id queue.ID, _ *queue.Message) bool { gone = append(gone, id); return true })
	_ = queue.Done(queue.Part(tx, space), gone[0])
	if _, err := b.store.Commit(context.Background(), tx.Effects()); err != nil {
		t.Fatal(err)
	}
	tx.Close()
	b.service.Changed(space, gone, nil)
	close(goOn)
	b.until("its handler has ended", func() bool {
		d := b.service.desk(space)
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.handling == 0
	})
	if l := b.service.desk(space).lines["q"]; len(l.tries)+len(l.begun) > 0 || b.count(true)+b.count(false) > 0 {
		t.Errorf("left: %+v", l)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"0":                                "0s",
		" 7 ":                              "7s",
		"4294967295":                       "24h0m0s",
		"Sun, 29 Nov 2026 12:01:00 GMT":    "1m0s",
		"Sunday, 29-Nov-26 12:01:00 GMT":   "1m0s",
		"Sun Nov 29 12:01:00 2026":         "1m0s",
		"Sun, 29 Nov 2026 11:00:00 GMT":    "0s",
		"Sun, 29 Nov 9999 11:00:00 GMT":    "24h0m0s",
		"":                                 "no",
		"-1":                               "no",
		"1.5":                              "no",
		"99999999999999999999":             "no",
		"soon":                             "no",
		"Sun, 29 Nov 2026 12:01:00 +01:00": "no",
	} {
		got := "no"
		if d, ok := retryAfter(text, now); ok {
			got = fmt.Sprint(d)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	after := now.Add(time.Minute).Format(http.TimeFormat)
	q, m := &queue.Queue{Attempts: 2, Backoff: [2]time.Duration{1, 1}}, &queue.Message{}
	if v := judge(q, m, trigger.Outcome{Status: 503, RetryAfter: after}, now); v.kind != again || v.delay != time.Minute {
		t.Errorf("%+v", v)
	}
}
