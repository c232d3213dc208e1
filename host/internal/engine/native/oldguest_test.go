package native

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// TestOldGuest runs a guest that was built before request heads had a trigger,
// attributes and a deadline: sdk/c/testdata/vectors.c of then, which reads the head of its
// request, and answers what it makes of the head in the body. It is never built
// again.
func TestOldGuest(t *testing.T) {
	module, err := os.ReadFile("testdata/oldhead.wasm")
	if err != nil {
		t.Fatal(err)
	}
	e := enginetest.InProcess(New(Config{Functions: capabilities.All(capabilities.Config{}).Native()}))
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	p := enginetest.Prepare(t, e, module)
	head := abi.RequestHead{
		Method: "POST", Path: "/request_head", Scheme: "http", Host: "localhost", Remote: "127.0.0.1", RequestID: "r1", Attempt: 1,
		Trigger: "queue", Attributes: []abi.Pair{{Name: "queue.name", Value: strings.Repeat("m", 1000)}, {Name: "auth.subject"}},
	}
	layout := abi.AppendRequestHead(nil, &head)
	inv := enginetest.Invocation(string(layout), nil, nil)
	head.BodySize = uint64(len(layout))
	inv.Request = &invoke.Request{Head: head, Body: invoke.BodyOf(layout)}
	if err := enginetest.Handle(t.Context(), p, inv); err != nil {
		t.Fatal(err)
	}
	later := abi.AppendUint64(abi.AppendPairs(abi.AppendString(nil, head.Trigger), head.Attributes), uint64(head.Deadline))
	if want := string(layout[:len(layout)-len(later)]); inv.Reply.Status != 200 || string(inv.Reply.Body) != want {
		t.Errorf("got %d %q, want the fields up to body_size", inv.Reply.Status, inv.Reply.Body)
	}
}
