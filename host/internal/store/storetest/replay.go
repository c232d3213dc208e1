package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/certify"
)

// world is what the spaces and their areas should hold, expired values too.
type world map[store.Space]map[string]store.Value

// visible is what a transaction of a time sees of a space.
func (w world) visible(space store.Space, t *txn) model {
	m := model{}
	for key, v := range w[space] {
		if !v.ExpiredAt(t.now) {
			m[key] = string(v.Data)
		}
	}
	return m
}

// answer is what r should have got from m.
func (r read) answer(m model) string {
	if r.query != nil {
		return strings.Join(m.list(*r.query), " ")
	}
	if v, ok := m[r.key]; ok {
		return v
	}
	return absent
}

func (w world) apply(t *txn) {
	for i := range t.effects.Parts {
		p := &t.effects.Parts[i]
		w.write(p.Space, p.Ops, t)
		w.write(p.Space, p.Stamped, t)
		w.write(p.Space.In(store.AreaRecords), p.Records, t)
	}
}

func (w world) write(space store.Space, ops []store.Op, t *txn) {
	if w[space] == nil {
		w[space] = map[string]store.Value{}
	}
	for _, op := range ops {
		op = stamped(op, t.revision)
		key := string(op.Key)
		switch op.Kind {
		case store.OpSet:
			w[space][key] = op.Value
		case store.OpDelete:
			delete(w[space], key)
		case store.OpAdd:
			v := w[space][key]
			if v.ExpiredAt(t.now) {
				v = store.Value{}
			}
			n, _ := store.CounterOf(v.Data)
			w[space][key] = store.Value{Data: store.AppendCounter(nil, n+op.Delta), Expires: v.Expires}
		}
	}
}

// usage counts what is counted with a space.
func (w world) usage(account store.Space) (u store.Usage) {
	for _, a := range store.Areas() {
		if account.In(a).Account() != account {
			continue
		}
		for key, v := range w[account.In(a)] {
			u.Keys++
			u.Bytes += int64(len(key) + len(v.Data))
		}
	}
	return u
}

// replay does a history again in serial order and checks every read.
func (h *mixed) replay(all []*txn) world {
	h.Helper()
	w := world{}
	last := store.Revision(0)
	for _, t := range all {
		for _, r := range t.reads {
			h.check(w, t, r)
		}
		if t.readOnly {
			continue
		}
		if t.revision == last {
			h.Fatalf("two commits have revision %d", t.revision)
		}
		last = t.revision
		for i := range t.effects.Parts {
			h.droppedAfter(t.effects.Parts[i].Space, t.revision)
		}
		w.apply(t)
	}
	for space, d := range h.drops {
		if d.after >= d.by {
			h.Errorf("space %d was dropped after %d and by %d", space, d.after, d.by)
		}
		for _, a := range store.Areas() {
			delete(w, space.In(a))
		}
	}
	return w
}

// check compares a read with the world. When a drop was decided is not known: a
// space that looks as if it were dropped was, from that revision on.
func (h *mixed) check(w world, t *txn, r read) {
	h.Helper()
	whole, empty := r.answer(w.visible(r.space, t)), r.answer(model{})
	_, doomed := h.drops[r.space.Owner()]
	switch {
	case r.got == whole && (whole == empty || !doomed):
	case r.got == whole:
		h.droppedAfter(r.space, t.read)
	case doomed && r.got == empty:
		d := h.drops[r.space.Owner()]
		d.by = min(d.by, t.read)
		h.drops[r.space.Owner()] = d
	default:
		h.Fatalf("revision %d (read at %d) read %q %+v of space %#x as %q; in serial order it is %q",
			t.revision, t.read, r.key, r.query, uint64(r.space), r.got, whole)
	}
}

// droppedAfter notes that a space was there at a revision.
func (h *mixed) droppedAfter(space store.Space, revision store.Revision) {
	if d, ok := h.drops[space.Owner()]; ok {
		d.after = max(d.after, revision)
		h.drops[space.Owner()] = d
	}
}

// matches compares what a store holds and counts with w.
func (w world) matches(b *bench) {
	b.Helper()
	snap, err := b.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	defer snap.Release()
	text := func(v store.Value) string { return fmt.Sprintf("%s until %d", v.Data, v.Expires) }
	for space, values := range w {
		want, got := map[string]string{}, map[string]string{}
		for key, v := range values {
			want[key] = text(v)
		}
		err := snap.Scan(space, nil, nil, false, func(key []byte, v store.Value) bool {
			got[string(key)] = text(v)
			return true
		})
		if err != nil {
			b.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			b.Errorf("space %#x (-want +got):\n%s", uint64(space), diff)
		}
		if u, err := b.Usage(space.Account()); err != nil || u != w.usage(space.Account()) {
			b.Errorf("space %#x: usage %+v, %v, want %+v", uint64(space.Account()), u, err, w.usage(space.Account()))
		}
	}
}

// testReplica decides a history again from the encoding of its commits, in
// another log, as a replica will: it takes each with the same revision, and ends
// with the same counts.
func testReplica(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	base := b.revision()
	_, all := b.history(mix{clients: 8, each: 60})
	log := certify.New(base, map[store.Space]store.Usage{}, map[store.Space]bool{}, certify.Bounds{Keys: 1 << 20, Bytes: 1 << 28})
	w := world{}
	for _, original := range all {
		if original.readOnly {
			continue
		}
		revision, e, err := store.DecodeCommit(store.AppendCommit(nil, original.revision, original.effects))
		if err != nil {
			t.Fatal(err)
		}
		entry := w.entry(e, log.Revision(), revision)
		if err := log.Decide(entry); err != nil || entry.Revision != revision {
			t.Fatalf("the replica decides revision %d, %v; it was %d", entry.Revision, err, revision)
		}
		w.apply(&txn{effects: e, now: e.Now, revision: revision})
	}
	w.matches(b)
	for space := range w {
		if got, want := log.Usage(space.Account()), w.usage(space.Account()); got != want {
			t.Errorf("space %#x: the replica counts %+v, want %+v", uint64(space.Account()), got, want)
		}
	}
}

// entry makes effects an entry whose priors are those of w.
func (w world) entry(e *store.Effects, seen, revision store.Revision) *certify.Entry {
	entry := &certify.Entry{Effects: e, Seen: seen}
	add := func(space store.Space, ops []store.Op) {
		for _, op := range ops {
			op = stamped(op, revision)
			write := certify.Write{Kind: op.Kind, Space: space, Key: op.Key, Delta: op.Delta, Stamped: op.KeyStamp != 0}
			if op.Kind == store.OpSet {
				write.Next = store.StateOf(op.Value)
			}
			if v, ok := w[space][string(op.Key)]; ok {
				write.Prior = store.StateOf(v)
			}
			entry.Writes = append(entry.Writes, write)
		}
	}
	for _, p := range e.Parts {
		add(p.Space, p.Ops)
		add(p.Space, p.Stamped)
		add(p.Space.In(store.AreaRecords), p.Records)
	}
	return entry
}
