package calls

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
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

// TestAnswerOfAPausedPlugin: who calls it is told when to try again, and not what an
// operator types.
func TestAnswerOfAPausedPlugin(t *testing.T) {
	caller := &invoke.Invocation{Request: &invoke.Request{}}
	for _, c := range []struct {
		writes bool
		says   string
	}{
		{false, "the plugin is paused by its operator; try again later"},
		{true, "the plugin takes no changes at the moment"},
	} {
		err := fault.Wrap(fault.Unavailable, "dispatch", "to end that run: wasmoor resume stock",
			dispatch.Paused{Pause: &plugin.Pause{Writes: c.writes, RetryAfter: 2 * time.Minute}})
		got := refuse(caller, statusOf(fault.CodeOf(err)), err)
		if text := string(got.Body); got.Status != 503 || !strings.Contains(text, c.says) || strings.Contains(text, "wasmoor resume") {
			t.Errorf("%d %s, want %q", got.Status, text, c.says)
		}
		if last := got.Header[len(got.Header)-1]; last != (abi.Pair{Name: "retry-after", Value: "120"}) {
			t.Errorf("the last header is %v", last)
		}
	}
}
