package service_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/service"
)

// begun returns calls of a handler that may call "stock", and what was called.
func begun(run service.Runner) *service.Calls {
	states := invoke.States{}
	states.Add(service.Name, &service.Services{Bound: map[string]string{"stock": "store-room"}, Run: run})
	inv := &invoke.Invocation{Env: &invoke.Env{Plugin: "shop", States: states}, Request: &invoke.Request{Head: abi.RequestHead{Host: "shop.example"}}}
	inv.Begin(1, limit.Default(), nil)
	return service.Of(inv, egress.Trace{Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
}

func TestCalls(t *testing.T) {
	var got []service.Call
	c := begun(func(_ context.Context, caller *invoke.Invocation, q *service.Call) (service.Answer, error) {
		if caller.Calling() != "stock.wasmoor.internal" {
			t.Errorf("the handler waits for %q", caller.Calling())
		}
		got = append(got, *q)
		return service.Answer{Status: 201, Header: []abi.Pair{{Name: "a", Value: "b"}}, Body: []byte("answer")}, nil
	})
	handle, status, why := c.Open(&abi.HTTPRequest{Method: "PUT", URL: "http://stock.wasmoor.internal/items/7?x=1", TimeoutMS: 250})
	if status != abi.OK || handle < service.First {
		t.Fatal(handle, status, why)
	}
	if s := c.Write(handle, []byte("bo")); s != abi.OK {
		t.Error(s)
	}
	if s := c.Write(handle, []byte("dy")); s != abi.OK {
		t.Error(s)
	}
	if _, s := c.Response(handle); s != abi.Invalid {
		t.Errorf("a response before the call: %v", s)
	}
	if n, err := c.Send(t.Context(), []uint32{handle}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	q := got[0]
	if q.Plugin != "store-room" || q.Method != "PUT" || q.Path != "/items/7" || q.Query != "x=1" || string(q.Body) != "body" || q.Timeout.Milliseconds() != 250 ||
		len(q.Header) != 1 || !strings.HasPrefix(q.Header[0].Value, "00-4bf92f3577b34da6a3ce929d0e0e4736") {
		t.Errorf("called: %+v", q)
	}
	if r, s := c.Response(handle); s != abi.OK || r.Status != 201 || r.Headers[0].Value != "b" || r.URL != "http://stock.wasmoor.internal/items/7?x=1" {
		t.Errorf("%+v, %v", r, s)
	}
	buf := make([]byte, 4)
	for _, want := range []string{"answ", "er", ""} {
		if n, s := c.Read(handle, buf); s != abi.OK || string(buf[:n]) != want {
			t.Errorf("read %q, %v, want %q", buf[:n], s, want)
		}
	}
	if s := c.Ready([]uint32{handle}); s != abi.Invalid {
		t.Errorf("sent twice: %v", s)
	}
	if s := c.Write(handle, nil); s != abi.Invalid {
		t.Errorf("written after: %v", s)
	}
	if c.CloseCall(handle) != abi.OK || c.CloseCall(handle) != abi.NotFound {
		t.Error("a call is closed once")
	}
	if _, s := c.Read(handle, buf); s != abi.NotFound {
		t.Errorf("read after its end: %v", s)
	}
}

func TestCallsRefuse(t *testing.T) {
	c := begun(func(context.Context, *invoke.Invocation, *service.Call) (service.Answer, error) {
		t.Error("called")
		return service.Answer{}, nil
	})
	if _, s, why := c.Open(&abi.HTTPRequest{URL: "http://mail.wasmoor.internal/"}); s != abi.Denied || !strings.Contains(why, "it has: stock") {
		t.Errorf("another name: %v, %s", s, why)
	}
	if _, s, _ := c.Open(&abi.HTTPRequest{URL: "https://stock.wasmoor.internal/"}); s != abi.Invalid {
		t.Errorf("https: %v", s)
	}
	handle, _, _ := c.Open(&abi.HTTPRequest{URL: "http://stock.wasmoor.internal/", Headers: []abi.Pair{{Name: "content-length", Value: "9"}}})
	for _, void := range []uint32{0, 1, service.First - 1, handle + 1, 1<<32 - 1} {
		if c.Ready([]uint32{void}) != abi.NotFound || c.Write(void, nil) != abi.NotFound || c.Reason(void) != "" {
			t.Errorf("handle %d is there", void)
		}
	}
	if c.Write(handle, make([]byte, egress.MaxBody)) != abi.OK || c.Write(handle, []byte("x")) != abi.Limit {
		t.Error("a body has no limit")
	}
	if n, err := c.Send(t.Context(), []uint32{handle}); n != 0 || err != nil {
		t.Error(n, err)
	}
	if _, s := c.Read(handle, nil); s != abi.Invalid || c.Reason(handle) == "" {
		t.Errorf("a length that is wrong: %v, %q", s, c.Reason(handle))
	}
	var none *service.Calls
	if none.Write(service.First, nil) != abi.NotFound || none.Ready([]uint32{service.First}) != abi.NotFound {
		t.Error("a handler that may call nobody has a call")
	}
}

// TestCallsEndTheAttempt: an error of the runner is one of the attempt.
func TestCallsEndTheAttempt(t *testing.T) {
	lost := errors.New("lost")
	c := begun(func(context.Context, *invoke.Invocation, *service.Call) (service.Answer, error) {
		return service.Answer{}, lost
	})
	handle, _, _ := c.Open(&abi.HTTPRequest{URL: "http://stock.wasmoor.internal/"})
	if _, err := c.Send(t.Context(), []uint32{handle}); !errors.Is(err, lost) {
		t.Errorf("got %v", err)
	}
}
