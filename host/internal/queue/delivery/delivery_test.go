package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	capqueue "github.com/wasmoor/wasmoor/host/internal/capability/queue"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

const space store.Space = 17

// bench is a service on a real store, whose messages a function handles.
type bench struct {
	testing.TB
	store   *quotas
	service *Service
	serving deploy.Installed
	others  []deploy.Installed // that serve too

	mu      sync.Mutex
	answer  func(body string, attempt int) trigger.Outcome // of a handler, nil = 200
	handled []string                                       // in the order in which they were committed
	sending func(context.Context, string, string, *queue.Webhook) trigger.Outcome
}

func newBench(t *testing.T, table string) *bench {
	t.Helper()
	opened, err := badger.Open(badger.Config{Dir: t.TempDir(), MinFree: -1, Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	s := &quotas{Store: opened}
	b := &bench{TB: t, store: s}
	b.declare(table)
	b.start()
	t.Cleanup(func() {
		_ = b.service.Close(context.Background())
		_ = s.Close()
	})
	return b
}

func (b *bench) declare(table string) {
	b.Helper()
	m, err := manifest.Parse([]byte("manifest_version = 1\nname = \"p\"\n"+table), "wasmoor.toml", []manifest.Section{section()})
	if err != nil {
		b.Fatal(err)
	}
	b.mu.Lock()
	b.serving = deploy.Installed{Name: "p", Space: space, Manifest: m}
	b.mu.Unlock()
}

func (b *bench) start() {
	b.service = New(Config{
		Store: b.store, Run: b.run, Send: b.sendWebhook, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
		Serving: func() []deploy.Installed {
			b.mu.Lock()
			defer b.mu.Unlock()
			return append([]deploy.Installed{b.serving}, b.others...)
		},
	})
	b.service.Start()
}

func (b *bench) sendWebhook(ctx context.Context, plugin, id string, w *queue.Webhook) trigger.Outcome {
	b.mu.Lock()
	send := b.sending
	b.mu.Unlock()
	return send(ctx, plugin, id, w)
}

// run is what dispatch does with a handler that writes nothing.
func (b *bench) run(_ context.Context, r *trigger.Request) trigger.Outcome {
	out := trigger.Outcome{Status: http.StatusOK}
	b.mu.Lock()
	answer := b.answer
	b.mu.Unlock()
	if answer != nil {
		attempt := 0
		for _, a := range r.Attributes {
			if a.Name == "queue.attempt" {
				_, _ = fmt.Sscan(a.Value, &attempt)
			}
		}
		out = answer(string(r.Body), attempt)
	}
	if out.Err != nil {
		return out
	}
	snap, err := b.store.Snapshot()
	if err != nil {
		return trigger.Outcome{Err: err}
	}
	of := space
	if r.Plugin != "p" {
		of++
	}
	tx := store.Begin(snap, of, store.Quota{}, time.Now())
	defer tx.Close()
	if err := r.Claim.Check(tx); err != nil {
		return trigger.Outcome{Err: err}
	}
	if out.Status >= 500 {
		return out
	}
	commit, err := r.Claim.Settle(tx, out.Status)
	if err != nil || !commit {
		return trigger.Outcome{Status: out.Status, Err: err}
	}
	if _, err := b.store.Commit(context.Background(), tx.Effects()); err != nil {
		return trigger.Outcome{Err: err}
	}
	b.mu.Lock()
	b.handled = append(b.handled, string(r.Body))
	b.mu.Unlock()
	out.Committed = true
	return out
}

// send commits messages of a queue, each a key, a space and its body.
func (b *bench) send(of string, texts ...string) {
	b.Helper()
	b.sendTo(space, of, texts...)
}

func (b *bench) sendTo(space store.Space, of string, texts ...string) {
	b.Helper()
	snap, err := b.store.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	tx := store.Begin(snap, space, store.Quota{}, time.Now())
	defer tx.Close()
	for i, text := range texts {
		key, body, _ := strings.Cut(text, " ")
		m := queue.Message{Queue: of, Key: key, Sent: time.Now().UnixMilli(), Body: []byte(body)}
		if _, err := queue.Send(queue.Part(tx, space), uint16(i), &m, "", time.Hour); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := b.store.Commit(context.Background(), tx.Effects()); err != nil {
		b.Fatal(err)
	}
}

// pause does what an operator does with the queue q.
func (b *bench) pause(paused bool) {
	b.Helper()
	snap, err := b.store.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	tx := store.Begin(snap, space, store.Quota{}, time.Now())
	defer tx.Close()
	if _, err := queue.Pause(queue.Part(tx, space), "q", paused); err != nil {
		b.Fatal(err)
	}
	if _, err := b.store.Commit(context.Background(), tx.Effects()); err != nil {
		b.Fatal(err)
	}
	b.service.Changed(space, nil, nil)
}

// until waits for something that is about to be so.
func (b *bench) until(what string, is func() bool) {
	b.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("never: %s; %+v", what, b.service.Stats())
		}
	}
}

func (b *bench) empty() bool {
	left := 0
	for _, s := range b.service.Of(space) {
		left += s.Waiting + s.Handling
	}
	return left == 0 && b.count(false) == 0
}

// count returns how many messages the store has, or dead letters.
func (b *bench) count(dead bool) (n int) {
	b.Helper()
	snap, err := b.store.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	defer snap.Release()
	yield := func(queue.ID, *queue.Message) bool { n++; return true }
	if dead {
		err = queue.Dead(snap, space, "q", queue.ID{}, time.Now(), yield)
	} else {
		err = queue.Scan(snap, space, queue.ID{}, yield)
	}
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func (b *bench) done() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.handled)
}

func (b *bench) answers(f func(body string, attempt int) trigger.Outcome) {
	b.mu.Lock()
	b.answer = f
	b.mu.Unlock()
}

func section() manifest.Section {
	u := capqueue.Unit()
	return manifest.Section{Name: u.Name, Keys: u.Keys, Named: u.Named, Read: u.Read}
}

const table = "[queue.q]\nrequest = \"POST /q\"\nattempts = 3\nbackoff = \"1ms..2ms\"\n"

func TestDelivers(t *testing.T) {
	b := newBench(t, table)
	b.send("q", " a", " b", " c")
	b.until("all are handled", b.empty)
	got := b.done()
	slices.Sort(got)
	if fmt.Sprint(got) != "[a b c]" {
		t.Errorf("handled %v", got)
	}
}

// Messages of a key are handled in order over retries and dead letters, while others
// go on.
func TestOrder(t *testing.T) {
	b := newBench(t, table)
	b.answers(func(body string, attempt int) trigger.Outcome {
		switch {
		case body == "poison":
			return trigger.Outcome{Status: http.StatusInternalServerError}
		case body == "flaky" && attempt < 3:
			return trigger.Outcome{Err: fault.New(fault.Trap, "test", "it trapped")}
		case body == "busy" && attempt < 2:
			return trigger.Outcome{Status: http.StatusTooManyRequests, RetryAfter: "0"}
		case body == "refused":
			return trigger.Outcome{Status: http.StatusUnprocessableEntity}
		}
		return trigger.Outcome{Status: http.StatusNoContent}
	})
	b.send("q", "k poison", "k 1", "k flaky", "k refused", "k busy", "k 2")
	b.until("all are settled", b.empty)
	if got := fmt.Sprint(b.done()); got != "[1 flaky refused busy 2]" {
		t.Errorf("committed %v", got)
	}
	if n := b.count(true); n != 2 {
		t.Errorf("%d dead letters, want the poison and the refused", n)
	}
	s := b.service.Of(space)[0]
	if s.Counts != (Counts{Handled: 4, Failed: 7, Dead: 2}) {
		t.Errorf("%+v", s.Counts)
	}
}

// What is no attempt is tried again for ever, and counts apart.
func TestNoAttempts(t *testing.T) {
	b := newBench(t, table)
	var runs sync.Map
	b.answers(func(body string, attempt int) trigger.Outcome {
		n, _ := runs.LoadOrStore(body, new(int))
		b.mu.Lock()
		*n.(*int)++
		now := *n.(*int)
		b.mu.Unlock()
		if attempt != 1 {
			t.Errorf("attempt %d", attempt)
		}
		if now > 5 {
			return trigger.Outcome{Status: http.StatusOK}
		}
		return trigger.Outcome{Err: fault.New(map[string]fault.Code{"c": fault.Conflict, "u": fault.Unavailable}[body], "test", "not now")}
	})
	b.send("q", " c", " u")
	b.until("both are handled", b.empty)
	if c := b.service.Of(space)[0].Counts; c != (Counts{Handled: 2, Conflicts: 5, Refused: 5}) {
		t.Errorf("%+v", c)
	}
}

// A queue that is paused, whose plugin is, or that no version has, keeps its messages,
// and so does a restart; then they are handled once.
func TestWaits(t *testing.T) {
	b := newBench(t, table)
	b.pause(true)
	b.until("it is paused", func() bool { return b.service.Of(space)[0].Paused })
	b.send("q", " a")
	b.until("it waits", func() bool { return b.service.Of(space)[0].Waiting == 1 })
	if err := b.service.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.until("it waits after a restart", func() bool { return len(b.service.Of(space)) > 0 && b.service.Of(space)[0].Waiting == 1 })

	b.mu.Lock()
	b.serving.Paused = true
	b.mu.Unlock()
	b.service.Refresh()
	b.pause(false)
	b.declare("[queue.other]\nrequest = \"POST /q\"\n")
	b.service.Refresh()
	b.send("q", " b")
	b.until("both wait", func() bool {
		return slices.ContainsFunc(b.service.Of(space), func(s Stats) bool { return s.Queue == "q" && !s.Declared && s.Waiting == 2 })
	})
	if len(b.done()) > 0 {
		t.Errorf("handled %v", b.done())
	}
	b.declare(table)
	b.service.Refresh()
	b.until("both are handled", b.empty)
	if got := b.done(); len(got) != 2 {
		t.Errorf("handled %v", got)
	}
}

// A pause that comes while the messages are read holds too.
func TestPausedWhileRead(t *testing.T) {
	b := newBench(t, table)
	b.send("q", " a")
	b.until("it is handled", b.empty)
	pause := func() { b.pause(true) }
	b.store.late.Store(&pause)
	b.service.Changed(space, nil, nil)
	b.until("it is paused", func() bool { return b.service.Of(space)[0].Paused })
}

// A message that is taken back while it is handled is not handled, and nothing of its
// handler stays.
func TestTakenBack(t *testing.T) {
	b := newBench(t, table)
	begun, goOn := make(chan struct{}), make(chan struct{})
	b.answers(func(string, int) trigger.Outcome {
		begun <- struct{}{}
		<-goOn
		return trigger.Outcome{Status: http.StatusOK}
	})
	b.send("q", " a")
	<-begun
	snap, err := b.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var id queue.ID
	_ = queue.Scan(snap, space, queue.ID{}, func(found queue.ID, _ *queue.Message) bool { id = found; return false })
	tx := store.Begin(snap, space, store.Quota{}, time.Now())
	_ = queue.Done(queue.Part(tx, space), id)
	if _, err := b.store.Commit(context.Background(), tx.Effects()); err != nil {
		t.Fatal(err)
	}
	tx.Close()
	close(goOn)
	b.until("it is forgotten", b.empty)
	if got := b.done(); len(got) > 0 {
		t.Errorf("handled %v", got)
	}
}

// A message of an at-most-once queue that was begun before a kill is a dead letter.
func TestAtMostOnce(t *testing.T) {
	b := newBench(t, table+"external = \"at-most-once\"\n")
	begun := make(chan struct{})
	hang := make(chan struct{})
	b.answers(func(string, int) trigger.Outcome {
		begun <- struct{}{}
		<-hang
		return trigger.Outcome{Err: fault.New(fault.Deadline, "test", "cut off")}
	})
	b.send("q", " a")
	<-begun
	killed := b.service // as if its process were gone: it settles nothing
	killed.Cancel()
	b.answers(nil)
	b.start()
	b.until("it is a dead letter", func() bool { return b.count(true) == 1 && b.count(false) == 0 })
	close(hang)
	_ = killed.Close(context.Background())
	if got := b.done(); len(got) > 0 {
		t.Errorf("handled %v", got)
	}
}

// A plugin that is deleted keeps its messages, and one that is purged has none any
// more, whatever was being handled.
func TestGonePlugin(t *testing.T) {
	b := newBench(t, table)
	begun, goOn := make(chan struct{}, 1), make(chan struct{})
	b.answers(func(string, int) trigger.Outcome {
		begun <- struct{}{}
		<-goOn
		return trigger.Outcome{Status: http.StatusOK}
	})
	b.send("q", " a")
	<-begun
	b.mu.Lock()
	kept := b.serving
	b.serving = deploy.Installed{Name: "other", Space: 99, Manifest: kept.Manifest}
	b.mu.Unlock()
	b.service.Refresh()
	if left := b.service.Of(space); left != nil {
		t.Errorf("a deleted plugin has %+v", left)
	}
	close(goOn) // what had begun goes on
	b.until("it is handled", func() bool { return len(b.done()) == 1 })
	b.send("q", " b")
	b.mu.Lock()
	b.serving = kept
	b.mu.Unlock()
	b.service.Refresh()
	b.until("it is back, and so is its message", func() bool { return len(b.done()) == 2 })

	b.answers(func(string, int) trigger.Outcome {
		if err := b.store.Drop(context.Background(), space); err != nil {
			t.Error(err)
		}
		return trigger.Outcome{Status: http.StatusOK}
	})
	b.send("q", " c")
	b.until("it is purged", func() bool {
		return len(b.service.Of(space)) > 0 && b.service.Of(space)[0].Waiting+b.service.Of(space)[0].Handling == 0 || b.count(false) == 0
	})
	if got := fmt.Sprint(b.done()); got != "[a b]" {
		t.Errorf("handled %s", got)
	}
}

// A plugin that is deleted and deployed again while a message is handled has it handled
// once: the messages wait for the handlers from before.
func TestDeployedAgainWhileHandled(t *testing.T) {
	for _, external := range []string{"", "external = \"at-most-once\"\n"} {
		b := newBench(t, table+external)
		var runs atomic.Int64
		begun, goOn := make(chan struct{}), make(chan struct{})
		b.answers(func(body string, _ int) trigger.Outcome {
			if body == "a" {
				runs.Add(1)
				begun <- struct{}{}
				<-goOn
			}
			return trigger.Outcome{Status: http.StatusOK}
		})
		b.send("q", " a")
		<-begun
		b.mu.Lock()
		kept := b.serving
		b.mu.Unlock()
		for range 3 { // also over one that never came to its turn
			for _, now := range []deploy.Installed{{Name: "other", Space: 99, Manifest: kept.Manifest}, kept} {
				b.mu.Lock()
				b.serving = now
				b.mu.Unlock()
				b.service.Refresh()
			}
		}
		select {
		case <-begun:
			t.Error("it is handled a second time meanwhile")
		case <-time.After(100 * time.Millisecond):
		}
		b.send("q", " b")
		close(goOn)
		b.until("both are handled", func() bool { return len(b.done()) == 2 && b.empty() })
		if n, got, dead := runs.Load(), fmt.Sprint(b.done()), b.count(true); n != 1 || got != "[a b]" || dead != 0 {
			t.Errorf("%s: the handler ran %d times, %s are handled, %d are dead letters", external, n, got, dead)
		}
	}
}

// BenchmarkDelivery is messages that are sent 50 at a time and handled by a handler
// that writes nothing, durable on the disk of the machine: how long one takes must not
// depend on how many have gone before it.
func BenchmarkDelivery(b *testing.B) {
	s, err := badger.Open(badger.Config{Dir: b.TempDir(), MinFree: -1, Reserve: -1})
	if err != nil {
		b.Fatal(err)
	}
	t := &bench{TB: b, store: &quotas{Store: s}}
	t.declare("[queue.q]\nrequest = \"POST /q\"\nconcurrency = 64\n[limits]\nconcurrency = 512\n")
	t.start()
	defer func() {
		_ = t.service.Close(context.Background())
		_ = s.Close()
	}()
	texts := slices.Repeat([]string{" body"}, 50)
	for range b.N/len(texts) + 1 {
		t.send("q", texts...)
		for waits := 1000; waits > 500; time.Sleep(100 * time.Microsecond) {
			waits = 0
			for _, q := range t.service.Stats() {
				waits += q.Waiting
			}
		}
	}
	t.until("all are handled", t.empty)
}
