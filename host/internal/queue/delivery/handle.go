package delivery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	capqueue "github.com/wasmoor/wasmoor/host/internal/capability/queue"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

// handle has one message handled, and settles what becomes of it.
func (d *desk) handle(q *capqueue.Declared, id queue.ID) {
	v, err := d.deliver(q, id)
	if err != nil {
		d.service.cfg.Log.Warn("a message cannot be settled: it will be handled again, or is settled by then", "plugin", d.plugin, "queue", q.Name, "message", id.String(), "error", err)
		v = verdict{kind: refused}
	}
	if v.kind == dead {
		d.service.cfg.Log.Warn("a message is a dead letter; see it with: wasmoor queue peek --dead", "plugin", d.plugin, "queue", q.Name, "message", id.String(), "problem", v.problem)
	}
	d.settle(q.Name, id, v)
}

// deliver runs a message and has the store keep what becomes of it, unless that is in
// the commit of the handler's effects.
func (d *desk) deliver(q *capqueue.Declared, id queue.ID) (verdict, error) {
	m, ok, err := d.read(id)
	if err != nil || !ok {
		return verdict{kind: gone}, err
	}
	if q.Webhooks() {
		return d.post(q, id, &m)
	}
	if q.AtMostOnce {
		if v, err := d.begin(q, id, &m); v.kind != "" || err != nil {
			return v, err
		}
	}
	c := &claim{space: d.space, id: id, message: m, retention: q.Retention}
	out := d.service.cfg.Run(d.service.Handling, &trigger.Request{
		Plugin: d.plugin, Trigger: abi.TriggerQueue, Attributes: attributes(id, &m), Body: m.Body, Deadline: q.Deadline, Claim: c,
		To: func(m *manifest.Manifest) (manifest.Request, bool) {
			now, ok := capqueue.Of(m).Find(q.Name)
			return now.Request, ok
		},
	})
	if out.Committed && c.settled != "" {
		return verdict{kind: c.settled, problem: answered(out.Status)}, nil
	}
	if d.service.Handling.Err() != nil {
		return verdict{kind: refused}, nil // the server stops
	}
	v := judge(&q.Queue, &m, out, d.service.cfg.Clock())
	if c.settled == dead && fault.CodeOf(out.Err) == fault.Exhausted { // the handler has refused it, and there is no room to say so
		v = verdict{kind: dead, problem: c.problem}
	}
	return v, d.record(q, id, v)
}

func (d *desk) read(id queue.ID) (queue.Message, bool, error) {
	snap, err := d.service.cfg.Store.Snapshot()
	if err != nil {
		return queue.Message{}, false, err
	}
	defer snap.Release()
	return queue.Read(snap, d.space, id)
}

// attributes is what the handler learns of a message.
func attributes(id queue.ID, m *queue.Message) []abi.Pair {
	list := []abi.Pair{
		{Name: "queue.name", Value: m.Queue},
		{Name: "queue.id", Value: m.Public(id)},
		{Name: "queue.attempt", Value: strconv.Itoa(m.Attempts + 1)},
		{Name: "queue.sent", Value: strconv.FormatInt(m.Sent, 10)},
	}
	if m.Key != "" {
		list = append(list, abi.Pair{Name: "queue.key", Value: m.Key})
	}
	if m.From != "" {
		list = append(list, abi.Pair{Name: "queue.from", Value: m.From})
	}
	return list
}

// begin notes that a message is begun that may be begun once only. One that another
// process has begun is a dead letter.
func (d *desk) begin(q *capqueue.Declared, id queue.ID, m *queue.Message) (verdict, error) {
	d.mu.Lock()
	begun := d.line(q.Name).begun[id]
	d.mu.Unlock()
	if m.Started && !begun {
		v := verdict{kind: dead, problem: "it had been begun when the server ended, and is begun once only"}
		return v, d.record(q, id, v)
	}
	if m.Started {
		return verdict{}, nil // in vain: it found no place
	}
	err := d.change(id, func(part *store.Tx, m *queue.Message) error {
		m.Started = true
		return queue.Put(part, id, m)
	})
	d.mu.Lock()
	d.line(q.Name).begun[id] = true
	d.mu.Unlock()
	return verdict{}, err
}

// record has the store keep a verdict.
func (d *desk) record(q *capqueue.Declared, id queue.ID, v verdict) error {
	switch v.kind {
	case done:
		return d.change(id, func(part *store.Tx, _ *queue.Message) error { return queue.Done(part, id) })
	case dead, again:
		return d.change(id, func(part *store.Tx, m *queue.Message) error {
			m.Attempts, m.Problem = m.Attempts+1, v.problem
			if v.kind == dead {
				return queue.Bury(part, id, m, q.Retention)
			}
			m.Due = d.service.cfg.Clock().Add(v.delay).UnixMilli()
			return queue.Put(part, id, m)
		})
	}
	return nil
}

// change commits a change of a message, unless it is gone.
func (d *desk) change(id queue.ID, change func(*store.Tx, *queue.Message) error) error {
	for {
		snap, err := d.service.cfg.Store.Snapshot()
		if err != nil {
			return err
		}
		err = func() error {
			tx := store.Begin(snap, d.space, store.Quota{}, d.service.cfg.Clock())
			defer tx.Close()
			// Held to no quota: where the queues are full, a message has to die all the same.
			part := tx.Part(d.space.In(store.AreaQueue), store.Quota{})
			m, ok, err := queue.Get(part, id)
			if err != nil || !ok {
				return err
			}
			if err := change(part, &m); err != nil {
				return err
			}
			_, err = d.service.cfg.Store.Commit(context.Background(), tx.Effects())
			return err
		}()
		if code := fault.CodeOf(err); code != fault.Conflict {
			if code == fault.NotFound { // the plugin was purged
				return nil
			}
			return err
		}
	}
}

// claim settles that a message is handled, in the commit of the handler's effects.
type claim struct {
	space     store.Space
	id        queue.ID
	message   queue.Message
	retention time.Duration
	settled   kind   // by the last attempt
	problem   string // of a dead letter
}

// Check implements invoke.Claim.
func (c *claim) Check(tx *store.Tx) error {
	c.settled = ""
	_, ok, err := queue.Get(queue.Part(tx, c.space), c.id)
	if err == nil && !ok {
		return fault.New(fault.Done, "queue", "the message was taken back")
	}
	return err
}

// Settle implements invoke.Claim. What is handled again has no effects.
func (c *claim) Settle(tx *store.Tx, status int) (commit bool, err error) {
	part := queue.Part(tx, c.space)
	switch of(status) {
	case done:
		c.settled = done
		return true, queue.Done(part, c.id)
	case dead:
		c.settled, c.problem = dead, answered(status)
		m := c.message
		m.Attempts, m.Problem = m.Attempts+1, c.problem
		return true, queue.Bury(part, c.id, &m, c.retention)
	}
	return false, nil
}

func answered(status int) string { return fmt.Sprintf("the handler answered %d", status) }

// kind is what becomes of a message.
type kind string

const (
	done       kind = "done"
	dead       kind = "dead"       // it is a dead letter
	again      kind = "again"      // an attempt has failed
	conflicted kind = "conflicted" // it was no attempt
	refused    kind = "refused"    // nor was this: there was no place to run
	gone       kind = "gone"       // an operator has taken it back
)

type verdict struct {
	kind    kind
	delay   time.Duration // before another attempt
	problem string
}

// stays reports whether the message is handled again.
func (v verdict) stays() bool { return v.kind == again || v.kind == conflicted || v.kind == refused }

// of returns what a status means.
func of(status int) kind {
	switch {
	case status >= 200 && status < 300:
		return done
	case status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests:
		return again
	case status >= 400 && status < 500:
		return dead
	}
	return again
}

// judge returns what becomes of a message whose run came to out at now.
func judge(q *queue.Queue, m *queue.Message, out trigger.Outcome, now time.Time) (v verdict) {
	if q.AtMostOnce && out.Called && out.Err != nil {
		return verdict{kind: dead, problem: fault.MessageOf(out.Err)}
	}
	switch code := fault.CodeOf(out.Err); {
	case out.Ended: // by an operator, who would have to do it again and again
		v.kind, v.problem = again, fault.MessageOf(out.Err)
	case code == "":
		v.kind, v.problem = of(out.Status), answered(out.Status)
	case code == fault.Done:
		return verdict{kind: gone}
	case code == fault.Conflict:
		return verdict{kind: conflicted}
	case code == fault.Unavailable, code == fault.NotFound, code == fault.Unknown, code == fault.Left:
		return verdict{kind: refused}
	case code == fault.TooLarge:
		v.kind, v.problem = dead, fault.MessageOf(out.Err)
	default:
		v.kind, v.problem = again, fault.MessageOf(out.Err)
	}
	if v.kind != again {
		return v
	}
	return v.retried(q, m, out.RetryAfter, now)
}

// retried returns v, which says again, with when that is, which the answer may say; or
// dead after the last attempt.
func (v verdict) retried(q *queue.Queue, m *queue.Message, after string, now time.Time) verdict {
	if m.Attempts+1 >= q.Attempts || q.AtMostOnce {
		v.kind = dead
		return v
	}
	v.delay = backoff(q.Backoff, m.Attempts)
	if after, ok := retryAfter(after, now); ok {
		v.delay = after
	}
	return v
}

// backoff returns how long a message waits after so many failed attempts and another:
// any time up to a bound that doubles, so that those that failed together do not come
// back together.
func backoff(b [2]time.Duration, failed int) time.Duration {
	most := b[1]
	if failed < 32 && b[0]<<failed > 0 {
		most = min(most, b[0]<<failed)
	}
	return rand.N(most + 1)
}

// maxRetryAfter bounds what a handler may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads a Retry-After: seconds, or a date of HTTP.
func retryAfter(text string, now time.Time) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, maxRetryAfter), true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), maxRetryAfter), true
}

// patience returns how long a message waits after so many runs in a row that were no
// attempts.
func patience(runs int) time.Duration {
	most := min(5*time.Second, 25*time.Millisecond<<min(runs, 10))
	return most/2 + rand.N(most/2+1)
}
