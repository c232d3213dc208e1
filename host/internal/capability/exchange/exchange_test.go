package exchange_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/exchange"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

func guest(body, mem string) *capability.Guest {
	return &capability.Guest{Inv: enginetest.Invocation(body, nil, nil), Mem: capability.Memory(mem)}
}

func call(t *testing.T, g *capability.Guest, name string, args ...uint64) int64 {
	t.Helper()
	return enginetest.Call(t, exchange.Unit().Native, g, name, args...)
}

func TestRequestHead(t *testing.T) {
	g := guest("four", strings.Repeat(".", 1024))
	size := call(t, g, abi.FnRequestHead, 0, 1024)
	if size <= 0 {
		t.Fatalf("got %d", size)
	}
	var head abi.RequestHead
	if !abi.DecodeRequestHead(string(g.Mem[:size]), &head) {
		t.Fatal("the head does not decode")
	}
	if diff := cmp.Diff(g.Inv.Request.Head, head, cmp.Transformer("empty", func(p []abi.Pair) []abi.Pair { return append([]abi.Pair{}, p...) })); diff != "" {
		t.Errorf("head (-want +got):\n%s", diff)
	}
}

func TestRequestBody(t *testing.T) {
	for _, test := range []struct {
		name     string
		offset   int64
		ptr, cap uint64
		want     int64
		mem      string
	}{
		{"whole", 0, 0, 8, 6, "abcdef.."},
		{"a piece", 0, 1, 3, 3, ".abc...."},
		{"the rest", 4, 0, 8, 2, "ef......"},
		{"at the end", 6, 0, 8, 0, "........"},
		{"far behind", 1 << 62, 0, 8, 0, "........"},
		{"no room", 0, 8, 0, 0, "........"},
		{"negative", -1, 0, 8, int64(abi.Invalid), "........"},
		{"out of memory", 0, 4, 5, int64(abi.BadPointer), "........"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for place, body := range map[string]invoke.Body{
				"memory": invoke.BodyOf([]byte("abcdef")),
				"file":   invoke.BodyIn(strings.NewReader("abcdefghi"), 6),
			} {
				g := guest("", "........")
				g.Inv.Request.Body = body
				got := call(t, g, abi.FnRequestBody, uint64(test.offset), test.ptr, test.cap)
				if got != test.want || string(g.Mem) != test.mem {
					t.Errorf("%s: got %d, %q, want %d, %q", place, got, g.Mem, test.want, test.mem)
				}
			}
		})
	}
}

// TestRequestBodyFails: a guest does not go on with a part of a body.
func TestRequestBodyFails(t *testing.T) {
	g := guest("", "........")
	g.Inv.Request.Body = invoke.BodyIn(strings.NewReader("abc"), 6)
	for _, f := range exchange.Unit().Native {
		if f.Name != abi.FnRequestBody {
			continue
		}
		if _, err := f.Call(context.Background(), g, []uint64{0, 0, 8}); fault.CodeOf(err) != fault.Internal {
			t.Errorf("got %v, want %s", err, fault.Internal)
		}
	}
}

func TestResponse(t *testing.T) {
	layout := abi.AppendResponseHead(nil, &abi.ResponseHead{Status: 404, Headers: []abi.Pair{{Name: "etag", Value: "1"}}})
	g := guest("", string(layout)+"body")
	n := uint64(len(layout))
	if got := call(t, g, abi.FnResponseHead, 0, n); got != 0 {
		t.Fatalf("response_head: got %d", got)
	}
	if got := call(t, g, abi.FnResponseWrite, n, 4); got != 0 {
		t.Fatalf("response_write: got %d", got)
	}
	reply := &g.Inv.Reply
	if reply.Status != 404 || len(reply.Headers) != 1 || string(reply.Body) != "body" || reply.Fault() != "" {
		t.Errorf("reply: %+v", reply)
	}
	g.Inv.Limits.ResponseBody = 5
	if got := call(t, g, abi.FnResponseWrite, n, 2); abi.Status(got) != abi.Limit || reply.Fault() == "" {
		t.Errorf("over the limit: got %v, fault %q", abi.Status(got), reply.Fault())
	}
	if got := call(t, g, abi.FnResponseHead, 0, n-1); abi.Status(got) != abi.Invalid {
		t.Errorf("head cut short: got %v", abi.Status(got))
	}
}

// TestResponseOutOfMemory checks that a bad pointer spoils the reply like any
// other refused part.
func TestResponseOutOfMemory(t *testing.T) {
	const good, bad = 0, 4096
	for _, test := range []struct {
		name    string
		write   bool // of the body, not the head
		at      []uint64
		spoiled bool
	}{
		{"good head", false, []uint64{good}, false},
		{"bad head", false, []uint64{bad}, true},
		{"bad head after a good one", false, []uint64{good, bad}, true},
		{"good head after a bad one", false, []uint64{bad, good}, false},
		{"good part", true, []uint64{good}, false},
		{"bad part", true, []uint64{bad}, true},
		{"good part after a bad one", true, []uint64{bad, good}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			layout := abi.AppendResponseHead(nil, &abi.ResponseHead{Status: 201})
			g := guest("", string(layout))
			name := abi.FnResponseHead
			if test.write {
				name = abi.FnResponseWrite
			}
			for _, at := range test.at {
				want := abi.OK
				if at == bad {
					want = abi.BadPointer
				}
				if got := abi.Status(call(t, g, name, at, uint64(len(layout)))); got != want {
					t.Errorf("%s at %d: got %v, want %v", name, at, got, want)
				}
			}
			if fault := g.Inv.Reply.Fault(); (fault != "") != test.spoiled {
				t.Errorf("fault %q, want one: %v", fault, test.spoiled)
			}
		})
	}
}

func TestRouteSet(t *testing.T) {
	long := strings.Repeat("r", limit.RoutePattern)
	for _, test := range []struct {
		name, pattern string
		want          abi.Status
	}{
		{"pattern", "GET /items/{id}", abi.OK},
		{"none", "", abi.OK},
		{"UTF-8", "/größe", abi.OK},
		{"longest", long, abi.OK},
		{"too long", long + "r", abi.Limit},
		{"not UTF-8", "/\xff", abi.Invalid},
		{"line break", "/a\nb", abi.Invalid},
		{"control", "/\u0085", abi.Invalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := guest("", test.pattern)
			g.Inv.Pattern = "before"
			got := abi.Status(call(t, g, abi.FnRouteSet, 0, uint64(len(test.pattern))))
			want := "before"
			if test.want == abi.OK {
				want = test.pattern
			}
			if got != test.want || g.Inv.Pattern != want {
				t.Errorf("got %v, pattern %q, want %v, %q", got, g.Inv.Pattern, test.want, want)
			}
		})
	}
}

func TestOutcomeSet(t *testing.T) {
	g := guest("", "")
	for outcome, want := range map[uint64]abi.Status{0: abi.OK, 1: abi.OK, 2: abi.OK, 3: abi.Invalid, 1<<32 - 1: abi.Invalid} {
		if got := abi.Status(call(t, g, abi.FnOutcomeSet, outcome)); got != want {
			t.Errorf("outcome_set(%d): got %v, want %v", outcome, got, want)
		}
	}
	call(t, g, abi.FnOutcomeSet, uint64(abi.OutcomeAbort))
	if g.Inv.Outcome != abi.OutcomeAbort {
		t.Errorf("outcome: got %d", g.Inv.Outcome)
	}
}

// TestRefusedPartsTakeNothing: only what is in the body counts of the handlers'
// memory.
func TestRefusedPartsTakeNothing(t *testing.T) {
	g := guest("", string(make([]byte, 100<<10)))
	g.Inv.Env.Memory = limit.NewBudget(100 << 10)
	g.Inv.Limits.ResponseBody = 150 << 10
	for i, want := range []abi.Status{abi.OK, abi.Limit, abi.Limit, abi.Limit} {
		if got := abi.Status(call(t, g, abi.FnResponseWrite, 0, 100<<10)); got != want {
			t.Errorf("part %d: %v, want %v", i, got, want)
		}
	}
	if err := g.Inv.Starved(); err != nil {
		t.Error(err)
	}
}
