package queues

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Send commits a message as one that the plugin sends itself, and tells the audit. With
// in.Wait it returns once the message is settled, or the time is over. Errors: NotFound
// (the version that serves has no such queue), Invalid (what in says, and the queue of
// webhooks), TooLarge, Exhausted (the quota of the queues).
func (q *Queues) Send(ctx context.Context, in adminapi.Send, body []byte, by string) (out adminapi.Sent, err error) {
	delay, wait, err := bounds(&in, body)
	if err != nil {
		return out, err
	}
	p, err := q.registry.Plugin(ctx, in.Name)
	if err != nil {
		return out, err
	}
	space := store.Space(p.Keys())
	declared, ok := q.delivery.Declared(space, in.Queue)
	switch {
	case !ok:
		return out, fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q has no queue %q, or does not serve; list them with: wasmoor queue list %s", in.Name, in.Queue, in.Name))
	case declared.Webhooks():
		return out, fault.New(fault.Invalid, "", fmt.Sprintf("the queue %q takes what a plugin sends with webhook_send, and nothing else", in.Queue))
	}
	m := queue.Message{Queue: in.Queue, Key: in.Key, Nonce: nonce(), Sent: q.clock().UnixMilli(), Body: body}
	if delay > 0 {
		m.Due = m.Sent + delay.Milliseconds()
	}
	repeated := false
	revision, err := q.registry.ChangeKeys(ctx, in.Name, func(tx *store.Tx) (e plugin.Event, err error) {
		if repeated, err = queue.Send(queue.Part(tx, space), 0, &m, in.ID, declared.Retention); repeated || err != nil {
			return plugin.Event{}, err
		}
		return event(plugin.ActionQueueSend, in.Name, by, "1 message of %d bytes to queue %s", len(body), in.Queue), nil
	})
	switch {
	case err != nil:
		return out, err
	case repeated:
		return adminapi.Sent{State: adminapi.SentRepeated}, nil
	}
	id := queue.NewID(revision, 0)
	out = adminapi.Sent{ID: m.Public(id), State: adminapi.SentWaiting}
	if wait > 0 {
		q.follow(ctx, space, in.Queue, id, wait, &out)
	}
	return out, nil
}

func nonce() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint32(b[:])
}

// bounds compares a message with what a plugin may send.
func bounds(in *adminapi.Send, body []byte) (delay, wait time.Duration, err error) {
	switch {
	case len(body) > limits.QueueBody:
		return 0, 0, fault.New(fault.TooLarge, "", fmt.Sprintf("a message of %d bytes is above the maximum of %d", len(body), limits.QueueBody))
	case len(in.Key) > limits.QueueKey || len(in.ID) > limits.QueueKey:
		return 0, 0, fault.New(fault.Invalid, "", fmt.Sprintf("the key and the id of a message have at most %d bytes", limits.QueueKey))
	case !utf8.ValidString(in.Key) || !utf8.ValidString(in.ID):
		return 0, 0, fault.New(fault.Invalid, "", "the key and the id of a message are UTF-8")
	}
	if delay, err = span("delay", in.Delay, limits.QueueDelay*time.Millisecond); err != nil {
		return 0, 0, err
	}
	wait, err = span("wait", in.Wait, adminapi.MaxSendWait)
	return delay, wait, err
}

// span reads a parameter that is a duration; "" = 0.
func span(name, text string, most time.Duration) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > most {
		return 0, fault.New(fault.Invalid, "", fmt.Sprintf("the parameter %s must be a duration from 0 to %s, e.g. 90s or 1h30m", name, most))
	}
	return d, nil
}

// follow waits until a message is settled, and notes in out what became of it: as much
// as is known when the time is over, the client has left or nothing is delivered any more.
func (q *Queues) follow(ctx context.Context, space store.Space, of string, id queue.ID, wait time.Duration, out *adminapi.Sent) {
	watch := q.store.Watch(space.In(store.AreaQueue), queue.MessageKey(id))
	defer watch.Close()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for q.waits(space, of, id, out) {
		select {
		case <-ctx.Done():
			return
		case <-q.delivery.Taking.Done():
			return
		case <-timer.C:
			return
		case <-watch.Changed():
			watch.Take()
		}
	}
}

// waits notes in out what has become of a message, and reports whether it still waits. A
// store that cannot be read ends the wait: the message is sent.
func (q *Queues) waits(space store.Space, of string, id queue.ID, out *adminapi.Sent) (still bool) {
	snap, err := q.store.Snapshot()
	if err != nil {
		return false
	}
	defer snap.Release()
	m, still, err := queue.Read(snap, space, id)
	if err != nil {
		return false
	}
	if !still {
		var dead bool
		if m, dead, err = queue.ReadDead(snap, space, of, id); err != nil {
			return false
		}
		if out.State = adminapi.SentHandled; !dead {
			return false
		}
		out.State = adminapi.SentDead
	}
	out.Attempts, out.Problem = m.Attempts, m.Problem
	return still
}
