package server

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
)

// TestSlowReadersHoldBoundedMemory: clients who ask for much and read none of it
// do not make the server hold it for all of them.
func TestSlowReadersHoldBoundedMemory(t *testing.T) {
	const size, fit = 8 << 20, 2 // more than sockets hold
	body := strings.Repeat("x", size)
	results := map[string]dispatch.Result{
		"/": {Outcome: dispatch.Committed}, "/again": {Outcome: dispatch.None, Replayed: true}, "/read": {Outcome: dispatch.None},
	}
	p := NewPublic(PublicConfig{ReplyMemory: fit*size + size/2, Routes: mounted{&guest{handle: func(inv *invoke.Invocation) (dispatch.Result, error) {
		if inv.Request.Head.Path == "/small" {
			return reply(200, "small")(inv)
		}
		inv.Reply.Body = append(make([]byte, 0, size), body...)
		return results[inv.Request.Head.Path], nil
	}}}})
	addr := listen(t, p)
	room := func() {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); p.sends.Load() != p.cfg.ReplyMemory; runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatalf("%d bytes are still held", p.cfg.ReplyMemory-p.sends.Load())
			}
		}
	}
	var slow []net.Conn
	for range fit {
		c := dial(t, addr)
		send(t, c, get("/"))
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
		got := roundTrip(t, addr, get(tc.path))
		if got.StatusCode != 503 || got.Header.Get("Retry-After") != tc.retry {
			t.Errorf("%s: status %d, retry after %q", tc.path, got.StatusCode, got.Header.Get("Retry-After"))
		}
		if pr := checkProblem(t, got); pr.Effects != tc.effects {
			t.Errorf("%s: effects %q, want %q", tc.path, pr.Effects, tc.effects)
		}
	}
	if got := roundTrip(t, addr, get("/small")); got.body != "small" {
		t.Errorf("a small answer meanwhile: %d %s", got.StatusCode, got.body)
	}
	for _, c := range slow {
		_ = c.Close()
	}
	room()
	c := dial(t, addr)
	r := bufio.NewReader(c)
	for _, method := range []string{"GET", "HEAD", "GET"} { // on one connection
		send(t, c, request(method, "/", ""))
		got := receive(t, r, method)
		if want := map[string]int{"GET": size}[method]; got.StatusCode != 200 || len(got.body) != want || got.ContentLength != size {
			t.Errorf("%s: %d, %d bytes of %d", method, got.StatusCode, len(got.body), got.ContentLength)
		}
	}
	room()
}
