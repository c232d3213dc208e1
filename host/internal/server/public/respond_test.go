package public

import (
	"bufio"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// TestSlowReadersHoldBoundedMemory: clients who ask for much and read none of it
// do not make the server hold it for all of them.
func TestSlowReadersHoldBoundedMemory(t *testing.T) {
	const size, fit = 8 << 20, 2 // more than sockets hold
	body := strings.Repeat("x", size)
	results := map[string]dispatch.Result{
		"/": {Outcome: trace.Committed}, "/again": {Outcome: trace.None, Replayed: true}, "/read": {Outcome: trace.None},
	}
	p := newPublic(Config{Replies: limit.NewBudget(fit*size + size/2), Routes: mounted{&guest{handle: func(inv *invoke.Invocation) (dispatch.Result, error) {
		if inv.Request.Head.Path == "/small" {
			return reply(200, "small")(inv)
		}
		inv.Reply.Body = append(make([]byte, 0, size), body...)
		return results[inv.Request.Head.Path], nil
	}}}})
	addr := servertest.Listen(t, p)
	room := func() {
		t.Helper()
		for end := time.Now().Add(time.Minute); !isFree(p.sends, p.sends.Size()); runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatal("some of the memory for replies is still held")
			}
		}
	}
	var slow []net.Conn
	for range fit {
		c := servertest.Dial(t, addr)
		servertest.Send(t, c, servertest.Get("/"))
		if _, err := io.ReadFull(c, make([]byte, 16)); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	for _, tc := range []struct{ path, effects, retry string }{
		{"/", effectsCommitted, ""},
		{"/again", effectsCommitted, ""},
		{"/read", effectsNone, "5"},
	} {
		got := servertest.RoundTrip(t, addr, servertest.Get(tc.path))
		if got.StatusCode != 503 || got.Header.Get("Retry-After") != tc.retry {
			t.Errorf("%s: status %d, retry after %q", tc.path, got.StatusCode, got.Header.Get("Retry-After"))
		}
		if pr := servertest.CheckProblem(t, got); pr.Effects != tc.effects {
			t.Errorf("%s: effects %q, want %q", tc.path, pr.Effects, tc.effects)
		}
	}
	if got := servertest.RoundTrip(t, addr, servertest.Get("/small")); got.Text != "small" {
		t.Errorf("a small answer meanwhile: %d %s", got.StatusCode, got.Text)
	}
	for _, c := range slow {
		_ = c.Close()
	}
	room()
	c := servertest.Dial(t, addr)
	r := bufio.NewReader(c)
	for _, method := range []string{"GET", "HEAD", "GET"} { // on one connection
		servertest.Send(t, c, servertest.Request(method, "/", ""))
		got := servertest.Receive(t, r, method)
		if want := map[string]int{"GET": size}[method]; got.StatusCode != 200 || len(got.Text) != want || got.ContentLength != size {
			t.Errorf("%s: %d, %d bytes of %d", method, got.StatusCode, len(got.Text), got.ContentLength)
		}
	}
	room()
}
