// Package queues shows an operator the queues of plugins, and does to them what one
// may: look into them, try dead letters again, remove messages, pause. It answers in
// the types of package adminapi; package server/admin imports it.
package queues

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/queue/delivery"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Queues answers an operator. Safe for concurrent use. Every method may return
// NotFound (the plugin) and the errors of the store.
type Queues struct {
	store    store.Store
	registry *registry.Registry
	delivery *delivery.Service
	clock    func() time.Time
}

// New returns a Queues of what a store holds and a service delivers.
func New(st store.Store, r *registry.Registry, d *delivery.Service, clock func() time.Time) *Queues {
	return &Queues{st, r, d, clock}
}

// List returns the queues of a plugin by name: those of the version that serves, and
// those that only hold something.
func (q *Queues) List(ctx context.Context, name string) ([]adminapi.Queue, error) {
	p, snap, err := q.look(ctx, name)
	if err != nil {
		return nil, err
	}
	defer snap.Release()
	space := store.Space(p.Keys())
	dead, err := queue.CountDead(snap, space, q.clock())
	if err != nil {
		return nil, err
	}
	paused, err := queue.Paused(snap, space)
	if err != nil {
		return nil, err
	}
	list := map[string]*adminapi.Queue{}
	at := func(name string) *adminapi.Queue {
		if list[name] == nil {
			list[name] = &adminapi.Queue{Name: name, Paused: paused[name]}
		}
		return list[name]
	}
	for name, n := range dead {
		at(name).Dead = n
	}
	now := q.clock()
	serving := q.delivery.Of(space)
	for _, s := range serving {
		o := at(s.Queue)
		o.Declared, o.Paused = s.Declared, s.Paused
		o.Waiting, o.Handling = s.Waiting, s.Handling
		o.Handled, o.Failed, o.Conflicts, o.Refused = s.Counts.Handled, s.Counts.Failed, s.Counts.Conflicts, s.Counts.Refused
		if !s.Oldest.IsZero() {
			o.Age = max(now.Sub(s.Oldest), 0).Seconds()
		}
	}
	if len(serving) == 0 { // nobody reads its messages
		err = queue.Scan(snap, space, queue.ID{}, func(_ queue.ID, m *queue.Message) bool {
			o := at(m.Queue)
			o.Waiting++
			o.Age = max(o.Age, now.Sub(time.UnixMilli(m.Sent)).Seconds())
			return true
		})
	}
	out := make([]adminapi.Queue, 0, len(list))
	for _, o := range list {
		out = append(out, *o)
	}
	slices.SortFunc(out, func(a, b adminapi.Queue) int { return strings.Compare(a.Name, b.Name) })
	return out, err
}

// shown bounds how much of a body is shown, in bytes.
const shown = 4 << 10

// Peek returns messages of a queue in the order of sending, or its dead letters: at
// most limit after one, "" = from the first. Invalid: after is no id.
func (q *Queues) Peek(ctx context.Context, name, of string, dead bool, after string, limit int) (page adminapi.MessagePage, err error) {
	var from queue.ID
	if after != "" {
		if from, err = queue.ParseID(after); err != nil {
			return page, err
		}
	}
	p, snap, err := q.look(ctx, name)
	if err != nil {
		return page, err
	}
	defer snap.Release()
	page.Messages = []adminapi.Message{}
	err = q.scan(snap, store.Space(p.Keys()), of, dead, from, func(id queue.ID, m *queue.Message) bool {
		if len(page.Messages) == limit {
			page.More = true
			return false
		}
		page.Messages = append(page.Messages, message(id, m))
		return true
	})
	return page, err
}

func message(id queue.ID, m *queue.Message) adminapi.Message {
	out := adminapi.Message{
		ID: m.Public(id), Key: m.Key, From: m.From, Sent: time.UnixMilli(m.Sent).UTC(), Attempts: m.Attempts, Problem: m.Problem, Size: len(m.Body),
	}
	if m.Due > m.Sent {
		due := time.UnixMilli(m.Due).UTC()
		out.Due = &due
	}
	whole := m.Body
	if w, err := queue.ReadWebhook(m.Body); err == nil && m.Queue == queue.Webhooks {
		out.URL, out.Size, whole = w.URL, len(w.Body), w.Body
	}
	body := whole[:min(len(whole), shown)]
	if text := cut(body); len(body) < len(whole) && utf8.Valid(text) {
		body = text
	}
	if utf8.Valid(body) && !bytes.ContainsRune(body, 0) {
		out.Body = string(body)
	} else {
		out.Body, out.Base64 = base64.StdEncoding.EncodeToString(body), true
	}
	return out
}

// cut returns text without a character at its end that is not whole.
func cut(text []byte) []byte {
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax); i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				return text[:i]
			}
			break
		}
	}
	return text
}

func (q *Queues) scan(snap store.Snapshot, space store.Space, of string, dead bool, after queue.ID, yield func(queue.ID, *queue.Message) bool) error {
	if dead {
		return queue.Dead(snap, space, of, after, q.clock(), yield)
	}
	return queue.Scan(snap, space, after, func(id queue.ID, m *queue.Message) bool { return m.Queue != of || yield(id, m) })
}

func (q *Queues) look(ctx context.Context, name string) (plugin.Plugin, store.Snapshot, error) {
	p, err := q.registry.Plugin(ctx, name)
	if err != nil {
		return p, nil, err
	}
	snap, err := q.store.Snapshot()
	return p, snap, err
}

// Bounds of one commit of a change of many messages.
const (
	batch      = 1000
	batchBytes = 2 << 20
)

// each calls act for the messages of each commit in turn. It takes those that had been
// sent when it was called: a plugin may send more for as long as it likes.
func (q *Queues) each(space store.Space, of string, dead bool, act func([]queue.ID) error) error {
	var after queue.ID
	for last := store.Revision(0); ; {
		list, at, err := q.next(space, of, dead, after, last)
		if err != nil || len(list) == 0 {
			return err
		}
		if err := act(list); err != nil {
			return err
		}
		after, last = list[len(list)-1], cmp.Or(last, at)
	}
}

// next returns the messages of the next commit: those after one, up to the revision
// last, 0 = that of the snapshot that it reads, which it returns.
func (q *Queues) next(space store.Space, of string, dead bool, after queue.ID, last store.Revision) (list []queue.ID, at store.Revision, err error) {
	snap, err := q.store.Snapshot()
	if err != nil {
		return nil, 0, err
	}
	defer snap.Release()
	at, size := snap.Revision(), 0
	last = cmp.Or(last, at)
	err = q.scan(snap, space, of, dead, after, func(id queue.ID, m *queue.Message) bool {
		if id.Sent() > last {
			return false
		}
		list = append(list, id)
		size += len(m.Body)
		return len(list) < batch && size < batchBytes
	})
	return list, at, err
}

// Retry makes messages of dead letters again, which are handled as if they had never
// been tried: those with the ids, or without any all of the queue. It returns how many.
// Each of its commits is told to the audit.
func (q *Queues) Retry(ctx context.Context, name, of string, ids []string, by string) (n int, err error) {
	p, err := q.registry.Plugin(ctx, name)
	if err != nil {
		return 0, err
	}
	space := store.Space(p.Keys())
	if len(ids) > 0 {
		var list []queue.ID
		for _, text := range ids {
			id, err := queue.ParseID(text)
			if err != nil {
				return 0, err
			}
			list = append(list, id)
		}
		for part := range slices.Chunk(list, 8) { // of the largest messages
			done, err := q.revive(ctx, name, of, space, part, by)
			if n += done; err != nil {
				return n, err
			}
		}
		if n == 0 {
			err = fault.New(fault.NotFound, "", fmt.Sprintf("queue %q of plugin %q has no such dead letter; list them with: wasmoor queue peek %s %s --dead", of, name, name, of))
		}
		return n, err
	}
	err = q.each(space, of, true, func(list []queue.ID) error {
		done, err := q.revive(ctx, name, of, space, list, by)
		n += done
		return err
	})
	return n, err
}

func (q *Queues) revive(ctx context.Context, name, of string, space store.Space, ids []queue.ID, by string) (int, error) {
	var back []delivery.Back
	_, err := q.registry.ChangeKeys(ctx, name, func(tx *store.Tx) (plugin.Event, error) {
		back = back[:0]
		part := queue.Part(tx, space)
		for _, id := range ids {
			m, ok, err := queue.Revive(part, of, id)
			if err != nil {
				return plugin.Event{}, err
			}
			if ok {
				back = append(back, delivery.Back{ID: id, Message: m})
			}
		}
		if len(back) == 0 {
			return plugin.Event{}, nil
		}
		return event(plugin.ActionQueueRetry, name, by, "%d dead letters of queue %s", len(back), of), nil
	})
	if err != nil {
		return 0, err
	}
	q.delivery.Changed(space, nil, back)
	return len(back), nil
}

// Purge removes the messages of a queue, or its dead letters, that are there when it is
// called, and returns how many. A message that is being handled at that moment is handled, or taken back, and not half.
func (q *Queues) Purge(ctx context.Context, name, of string, dead bool, by string) (n int, err error) {
	p, err := q.registry.Plugin(ctx, name)
	if err != nil {
		return 0, err
	}
	space, what := store.Space(p.Keys()), "messages"
	if dead {
		what = "dead letters"
	}
	err = q.each(space, of, dead, func(list []queue.ID) error {
		_, err := q.registry.ChangeKeys(ctx, name, func(tx *store.Tx) (plugin.Event, error) {
			part := queue.Part(tx, space)
			for _, id := range list {
				remove := queue.Done(part, id)
				if dead {
					remove = queue.Forget(part, of, id)
				}
				if remove != nil {
					return plugin.Event{}, remove
				}
			}
			return event(plugin.ActionQueuePurge, name, by, "%d %s of queue %s", len(list), what, of), nil
		})
		if err != nil {
			return err
		}
		if !dead {
			q.delivery.Changed(space, list, nil)
		}
		n += len(list)
		return nil
	})
	return n, err
}

// Pause keeps a queue from being handled, or lets it go on. What is being handled goes
// on. NotFound: the plugin has no such queue, which is not so for one that only holds
// something.
func (q *Queues) Pause(ctx context.Context, name, of string, paused bool, by string) error {
	list, err := q.List(ctx, name)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(o adminapi.Queue) bool { return o.Name == of }) {
		return fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q has no queue %q; list them with: wasmoor queue list %s", name, of, name))
	}
	p, err := q.registry.Plugin(ctx, name)
	if err != nil {
		return err
	}
	action := plugin.ActionQueueResume
	if paused {
		action = plugin.ActionQueuePause
	}
	_, err = q.registry.ChangeKeys(ctx, name, func(tx *store.Tx) (plugin.Event, error) {
		changed, err := queue.Pause(queue.Part(tx, store.Space(p.Keys())), of, paused)
		if !changed {
			return plugin.Event{}, err
		}
		return event(action, name, by, "queue %s", of), err
	})
	q.delivery.Changed(store.Space(p.Keys()), nil, nil)
	return err
}

func event(action plugin.Action, name, by, detail string, args ...any) plugin.Event {
	return plugin.Event{By: by, Action: action, Plugin: name, Detail: fmt.Sprintf(detail, args...)}
}
