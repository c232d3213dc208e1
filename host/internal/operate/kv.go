package operate

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// KVGet returns a plugin's value; NotFound when it is absent or expired.
func (o *Operator) KVGet(ctx context.Context, name string, key []byte) (value []byte, err error) {
	err = o.read(ctx, name, func(tx *store.Tx) error {
		data, ok, err := tx.Get(key)
		if err == nil && !ok {
			err = noKey(name, key)
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
	err := o.read(ctx, name, func(tx *store.Tx) error {
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

// KVPut sets a plugin's value, within its quota; ttl 0 = it does not expire. The
// audit tells of it in the same commit.
func (o *Operator) KVPut(ctx context.Context, name string, key, value []byte, ttl time.Duration, by string) error {
	_, err := o.registry.ChangeKeys(ctx, name, func(tx *store.Tx) (plugin.Event, error) {
		detail := aboutKey(key, value)
		if ttl > 0 {
			detail += ", for " + ttl.String()
		}
		return plugin.Event{By: by, Action: plugin.ActionKVPut, Plugin: name, Detail: detail}, tx.Set(key, value, ttl)
	})
	return err
}

// KVDelete deletes a plugin's key; NotFound when it is absent or expired. The
// audit tells of it in the same commit.
func (o *Operator) KVDelete(ctx context.Context, name string, key []byte, by string) error {
	_, err := o.registry.ChangeKeys(ctx, name, func(tx *store.Tx) (plugin.Event, error) {
		data, ok, err := tx.Get(key)
		if err == nil && !ok {
			err = noKey(name, key)
		}
		if err != nil {
			return plugin.Event{}, err
		}
		e := plugin.Event{By: by, Action: plugin.ActionKVDelete, Plugin: name, Detail: aboutKey(key, data)}
		return e, tx.Delete(key)
	})
	return err
}

// aboutKey names a key in the audit, and the size of its value; the value may be
// a secret.
func aboutKey(key, value []byte) string { return fmt.Sprintf("key %.200q, %d bytes", key, len(value)) }

func noKey(name string, key []byte) error {
	return fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q has no key %q", name, key))
}

// read runs act on a plugin's key space, kept data of a deleted plugin included.
func (o *Operator) read(ctx context.Context, name string, act func(*store.Tx) error) error {
	p, err := o.registry.Plugin(ctx, name)
	if err != nil {
		return err
	}
	snap, err := o.store.Snapshot()
	if err != nil {
		return err
	}
	tx := store.Begin(snap, store.Space(p.Keys()), store.Quota{}, o.clock())
	defer tx.Close()
	return act(tx)
}
