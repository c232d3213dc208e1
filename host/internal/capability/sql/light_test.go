package sql

import (
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// TestLight: a request that writes in all likelihood is not light, nor one of whose reads
// somebody wants to know.
func TestLight(t *testing.T) {
	for _, c := range []struct {
		method string
		seen   func(*invoke.Invocation)
		want   bool
	}{
		{"GET", nil, true},
		{"HEAD", nil, true},
		{"POST", nil, false},
		{"PUT", nil, false},
		{"DELETE", nil, false},
		{"GET", func(*invoke.Invocation) {}, false},
	} {
		a := &attempt{inv: &invoke.Invocation{Request: &invoke.Request{Head: abi.RequestHead{Method: c.method}, Seen: c.seen}}}
		if got := a.light(); got != c.want {
			t.Errorf("%s, whose reads are wanted: %v: %v", c.method, c.seen != nil, got)
		}
	}
}
