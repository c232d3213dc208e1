package operate

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// KVGet returns a plugin's value; NotFound when it is absent or expired.
func (o *Operator) KVGet(ctx context.Context, name string, key []byte) (value []byte, err error) {
	err = o.kv(ctx, name, func(tx *store.Tx) error {
		data, ok, err := tx.Get(key)
		if err == nil && !ok {
			err = fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q has no key %q", name, key))
		}
		value = bytes.Clone(data)
		return err
	})
	return value, err
}

// KVList returns keys in order, at most q.Limit and adminapi.MaxKeys, and whether
// there are more.
func (o *Operator) KVList(ctx context.Context, name string, q store.Query) (adminapi.KeyPage, error) {
	page := adminapi.KeyPage{Entries: []adminapi.KeyEntry{}}
	limit := q.Limit
	if limit <= 0 || limit > adminapi.MaxKeys {
		limit = adminapi.MaxKeys
	}
	q.Limit = limit + 1
	err := o.kv(ctx, name, func(tx *store.Tx) error {
		return tx.List(q, func(key, data []byte) bool {
			if len(page.Entries) == limit {
				page.More = true
				return false
			}
			page.Entries = append(page.Entries, adminapi.KeyEntry{Key: adminapi.KeyOf(key), Size: int64(len(data))})
			return true
		})
	})
	return page, err
}

// KVPut sets a plugin's value, within its quota; ttl 0 = it does not expire.
func (o *Operator) KVPut(ctx context.Context, name string, key, value []byte, ttl time.Duration) error {
	return o.kv(ctx, name, func(tx *store.Tx) error { return tx.Set(key, value, ttl) })
}

// KVDelete deletes a plugin's key; NotFound when it is absent or expired.
func (o *Operator) KVDelete(ctx context.Context, name string, key []byte) error {
	return o.kv(ctx, name, func(tx *store.Tx) error {
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
func (o *Operator) kv(ctx context.Context, name string, act func(*store.Tx) error) error {
	p, err := o.registry.Plugin(ctx, name)
	if err != nil {
		return err
	}
	snap, err := o.store.Snapshot()
	if err != nil {
		return err
	}
	tx := store.Begin(snap, store.Space(p.Space), deploy.Quota(p.Grant), o.clock())
	defer tx.Close()
	if err := act(tx); err != nil || tx.ReadOnly() {
		return err
	}
	_, err = o.store.Commit(ctx, tx.Effects())
	return err
}
