package calls

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/service"
)

// TestAnswerToHEAD: the answer to HEAD has the length of what the handler has written and
// nothing of it, as at the public listener.
func TestAnswerToHEAD(t *testing.T) {
	for method, body := range map[string]string{"GET": "body", "HEAD": ""} {
		inv := &invoke.Invocation{Env: &invoke.Env{}, Request: &invoke.Request{Head: abi.RequestHead{Method: method}}}
		inv.Begin(1, limit.Default(), nil)
		inv.Reply.Write([]byte("body"), 10)
		got := answer(inv)
		want := service.Answer{Status: 200, Header: []abi.Pair{{Name: "content-length", Value: "4"}}, Body: []byte(body)}
		if string(got.Body) != body || got.Status != want.Status {
			t.Errorf("%s: %d %q, want %q", method, got.Status, got.Body, body)
		}
		if diff := cmp.Diff(want.Header, got.Header); diff != "" {
			t.Errorf("%s: %s", method, diff)
		}
	}
}
