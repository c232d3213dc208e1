package public

import (
	"bufio"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// TestServerTiming: strangers learn nothing unless the operator says so; what the guest
// says of itself stays.
func TestServerTiming(t *testing.T) {
	const times = "queue;dur=1.000, wake;dur=0.000, run;dur=2.500, out;dur=0.000, commit;dur=3.000"
	took := dispatch.Result{Attempts: 1, Wait: time.Millisecond, Run: 2500 * time.Microsecond, Commit: 3 * time.Millisecond}
	answers := func(inv *invoke.Invocation) (dispatch.Result, error) {
		inv.Reply.Status = 200
		inv.Reply.Headers = append(inv.Reply.Headers, abi.Pair{Name: "server-timing", Value: "db;dur=1"})
		return took, nil
	}
	fails := func(*invoke.Invocation) (dispatch.Result, error) { return took, fault.New(fault.Trap, "", "why") }
	for _, tt := range []struct {
		on     bool
		handle func(*invoke.Invocation) (dispatch.Result, error)
		want   string
	}{{true, answers, "db;dur=1 | " + times}, {true, fails, times}, {false, answers, "db;dur=1"}, {false, fails, ""}} {
		p := newPublic(Config{Routes: mounted{&guest{handle: tt.handle}}, ServerTiming: tt.on})
		p.edge.App.Handler()
		var ctx fasthttp.RequestCtx
		ctx.Init2(nowhere{}, nil, false)
		if err := ctx.Request.Header.Read(bufio.NewReader(strings.NewReader("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"))); err != nil {
			t.Fatal(err)
		}
		p.edge.App.Server().Handler(&ctx)
		var got []string
		for name, value := range ctx.Response.Header.All() {
			if strings.EqualFold(string(name), headerTiming) {
				got = append(got, string(value))
			}
		}
		if strings.Join(got, " | ") != tt.want {
			t.Errorf("on %v: %q, want %q", tt.on, got, tt.want)
		}
	}
}
