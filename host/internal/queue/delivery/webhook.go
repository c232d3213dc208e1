package delivery

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	capqueue "github.com/wasmoor/wasmoor/host/internal/capability/queue"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

// perReceiver is which part of the webhooks that are sent at a time may go to one
// receiver: one that is slow keeps no other waiting.
const perReceiver = 4

// post sends a webhook once. Nothing of it is in another commit: a server that is killed
// before it has recorded the answer sends it again, with the same id.
func (d *desk) post(q *capqueue.Declared, id queue.ID, m *queue.Message) (verdict, error) {
	w, err := queue.ReadWebhook(m.Body)
	if err != nil { // it would stay for ever
		v := verdict{kind: dead, problem: fault.MessageOf(err)}
		return v, d.record(q, id, v)
	}
	leave, ok := d.meet(q, receiver(w.URL))
	if !ok {
		return verdict{kind: refused, delay: d.busy(q)}, nil
	}
	defer leave()
	out := d.service.cfg.Send(d.service.Handling, d.plugin, "msg_"+m.Public(id), &w)
	if d.service.Handling.Err() != nil && out.Err != nil {
		return verdict{kind: refused}, nil // the server stops
	}
	v := sent(&q.Queue, m, out, d.service.cfg.Clock())
	return v, d.record(q, id, v)
}

// receiver returns what stands before the path of a URL.
func receiver(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return strings.ToLower(scheme + "://" + rest)
}

// meet reports whether one more webhook may be sent to a receiver now; then leave must
// be called.
func (d *desk) meet(q *capqueue.Declared, who string) (leave func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.receivers[who] >= max(1, q.Concurrency/perReceiver) {
		return nil, false
	}
	d.receivers[who]++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.receivers[who]--; d.receivers[who] == 0 {
			delete(d.receivers, who)
		}
	}, true
}

// busy is how long a webhook waits whose receiver has its part: the more wait the longer,
// so that looking at them costs the same however many there are.
func (d *desk) busy(q *capqueue.Declared) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	all, _ := d.line(q.Name).Len()
	return rand.N(time.Duration(1+all/q.Concurrency) * 100 * time.Millisecond)
}

// sent returns what becomes of a webhook whose sending came to out at now. A receiver that is gone says so with 410;
// any other answer but 2xx may be another one next time.
func sent(q *queue.Queue, m *queue.Message, out trigger.Outcome, now time.Time) (v verdict) {
	switch code := fault.CodeOf(out.Err); {
	case code == fault.Unavailable || code == fault.NotFound:
		return verdict{kind: refused}
	case code == fault.Denied:
		return verdict{kind: dead, problem: fault.MessageOf(out.Err)}
	case code != "":
		v = verdict{kind: again, problem: fault.MessageOf(out.Err)}
	case out.Status/100 == 2:
		return verdict{kind: done}
	case out.Status == http.StatusGone:
		return verdict{kind: dead, problem: "the receiver answered 410: it takes no webhooks any more"}
	default:
		v = verdict{kind: again, problem: fmt.Sprintf("the receiver answered %d", out.Status)}
	}
	return v.retried(q, m, out.RetryAfter, now)
}
