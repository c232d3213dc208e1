package client

import (
	"context"
	"net/http"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// KVList lists keys of a plugin's key space.
func (c *Client) KVList(ctx context.Context, q adminapi.KeysQuery) (adminapi.KeyPage, error) {
	var page adminapi.KeyPage
	err := c.about(ctx, q.Name, request{op: "list keys", method: http.MethodGet, path: adminapi.PathKeys, in: q}, &page)
	return page, err
}

// KVGet returns the value of a key.
func (c *Client) KVGet(ctx context.Context, name string, key []byte) ([]byte, error) {
	if err := plugin.CheckName(name); err != nil {
		return nil, err
	}
	resp, err := c.send(ctx, request{op: "get key", method: http.MethodGet, path: adminapi.PathValue, in: valueRef(name, key)})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	value, err := readAll(resp.Body, maxValue)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "get key", "the value was cut short", err)
	}
	return value, nil
}

// KVPut writes the value of a key; a ttl above zero lets it expire.
func (c *Client) KVPut(ctx context.Context, name string, key, value []byte, ttl time.Duration) error {
	in := adminapi.ValuePut{ValueRef: valueRef(name, key)}
	if ttl > 0 {
		in.TTL = (ttl + time.Millisecond - 1).Truncate(time.Millisecond).String() // as exact as a store is
	}
	return c.about(ctx, name, request{
		op: "put key", method: http.MethodPut, path: adminapi.PathValue, in: in,
		body: append([]byte{}, value...), contentType: adminapi.TypeValue,
	}, nil)
}

// KVDelete removes a key; NotFound when it is absent or expired.
func (c *Client) KVDelete(ctx context.Context, name string, key []byte) error {
	return c.about(ctx, name, request{op: "delete key", method: http.MethodDelete, path: adminapi.PathValue, in: valueRef(name, key)}, nil)
}

func valueRef(name string, key []byte) adminapi.ValueRef {
	return adminapi.ValueRef{PluginRef: adminapi.PluginRef{Name: name}, Key: adminapi.KeyOf(key)}
}
