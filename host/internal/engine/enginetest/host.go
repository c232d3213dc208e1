package enginetest

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Snapshot is a state of the store in memory: one key space, nothing expires.
type Snapshot map[string]string

// Begin starts a transaction on s.
func Begin(s Snapshot) *store.Tx { return store.Begin(s, 1, store.Quota{}, time.Now()) }

// Revision implements store.Snapshot.
func (s Snapshot) Revision() store.Revision { return 1 }

// Since implements store.Snapshot.
func (s Snapshot) Since(store.Space) store.Revision { return 0 }

// Get implements store.Snapshot.
func (s Snapshot) Get(_ store.Space, key []byte) (store.Value, bool, error) {
	data, ok := s[string(key)]
	return store.Value{Data: []byte(data)}, ok, nil
}

// Scan implements store.Snapshot.
func (s Snapshot) Scan(_ store.Space, from, to []byte, reverse bool, yield func([]byte, store.Value) bool) error {
	keys := slices.Sorted(maps.Keys(s))
	if reverse {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		inside := key >= string(from) && (to == nil || key < string(to))
		if inside && !yield([]byte(key), store.Value{Data: []byte(s[key])}) {
			return nil
		}
	}
	return nil
}

// Durable implements store.Snapshot.
func (s Snapshot) Durable() error { return nil }

// Release implements store.Snapshot.
func (s Snapshot) Release() {}

// Call calls one of funcs by name as an engine does. An error of the function
// fails the test.
func Call(tb testing.TB, funcs []capability.Func, g *capability.Guest, name string, args ...uint64) int64 {
	tb.Helper()
	i := slices.IndexFunc(funcs, func(f capability.Func) bool { return f.Name == name })
	if i < 0 {
		tb.Fatalf("no host function %q", name)
	}
	if len(args) != len(funcs[i].Params) {
		tb.Fatalf("%s: %d arguments for %d parameters", name, len(args), len(funcs[i].Params))
	}
	result, err := funcs[i].Call(context.Background(), g, args)
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	if results := funcs[i].Results; len(results) > 0 && results[0] == abi.I32 {
		return int64(uint32(result))
	}
	return int64(result)
}
