package public

import (
	"bufio"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/cache"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
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

// TestKeptAnswersTakeMemory: answers of the cache count like others for as long as clients
// read them.
func TestKeptAnswersTakeMemory(t *testing.T) {
	const size = 700 << 10
	s, err := badger.Open(badger.Config{Dir: t.TempDir(), MinFree: -1, ScrubEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	answers := cache.New(s)
	t.Cleanup(answers.Close)
	answer := reply(200, strings.Repeat("x", size))
	p := newPublic(Config{Cache: answers, Replies: limit.NewBudget(size), Routes: caching{mounted{&guest{handle: func(inv *invoke.Invocation) (dispatch.Result, error) {
		res, err := answer(inv)
		inv.Request.Seen(inv)
		return res, err
	}}}}})
	addr := servertest.Listen(t, p)
	for _, want := range []string{"stored", "hit"} {
		got := servertest.RoundTrip(t, addr, servertest.Get("/"))
		if got.StatusCode != 200 || len(got.Text) != size || !strings.Contains(got.Header.Get("Cache-Status"), want) {
			t.Errorf("%d, %d bytes, %s; want it %s", got.StatusCode, len(got.Text), got.Header.Get("Cache-Status"), want)
		}
		for end := time.Now().Add(time.Minute); !isFree(p.sends, size); runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatal("some of the memory for replies is still held")
			}
		}
	}
	held := p.sends.Share()
	held.Take(1)
	for _, path := range []string{"/", "/other"} {
		if got := servertest.RoundTrip(t, addr, servertest.Get(path)); got.StatusCode != 503 {
			t.Errorf("%s without room: %d", path, got.StatusCode)
		}
	}
	if got := servertest.RoundTrip(t, addr, servertest.Request("HEAD", "/", "")); got.StatusCode != 200 || got.ContentLength != size {
		t.Errorf("HEAD: %d, %d bytes", got.StatusCode, got.ContentLength)
	}
	held.Give()
}
