package ticking

import (
	"bytes"
	"context"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/cron"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// box is the record of a schedule in the store: one key in the plugin's area for
// schedules, its name. One goroutine uses it at a time.
type box struct {
	store  store.Store
	key    key
	clock  func() time.Time
	stored []byte // what was read or written last; nil = it is not known
	read   []byte // by the transaction that goes on
}

// part returns the part of a transaction that the record is in. It has no quota of its
// own: how much there is, the manifest bounds.
func (b *box) part(tx *store.Tx) *store.Tx {
	return tx.Part(b.key.space.In(store.AreaCron), store.Quota{})
}

// get reads what is there, which is a read of the transaction; empty = nothing.
func (b *box) get(tx *store.Tx) error {
	data, ok, err := b.part(tx).Get([]byte(b.key.name))
	if b.read = nil; ok {
		b.read = bytes.Clone(data)
	}
	return err
}

func (b *box) set(tx *store.Tx, r *cron.Record) ([]byte, error) {
	data, err := r.Encode()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "cron", "cannot encode a record", err)
	}
	return data, b.part(tx).Set([]byte(b.key.name), data, 0)
}

// open returns the record, after what tend has changed, which reports whether it did;
// the zero Record where there is none.
func (b *box) open(tend func(*cron.Record) bool) (r cron.Record, err error) {
	if b.stored == nil {
		err = b.commit(func(tx *store.Tx) error {
			err := b.get(tx)
			b.stored = b.read
			return err
		})
	}
	if err == nil && len(b.stored) > 0 {
		r, err = cron.Decode(b.stored)
	}
	if err == nil && tend(&r) {
		err = b.put(&r)
	}
	return r, err
}

// put writes the record over the one that was read or written last. Where another is
// there by now, nothing is written, and the next open reads it.
func (b *box) put(r *cron.Record) error {
	before := b.stored
	return b.change(func() (*cron.Record, error) {
		if !bytes.Equal(b.read, before) {
			return nil, nil
		}
		return r, nil
	})
}

// change writes what next makes of the record that is there, b.read; nil = nothing.
func (b *box) change(next func() (*cron.Record, error)) error {
	var data []byte
	err := b.commit(func(tx *store.Tx) error {
		data = nil
		if err := b.get(tx); err != nil {
			return err
		}
		r, err := next()
		if err == nil && r != nil {
			data, err = b.set(tx, r)
		}
		return err
	})
	if b.stored = nil; err == nil {
		b.stored = data
	}
	if fault.CodeOf(err) == fault.NotFound { // the plugin was purged
		return nil
	}
	return err
}

// forget removes the record.
func (b *box) forget() error {
	b.stored = nil
	err := b.commit(func(tx *store.Tx) error { return b.part(tx).Delete([]byte(b.key.name)) })
	if fault.CodeOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// commit runs act in a transaction, again after a conflict.
func (b *box) commit(act func(*store.Tx) error) error {
	for {
		snap, err := b.store.Snapshot()
		if err != nil {
			return err
		}
		err = func() error {
			tx := store.Begin(snap, b.key.space, store.Quota{}, b.clock())
			defer tx.Close()
			if err := act(tx); err != nil || tx.ReadOnly() {
				return err
			}
			_, err := b.store.Commit(context.Background(), tx.Effects())
			return err
		}()
		if fault.CodeOf(err) != fault.Conflict {
			return err
		}
	}
}

// claim settles a run in the commit of what its handler has written.
type claim struct {
	box      *box
	began    time.Time
	settle   func(cron.Result) (cron.Record, error)
	expected bool   // the record is what box has stored, or there is nothing to do
	stored   []byte // what the last attempt has written; nil = nothing
}

// Check implements invoke.Claim.
func (c *claim) Check(tx *store.Tx) error {
	c.stored = nil
	if err := c.box.get(tx); err != nil {
		return err
	}
	if c.expected && !bytes.Equal(c.box.read, c.box.stored) {
		return fault.New(fault.Done, "cron", "the run was settled by another, or its schedule is gone")
	}
	return nil
}

// Settle implements invoke.Claim. A run that failed has no effects.
func (c *claim) Settle(tx *store.Tx, status int) (commit bool, err error) {
	if answered(status) != "" {
		return false, nil
	}
	r, err := c.settle(cron.Result{Began: c.began, Ended: c.box.clock(), Status: status})
	if err == nil {
		c.stored, err = c.box.set(tx, &r)
	}
	return err == nil, err
}
