// Notes is a back-end as its author writes it without wasmoor: package app is an
// http.Handler built with chi, and imports nothing of the platform. This file
// joins the two; native/main.go runs the same service under net/http alone.
package main

import (
	"net/http"
	"time"

	"github.com/wasmoor/wasmoor/examples/notes/app"
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/nethttp"
	"github.com/wasmoor/wasmoor/sdk/password"
)

func init() { nethttp.Handle(service()) }

func main() {}

func service() http.Handler {
	return app.New(app.Platform{
		Store:     store{},
		Passwords: passwords{},
		Client:    &http.Client{Transport: nethttp.Transport{}},
		Library:   library,
		Now:       time.Now,
	})
}

// library is a variable, which has a value in the manifest.
func library() (string, error) {
	origin, _ := sdk.Config("library")
	return origin, nil
}

// store is the plugin's key space. The host makes each request a transaction.
type store struct{}

func (store) Get(key string) ([]byte, bool, error) { return kv.Get(key) }

func (store) Set(key string, value []byte, ttl time.Duration) error {
	if ttl > 0 {
		return kv.SetTTL(key, value, kv.TTL(ttl))
	}
	return kv.Set(key, value)
}

func (store) Delete(key string) error { return kv.Delete(key) }

func (store) List(prefix, before string, limit int) (keys []string, more bool, err error) {
	entries, more, err := kv.List(kv.Query{Prefix: prefix, After: before, Limit: limit, Reverse: true, KeysOnly: true})
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	return keys, more, err
}

// passwords are hashed by the host, which takes a fraction of a guest's time.
type passwords struct{}

func (passwords) Hash(text string) (string, error) { return password.Hash(text) }

func (passwords) Verify(text, hash string) (bool, error) {
	right, _, err := password.Verify(text, hash)
	return right, err
}
