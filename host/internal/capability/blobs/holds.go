package blobs

import (
	"sync/atomic"

	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/names"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// holds are the blobs that no sweep may take before the request is over, over all its
// attempts and the handlers that it calls, and what becomes of them.
type holds struct {
	root *invoke.Invocation
	held map[blob.Digest]*blob.Held
	body *blob.Digest // of the request's body, once it is a blob

	attempt   uint32   // whose changes are
	changes   []change // in their order
	sealed    uint32   // attempt whose commit was begun; 0 = none
	named     map[blob.Digest]bool
	lost      map[blob.Account]int64 // bytes that lose their name with that commit
	committed atomic.Bool
	store     *blob.Store
}

// change is a name that a blob got or lost.
type change struct {
	space  store.Space
	name   string
	digest blob.Digest
	by     blob.Account
	lost   int64 // bytes; -1 = it got it
}

// maxHolds is how many blobs a request holds at most: as many as its attempts may name.
const maxHolds = limit.Attempts * limits.Effects

func (b *blobs) holds() *holds {
	root := b.inv.Root()
	kept, ok := root.OfRequest(Name).(*holds)
	if !ok {
		kept = &holds{root: root, store: b.Store, held: map[blob.Digest]*blob.Held{}}
		root.KeepOfRequest(Name, kept)
	}
	if now := root.Request.Head.Attempt; kept.attempt != now {
		kept.attempt, kept.changes = now, nil
	}
	return kept
}

// account is whose bytes they are that the handler writes. As many as may have a name may
// have none: each blob has none for a while.
func (b *blobs) account() blob.Account {
	return blob.Account{Owner: b.inv.Env.Plugin, Most: b.Quota.Bytes}
}

// hold keeps a blob until the effects of the request are settled. It reports whether the
// request has not kept it before.
func (b *blobs) hold(held *blob.Held) (first bool, err error) {
	kept := b.holds()
	_, has := kept.held[held.Digest]
	switch {
	case has:
		held.Drop()
	case len(kept.held) >= maxHolds:
		held.Drop()
		return false, fault.New(fault.TooLarge, "put blob", "one request puts no more blobs than that")
	default:
		kept.held[held.Digest] = held
	}
	return !has, nil
}

// drop ends the hold of a blob that the quota has refused: it has no name here.
func (b *blobs) drop(held *blob.Held) {
	delete(b.holds().held, held.Digest)
	held.Drop()
}

// gave notes that a blob has got a name.
func (b *blobs) gave(name []byte, r *names.Record) { b.changed(name, r, -1) }

// took notes that a blob has lost a name.
func (b *blobs) took(name []byte, r *names.Record) { b.changed(name, r, r.Size) }

func (b *blobs) changed(name []byte, r *names.Record, lost int64) {
	h := b.holds()
	h.changes = append(h.changes, change{space: b.inv.Env.Space, name: string(name), digest: r.Digest, by: b.account(), lost: lost})
}

// Seal implements invoke.Sealer: it looks which changes are in the transaction, as those
// of a handler that failed within another are not.
func (h *holds) Seal(inv *invoke.Invocation) {
	h.sealed, h.named, h.lost = inv.Request.Head.Attempt, map[blob.Digest]bool{}, map[blob.Account]int64{}
	if h.attempt != h.sealed {
		return
	}
	for _, c := range h.changes {
		if c.lost < 0 {
			h.named[c.digest] = h.named[c.digest] || c.stands(inv)
		}
	}
	given := map[change]bool{} // so far: what a name got here and lost again it did not have before
	for _, c := range h.changes {
		if c.lost < 0 {
			given[c] = true
			continue
		}
		before := c
		before.lost = -1
		if !given[before] && !h.named[c.digest] && !c.stands(inv) {
			h.lost[c.by] += c.lost
		}
	}
}

// stands reports whether the name has the blob. One that cannot be read counts as such.
func (c *change) stands(inv *invoke.Invocation) bool {
	r, ok, err := names.Look(names.Part(inv.Tx, c.space), []byte(c.name))
	return err != nil || ok && r.Digest == c.digest
}

// Committed implements invoke.Effect.
func (h *holds) Committed(store.Revision) { h.committed.Store(true) }

// Left implements invoke.Effect.
func (h *holds) Left() {}

// Close implements invoke.State: what has no name and was new is gone. After a commit that
// failed, or whose outcome is not known, a sweep looks.
func (h *holds) Close() {
	sealed := h.sealed != 0 && h.sealed == h.root.Request.Head.Attempt
	for d, held := range h.held {
		switch {
		case sealed && !h.committed.Load():
			held.Release()
		case sealed && h.named[d]:
			held.Named()
		default:
			held.Drop()
		}
	}
	if h.committed.Load() {
		for by, n := range h.lost {
			h.store.Lost(by, n)
		}
	}
}
