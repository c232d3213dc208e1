package client

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// KVQuery selects keys in order. Zero fields select everything, in pages of the
// server's size.
type KVQuery struct {
	Prefix  string
	After   string // start behind this key
	Limit   int
	Reverse bool
}

// KVEntry is a key and what is known of its value.
type KVEntry struct {
	Key       string `json:"key,omitempty"`
	KeyBase64 string `json:"key_base64,omitempty"` // instead of Key when the key is not UTF-8
	Size      int64  `json:"size"`                 // bytes of the value
}

// KVPage is a part of a listing.
type KVPage struct {
	Entries []KVEntry `json:"entries"`
	More    bool      `json:"more"` // there are keys behind the last entry
}

// KVList lists keys of a plugin's key space.
func (c *Client) KVList(ctx context.Context, name string, q KVQuery) (KVPage, error) {
	query := url.Values{}
	setNotEmpty(query, "prefix", q.Prefix)
	setNotEmpty(query, "after", q.After)
	if q.Limit > 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Reverse {
		query.Set("reverse", "true")
	}
	var page KVPage
	err := c.plugin(ctx, request{op: "list keys", method: http.MethodGet, path: []string{"kv"}, query: query}, name, &page)
	return page, err
}

// KVGet returns the value of a key.
func (c *Client) KVGet(ctx context.Context, name string, key []byte) ([]byte, error) {
	if err := plugin.CheckName(name); err != nil {
		return nil, err
	}
	resp, err := c.send(ctx, kvRequest("get key", http.MethodGet, name, key))
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
	r := kvRequest("put key", http.MethodPut, name, key)
	r.body, r.contentType = append([]byte{}, value...), "application/octet-stream"
	if ttl > 0 {
		r.query.Set("ttl", ttl.String())
	}
	return c.kvCall(ctx, name, r)
}

// KVDelete removes a key. An absent key is no error.
func (c *Client) KVDelete(ctx context.Context, name string, key []byte) error {
	return c.kvCall(ctx, name, kvRequest("delete key", http.MethodDelete, name, key))
}

func (c *Client) kvCall(ctx context.Context, name string, r request) error {
	if err := plugin.CheckName(name); err != nil {
		return err
	}
	return c.call(ctx, r, nil)
}

func kvRequest(op, method, name string, key []byte) request {
	query := url.Values{}
	if utf8.Valid(key) {
		query.Set("key", string(key))
	} else {
		query.Set("key_base64", base64.StdEncoding.EncodeToString(key))
	}
	return request{op: op, method: method, path: []string{"v1", "plugins", name, "kv", "value"}, query: query}
}
