package delivery

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

// receivers is what answers webhooks, by their URLs.
type receivers struct {
	mu     sync.Mutex
	answer func(w *queue.Webhook, n int) trigger.Outcome // n-th time that the body comes
	ids    map[string][]string                           // by the body
}

func (r *receivers) send(_ context.Context, plugin, id string, w *queue.Webhook) trigger.Outcome {
	r.mu.Lock()
	body := string(w.Body)
	r.ids[body] = append(r.ids[body], id)
	n, answer := len(r.ids[body]), r.answer
	r.mu.Unlock()
	if plugin != "p" {
		return trigger.Outcome{Err: fault.New(fault.Denied, "test", "another plugin")}
	}
	return answer(w, n)
}

func (r *receivers) times(body string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ids[body])
}

const webhookTable = "[queue.webhooks]\nattempts = 3\nbackoff = \"1ms..2ms\"\n"

func newReceivers(t *testing.T, answer func(*queue.Webhook, int) trigger.Outcome) (*bench, *receivers) {
	t.Helper()
	r := &receivers{answer: answer, ids: map[string][]string{}}
	b := newBench(t, webhookTable+table)
	b.mu.Lock()
	b.sending = r.send
	b.mu.Unlock()
	return b, r
}

// webhook commits a webhook to a URL.
func (b *bench) webhook(url, body string) {
	b.Helper()
	w := queue.Webhook{URL: url, Secret: "s", Body: []byte(body)}
	b.send(queue.Webhooks, " "+string(w.Append(nil)))
}

// died returns the problems of the dead webhooks, by their bodies.
func (b *bench) died() map[string]string {
	b.Helper()
	snap, err := b.store.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	defer snap.Release()
	list := map[string]string{}
	err = queue.Dead(snap, space, queue.Webhooks, queue.ID{}, time.Now(), func(_ queue.ID, m *queue.Message) bool {
		w, err := queue.ReadWebhook(m.Body)
		list[string(w.Body)] = fmt.Sprintf("%d: %s", m.Attempts, m.Problem)
		return err == nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return list
}

// TestWebhookAnswers: each answer means for a webhook what SPEC.md says.
func TestWebhookAnswers(t *testing.T) {
	off := true
	b, r := newReceivers(t, func(w *queue.Webhook, n int) trigger.Outcome {
		switch body := string(w.Body); {
		case body == "late" && n == 1:
			return trigger.Outcome{Err: fault.New(fault.BadReply, "test", "it took too long")}
		case body == "busy" && n == 1:
			return trigger.Outcome{Status: http.StatusTooManyRequests, RetryAfter: "0"}
		case body == "moved":
			return trigger.Outcome{Status: http.StatusFound}
		case body == "refused":
			return trigger.Outcome{Status: http.StatusBadRequest}
		case body == "gone":
			return trigger.Outcome{Status: http.StatusGone}
		case body == "denied":
			return trigger.Outcome{Err: fault.New(fault.Denied, "test", "it is not granted")}
		case body == "held" && n <= 5 && off:
			return trigger.Outcome{Err: fault.New(fault.Unavailable, "test", "calls are ended")}
		}
		return trigger.Outcome{Status: http.StatusAccepted}
	})
	for _, body := range []string{"fine", "late", "busy", "moved", "refused", "gone", "denied", "held"} {
		b.webhook("https://"+body+".example/hook?secret", body)
	}
	b.until("all are settled", b.empty)
	for body, want := range map[string]int{"fine": 1, "late": 2, "busy": 2, "moved": 3, "refused": 3, "gone": 1, "denied": 1, "held": 6} {
		if got := r.times(body); got != want {
			t.Errorf("%q was sent %d times, want %d", body, got, want)
		}
		for _, id := range r.ids[body] {
			if id != r.ids[body][0] || !strings.HasPrefix(id, "msg_") {
				t.Errorf("%q has the ids %v", body, r.ids[body])
			}
		}
	}
	want := "map[denied:1: it is not granted gone:1: the receiver answered 410: it takes no webhooks any more moved:3: the receiver answered 302 refused:3: the receiver answered 400]"
	if got := fmt.Sprint(b.died()); got != want {
		t.Errorf("dead:\n%s\nwant\n%s", got, want)
	}
}

// TestWebhooksOfASlowReceiver: one receiver holds a quarter of the places, and none of
// those of messages.
func TestWebhooksOfASlowReceiver(t *testing.T) {
	let := make(chan struct{})
	var mu sync.Mutex
	slow, most := 0, 0
	b, r := newReceivers(t, func(w *queue.Webhook, _ int) trigger.Outcome {
		if strings.Contains(w.URL, "slow") {
			mu.Lock()
			slow++
			most = max(most, slow)
			mu.Unlock()
			<-let
			mu.Lock()
			slow--
			mu.Unlock()
		}
		return trigger.Outcome{Status: http.StatusOK}
	})
	defer close(let)
	for n := range 60 {
		b.webhook([]string{"https://slow.example/a", "https://SLOW.example?b"}[n%2], fmt.Sprint("slow ", n))
	}
	b.webhook("https://quick.example", "quick")
	b.send("q", " message")
	b.until("the others are done", func() bool { return r.times("quick") == 1 && len(b.done()) == 1 })
	b.until("the slow one has its part", func() bool { mu.Lock(); defer mu.Unlock(); return slow == 8 })
	mu.Lock()
	defer mu.Unlock()
	if most > 8 {
		t.Errorf("%d webhooks at a time to one receiver, want 8", most)
	}
}

// TestWebhooksAreHeld: while the calls of the plugin are ended, none is even tried, and
// messages of its queues are handled.
func TestWebhooksAreHeld(t *testing.T) {
	b, r := newReceivers(t, func(*queue.Webhook, int) trigger.Outcome { return trigger.Outcome{Status: http.StatusOK} })
	silent := func(is bool) {
		b.mu.Lock()
		b.serving.Silent = is
		b.mu.Unlock()
		b.service.Refresh()
	}
	silent(true)
	b.webhook("https://example.com", "held")
	b.send("q", " message")
	b.until("the message is handled", func() bool { return len(b.done()) == 1 })
	for _, s := range b.service.Of(space) {
		if s.Queue == queue.Webhooks && (!s.Paused || s.Waiting != 1) {
			t.Errorf("held: %+v", s)
		}
	}
	if n := r.times("held"); n != 0 {
		t.Errorf("it was sent %d times", n)
	}
	silent(false)
	b.until("it is sent", b.empty)
	if n := r.times("held"); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
}

// TestDamagedWebhook: what cannot be read stops nobody.
func TestDamagedWebhook(t *testing.T) {
	b, r := newReceivers(t, func(*queue.Webhook, int) trigger.Outcome { return trigger.Outcome{Status: http.StatusOK} })
	b.send(queue.Webhooks, " forged")
	b.webhook("https://example.com", "fine")
	b.until("the other is sent", func() bool { return r.times("fine") == 1 })
	b.until("it is a dead letter", func() bool { return len(b.died()) == 1 })
}

// TestWebhookSchedule: the attempts of the defaults take as long as MANIFEST.md says.
func TestWebhookSchedule(t *testing.T) {
	b := newBench(t, "[queue.webhooks]\n")
	b.until("it is declared", func() bool { return b.service.desk(space) != nil })
	d := b.service.desk(space)
	d.mu.Lock()
	q := d.line(queue.Webhooks).declared
	d.mu.Unlock()
	var most time.Duration
	for n := range q.Attempts - 1 {
		most += min(q.Backoff[1], q.Backoff[0]<<n)
	}
	if q.Attempts != 20 || q.Concurrency != 32 || most.Round(time.Hour) != 83*time.Hour {
		t.Errorf("%d attempts within %v, %d at a time", q.Attempts, most, q.Concurrency)
	}
}
