package deploy

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// MaxKVPage is the most keys KVList returns at a time.
const MaxKVPage = 1000

// KVEntry is a key of a plugin's key space as an operator sees it.
type KVEntry struct {
	Key  []byte
	Size int // bytes of the value
}

// KVGet returns a plugin's value; NotFound when it is absent or expired.
func (d *Deployer) KVGet(ctx context.Context, name string, key []byte) (value []byte, err error) {
	err = d.kv(ctx, name, func(tx *store.Tx) error {
		data, ok, err := tx.Get(key)
		if err == nil && !ok {
			err = fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q has no key %q", name, key))
		}
		value = bytes.Clone(data)
		return err
	})
	return value, err
}

// KVList returns keys in order, at most MaxKVPage, and whether there
// are more.
func (d *Deployer) KVList(ctx context.Context, name string, q store.Query) (entries []KVEntry, more bool, err error) {
	limit := q.Limit
	if limit <= 0 || limit > MaxKVPage {
		limit = MaxKVPage
	}
	q.Limit = limit + 1
	err = d.kv(ctx, name, func(tx *store.Tx) error {
		return tx.List(q, func(key, data []byte) bool {
			if len(entries) == limit {
				more = true
				return false
			}
			entries = append(entries, KVEntry{Key: bytes.Clone(key), Size: len(data)})
			return true
		})
	})
	return entries, more, err
}

// KVPut sets a plugin's value, within its quota; ttl 0 = it does not expire.
func (d *Deployer) KVPut(ctx context.Context, name string, key, value []byte, ttl time.Duration) error {
	return d.kv(ctx, name, func(tx *store.Tx) error { return tx.Set(key, value, ttl) })
}

// KVDelete deletes a plugin's key; NotFound when it is absent or expired.
func (d *Deployer) KVDelete(ctx context.Context, name string, key []byte) error {
	return d.kv(ctx, name, func(tx *store.Tx) error {
		_, ok, err := tx.Get(key)
		if err == nil && !ok {
			err = fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q has no key %q", name, key))
		}
		if err != nil {
			return err
		}
		return tx.Delete(key)
	})
}

// kv runs act in a transaction of a plugin's key space, kept data of a deleted
// plugin included, and commits what it writes.
func (d *Deployer) kv(ctx context.Context, name string, act func(*store.Tx) error) error {
	p, err := d.cfg.Registry.Plugin(ctx, name)
	if err != nil {
		return err
	}
	snap, err := d.cfg.Store.Snapshot()
	if err != nil {
		return err
	}
	tx := store.Begin(snap, store.Space(p.Space), quota(p.Grant), d.cfg.Clock())
	defer tx.Close()
	if err := act(tx); err != nil || tx.ReadOnly() {
		return err
	}
	_, err = d.cfg.Store.Commit(ctx, tx.Effects())
	return err
}
