package public

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

func TestPaths(t *testing.T) {
	addr := publicFor(t, echo)
	for _, tc := range []struct {
		path   string
		status int
	}{
		{"/", 200},
		{"/a/", 200},
		{"/a.b/..c/...", 200},
		{"/%41%C3%A4", 200},
		{"/a%252e%252e%252fb", 200}, // one decoding gives no dot segment
		{"/a;b=c,d@e:f!$&'()*+", 200},
		{"/.", 400},
		{"/..", 400},
		{"/a/./b", 400},
		{"/a/../b", 400},
		{"/a/..", 400},
		{"/a/%2e/b", 400},
		{"/a/%2e%2e/b", 400},
		{"/a/.%2E/b", 400},
		{"/a/%2e.", 400},
		{"/a%2fb", 400},
		{"/a%2Fb", 400},
		{"/nothing%2Fb", 400},
		{"/slashes/a%2Fb%2f", 200},
		{"/slashes/%2F%2Fb/c", 200},
		{"/slashes%2Fa", 200},
		{"/slashes/https%3A%2F%2Fexample.com%2Fa", 200},
		{"/slashes/a%2F..%2Fb", 400},
		{"/slashes/a%2F%2e%2E/b", 400},
		{"/slashes/.%2Fb", 400},
		{"/slashes/a%2F.", 400},
		{"/slashes/a%5Cb", 400},
		{"/slashes//a%2Fb", 400},
		{"/a\\b", 400},
		{"/a%5cb", 400},
		{"/a%00b", 400},
		{"/a%0d%0ab", 400},
		{"/a%7fb", 400},
		{"/a%", 400},
		{"/a%4", 400},
		{"/a%zz", 400},
		{"//a", 400},
		{"/a//b", 400},
		{"http://test//a", 400},
		{"http://test/a/../b", 400},
	} {
		got := servertest.RoundTrip(t, addr, servertest.Get(tc.path))
		if got.StatusCode != tc.status {
			t.Errorf("%s: status %d, want %d: %s", tc.path, got.StatusCode, tc.status, got.Text)
		}
		if tc.status == 400 {
			if p := servertest.CheckProblem(t, got); p.Effects != effectsNone {
				t.Errorf("%s: effects %q", tc.path, p.Effects)
			}
		} else if want := "GET " + tc.path + "?"; !strings.HasPrefix(got.Text, want) {
			t.Errorf("%s: the guest saw %q", tc.path, got.Text)
		}
	}
}

func TestRefusedPathEndsConnection(t *testing.T) { servertest.RefusesPaths(t, publicFor(t, echo)) }

func TestAcceptGoesOn(t *testing.T) {
	servertest.AcceptGoesOn(t, "public", func(log *slog.Logger) servertest.Listener {
		return newPublic(Config{Routes: mounted{&guest{handle: echo}}, Log: log})
	})
}

func TestRequestAsTheGuestSeesIt(t *testing.T) {
	var got abi.RequestHead
	var drop bool
	addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
		got, drop = inv.Request.Head, inv.Request.DropEffects
		got.Headers, got.Params = slices.Clone(got.Headers), slices.Clone(got.Params)
		return dispatch.Result{}, nil
	})
	servertest.RoundTrip(t, addr, servertest.Request("HEAD", "/a%20b?q=%41", "hello", "Content-Length: 5", "Cookie: a=b; c=d", "X-Request-ID: abc-1"))
	want := abi.RequestHead{
		Method: "HEAD", Path: "/a%20b", Pattern: "/{rest...}", Params: []abi.Pair{{Name: "rest", Value: "a%20b"}},
		Query:   "q=%41",
		Headers: []abi.Pair{{Name: "host", Value: "test"}, {Name: "cookie", Value: "a=b; c=d"}, {Name: "x-request-id", Value: "abc-1"}},
		Scheme:  "http", Host: "test", Remote: "127.0.0.1", RequestID: "abc-1", Attempt: 1, BodySize: 5, Trigger: "http",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request head (-want +got):\n%s", diff)
	}
	if !drop {
		t.Error("the effects of HEAD are not dropped")
	}
}

// TestAttributesAreTheHosts sends what looks like trigger and attributes.
func TestAttributesAreTheHosts(t *testing.T) {
	var got abi.RequestHead
	addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
		got = inv.Request.Head
		got.Headers = slices.Clone(got.Headers)
		return dispatch.Result{}, nil
	})
	sent := []string{
		"Trigger: queue", "X-Trigger: cron", "Attributes: auth.subject=root", "Auth.Subject: root", "caller.plugin: shop",
		"Socket.Id: 1", "queue.name: mail", "Cron.Schedule: @daily", "Wasmoor-Attributes: auth.subject=root",
	}
	servertest.RoundTrip(t, addr, servertest.Request("POST", "/?trigger=queue&auth.subject=root", "", append(sent, "Content-Length: 0")...))
	if got.Trigger != abi.TriggerHTTP || len(got.Attributes) != 0 {
		t.Errorf("a client made the trigger %q and the attributes %v", got.Trigger, got.Attributes)
	}
	if want := 1 + len(sent); len(got.Headers) != want { // they are header fields, and host is one more
		t.Errorf("%d header fields arrived, want %d: %v", len(got.Headers), want, got.Headers)
	}
}

func TestRequestIDs(t *testing.T) {
	addr := publicFor(t, reply(200, "", abi.Pair{Name: "X-Request-Id", Value: "of-the-guest"}))
	for given, keep := range map[string]bool{
		"":                       false,
		"abc-1":                  true,
		strings.Repeat("a", 128): true,
		strings.Repeat("a", 129): false,
		"a b":                    false,
		`"><script>`:             false,
	} {
		got := servertest.RoundTrip(t, addr, servertest.Get("/", "X-Request-Id: "+given)).Header.Values("X-Request-Id")
		if len(got) != 1 || keep != (got[0] == given) || !keep && len(got[0]) != 26 {
			t.Errorf("given %q: ids %q, kept should be %v", given, got, keep)
		}
	}
}

func TestReplies(t *testing.T) {
	for name, tc := range map[string]struct {
		method string
		handle func(*invoke.Invocation) (dispatch.Result, error)
		want   string // head without date and request id, and body
	}{
		"plain":               {"GET", reply(200, "hi"), "HTTP/1.1 200 OK\nContent-Type: text/plain; charset=utf-8\nContent-Length: 2\n\nhi"},
		"empty":               {"GET", reply(200, ""), "HTTP/1.1 200 OK\nContent-Length: 0\n\n"},
		"unknown status":      {"GET", reply(299, ""), "HTTP/1.1 299 Unknown Status Code\nContent-Length: 0\n\n"},
		"HEAD":                {"HEAD", reply(200, "hi"), "HTTP/1.1 200 OK\nContent-Type: text/plain; charset=utf-8\nContent-Length: 2\n\n"},
		"HEAD, large":         {"HEAD", reply(200, strings.Repeat("a", 100_000)), "HTTP/1.1 200 OK\nContent-Type: text/plain; charset=utf-8\nContent-Length: 100000\n\n"},
		"HEAD, empty":         {"HEAD", reply(200, ""), "HTTP/1.1 200 OK\n\n"},
		"no content type":     {"GET", reply(200, "hi", abi.Pair{Name: "content-type"}), "HTTP/1.1 200 OK\nContent-Type: text/plain; charset=utf-8\nContent-Length: 2\n\nhi"},
		"single fields":       {"GET", reply(200, "", twice("content-type", "content-encoding", "server")...), "HTTP/1.1 200 OK\nServer: 2\nContent-Type: 2\nContent-Encoding: 2\nContent-Length: 0\n\n"},
		"order":               {"GET", reply(200, "", twice("b", "set-cookie", "a")...), "HTTP/1.1 200 OK\nContent-Length: 0\nb: 1\nb: 2\na: 1\na: 2\nSet-Cookie: 1\nSet-Cookie: 2\n\n"},
		"204 with body":       {"GET", reply(204, "hi"), "HTTP/1.1 204 No Content\n\n"},
		"205 with body":       {"GET", reply(205, "hi", abi.Pair{Name: "a", Value: "b"}), "HTTP/1.1 205 Reset Content\nContent-Length: 0\na: b\n\n"},
		"205 with large body": {"GET", reply(205, strings.Repeat("a", 100_000)), "HTTP/1.1 205 Reset Content\nContent-Length: 0\n\n"},
		"304 with body":       {"GET", reply(304, "hi", abi.Pair{Name: "ETag", Value: `"x"`}), "HTTP/1.1 304 Not Modified\nETag: \"x\"\n\n"},
		"large":               {"GET", reply(200, strings.Repeat("a", 100_000), abi.Pair{Name: "Content-Type", Value: "a/b"}), "HTTP/1.1 200 OK\nContent-Type: a/b\nContent-Length: 100000\n\n" + strings.Repeat("a", 100_000)},
		"error of the guest":  {"GET", reply(500, "oops", abi.Pair{Name: "content-type", Value: "text/x"}), "HTTP/1.1 500 Internal Server Error\nContent-Type: text/x\nContent-Length: 4\n\noops"},
		"encoded body":        {"GET", reply(200, "\x1f\x8b", abi.Pair{Name: "Content-Encoding", Value: "gzip"}, abi.Pair{Name: "content-type", Value: "a/b"}), "HTTP/1.1 200 OK\nContent-Type: a/b\nContent-Encoding: gzip\nContent-Length: 2\n\n\x1f\x8b"},
		"range":               {"GET", reply(206, "b", abi.Pair{Name: "content-range", Value: "bytes 1-1/3"}, abi.Pair{Name: "content-type", Value: "a/b"}), "HTTP/1.1 206 Partial Content\nContent-Type: a/b\nContent-Length: 1\ncontent-range: bytes 1-1/3\n\nb"},
		"names as given":      {"GET", reply(200, "", abi.Pair{Name: "x-LOWER", Value: "1"}, abi.Pair{Name: "x-LOWER", Value: "2"}, abi.Pair{Name: "WWW-Authenticate", Value: "x"}), "HTTP/1.1 200 OK\nContent-Length: 0\nx-LOWER: 1\nx-LOWER: 2\nWWW-Authenticate: x\n\n"},
		"cookies":             {"GET", reply(200, "", abi.Pair{Name: "set-cookie", Value: "a=1; Path=/"}, abi.Pair{Name: "set-cookie", Value: "a=2"}), "HTTP/1.1 200 OK\nContent-Length: 0\nSet-Cookie: a=1; Path=/\nSet-Cookie: a=2\n\n"},
		"date is the host's":  {"GET", reply(200, "", abi.Pair{Name: "date", Value: "yesterday"}, abi.Pair{Name: "DATE", Value: "yesterday"}), "HTTP/1.1 200 OK\nContent-Length: 0\n\n"},
		"server is the guest": {"GET", reply(200, "", abi.Pair{Name: "server", Value: "me"}), "HTTP/1.1 200 OK\nServer: me\nContent-Length: 0\n\n"},
		"CR LF in a value":    {"GET", reply(200, "", abi.Pair{Name: "a", Value: "b\r\nEvil: 1"}), "HTTP/1.1 200 OK\nContent-Length: 0\na: b  Evil: 1\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := publicFor(t, tc.handle)
			c := servertest.Dial(t, addr)
			servertest.Send(t, c, servertest.Request(tc.method, "/", "", "Connection: close"))
			raw, err := io.ReadAll(c)
			if err != nil {
				t.Fatal(err)
			}
			if got := withoutVarying(string(raw)); got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

// twice returns each field with the value 1 and then 2.
func twice(names ...string) (fields []abi.Pair) {
	for _, name := range names {
		fields = append(fields, abi.Pair{Name: name, Value: "1"}, abi.Pair{Name: name, Value: "2"})
	}
	return fields
}

// withoutVarying removes what differs between responses.
func withoutVarying(raw string) string {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	var lines []string
	for line := range strings.SplitSeq(head, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		if !slices.Contains([]string{"Date", "X-Request-Id", "Connection"}, name) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n") + "\n\n" + body
}

// TestHeaderSplitting gives the guest's head the way a guest does: a name or
// value that would split the response never gets to the wire.
func TestHeaderSplitting(t *testing.T) {
	for _, f := range []abi.Pair{
		{Name: "X\r\nEvil", Value: "1"},
		{Name: "X\nEvil", Value: "1"},
		{Name: "X: 1\r\nEvil", Value: "1"},
		{Name: "X", Value: "1\r\nEvil: 1"},
		{Name: "X", Value: "1\nEvil: 1"},
		{Name: "X", Value: "1\r\n\r\nEvil"},
		{Name: "", Value: "1"},
		{Name: "Content-Length", Value: "3"},
		{Name: "Content-Length", Value: "0x0"},
		{Name: "transfer-encoding", Value: "gzip"},
	} {
		addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
			_ = inv.Reply.SetHead(abi.AppendResponseHead(nil, &abi.ResponseHead{Status: 200, Headers: []abi.Pair{f}}))
			if fault := inv.Reply.Fault(); fault != "" {
				return dispatch.Result{Outcome: trace.Aborted}, errors.New(fault)
			}
			return dispatch.Result{}, nil
		})
		c := servertest.Dial(t, addr)
		servertest.Send(t, c, servertest.Get("/", "Connection: close"))
		raw, _ := io.ReadAll(c)
		if !bytes.HasPrefix(raw, []byte("HTTP/1.1 500 ")) || bytes.Contains(raw, []byte("\nEvil")) {
			t.Errorf("%q: response %q", f, raw)
		}
	}
}

func TestUnrouted(t *testing.T) {
	addr := publicFor(t, echo)
	for _, tc := range []struct {
		request, allow string
		status         int
	}{
		{servertest.Get("/nothing"), "", 404},
		{servertest.Request("OPTIONS", "/nothing", ""), "", 404},
		{servertest.Get("/fixed"), "", 200},
		{servertest.Request("PUT", "/fixed", ""), "GET, POST", 405},
		{servertest.Request("BREW", "/fixed", ""), "GET, POST", 405},
		{servertest.Request("OPTIONS", "/fixed", ""), "GET, POST", 204},
		{servertest.Request("OPTIONS", "*", ""), everyMethod, 204},
		{servertest.Request("OPTIONS", "/guests-own", ""), "", 200},
	} {
		got := servertest.RoundTrip(t, addr, tc.request)
		if got.StatusCode != tc.status || got.Header.Get("Allow") != tc.allow {
			t.Errorf("%q: status %d, Allow %q; want %d, %q", tc.request, got.StatusCode, got.Header.Get("Allow"), tc.status, tc.allow)
		}
		if tc.status >= 400 {
			servertest.CheckProblem(t, got)
		}
	}
}

func TestBodyOverTheLimit(t *testing.T) {
	addr := publicFor(t, echo)
	for name, raw := range map[string]string{
		"10 GB announced":  servertest.Request("POST", "/small", strings.Repeat("a", 1000), "Content-Length: 10000000000"),
		"one byte over":    servertest.Request("POST", "/small", "a", "Content-Length: 65"),
		"chunked":          servertest.Request("POST", "/small", strings.Repeat("10\r\n0123456789abcdef\r\n", 5), "Transfer-Encoding: chunked"),
		"chunk of 1 PB":    servertest.Request("POST", "/small", "3ffffffffffff\r\n"+strings.Repeat("a", 100), "Transfer-Encoding: chunked"),
		"asked beforehand": servertest.Request("POST", "/small", "", "Content-Length: 65", "Expect: 100-continue"),
	} {
		t.Run(name, func(t *testing.T) {
			c := servertest.Dial(t, addr)
			servertest.Send(t, c, raw) // never the whole body
			r := bufio.NewReader(c)
			got := servertest.Receive(t, r, "POST")
			if got.StatusCode != 413 {
				t.Errorf("status %d, want 413: %s", got.StatusCode, got.Text)
			}
			servertest.CheckProblem(t, got)
			if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("the connection goes on: %v", err)
			}
		})
	}
	if got := servertest.RoundTrip(t, addr, servertest.Request("POST", "/small", strings.Repeat("a", 64), "Content-Length: 64")); got.StatusCode != 200 {
		t.Errorf("a body at the limit: status %d", got.StatusCode)
	}
}

// TestNoMemoryForBodies: a body there is no memory for is refused, and taken once
// there is.
func TestNoMemoryForBodies(t *testing.T) {
	p := newPublic(Config{Routes: mounted{&guest{handle: echo}}, Bodies: limit.NewBudget(4 << 10)})
	addr := servertest.Listen(t, p)
	others := p.room.Share()
	if !others.Take(2 << 10) {
		t.Fatal("the memory for bodies is less than Bodies")
	}
	small := servertest.Request("POST", "/echo", strings.Repeat("b", 2000), "Content-Length: 2000")
	got := servertest.RoundTrip(t, addr, small)
	if got.StatusCode != 503 || got.Header.Get("Retry-After") == "" {
		t.Errorf("while others have the memory: status %d, header %v", got.StatusCode, got.Header)
	}
	servertest.CheckProblem(t, got)
	others.Give()
	if got := servertest.RoundTrip(t, addr, small); got.StatusCode != 200 {
		t.Errorf("once they have given it back: status %d", got.StatusCode)
	}
}

func TestExpectContinue(t *testing.T) {
	addr := publicFor(t, echo)
	c := servertest.Dial(t, addr)
	servertest.Send(t, c, servertest.Request("POST", "/small", "", "Content-Length: 5", "expect: 100-Continue"))
	r := bufio.NewReader(c)
	if line, err := r.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	servertest.Send(t, c, "hello")
	if got := servertest.Receive(t, r, "POST"); got.StatusCode != 200 || !strings.HasSuffix(got.Text, "\n\nhello") {
		t.Errorf("%d %q", got.StatusCode, got.Text)
	}
	for path, status := range map[string]int{"/nothing": 404, "/a/../b": 400} {
		got := servertest.RoundTrip(t, addr, servertest.Request("POST", path, "", "Content-Length: 5", "Expect: 100-continue"))
		if got.StatusCode != status || !got.Close {
			t.Errorf("%s: status %d, close %v; want %d", path, got.StatusCode, got.Close, status)
		}
	}
}

// TestTruncatedBody: a body that stops short runs no handler.
func TestTruncatedBody(t *testing.T) {
	ran := make(chan string, 10)
	addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
		ran <- string(bodyOf(inv))
		return echo(inv)
	})
	for _, raw := range []string{
		servertest.Request("POST", "/", "ab", "Content-Length: 5"),
		servertest.Request("POST", "/", "", "Content-Length: 5"),
		servertest.Request("POST", "/", "5\r\nab", "Transfer-Encoding: chunked"),
		servertest.Request("POST", "/", "2\r\nab\r\n0\r\n", "Transfer-Encoding: chunked"),
	} {
		c := servertest.Dial(t, addr)
		servertest.Send(t, c, raw)
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got := servertest.Receive(t, bufio.NewReader(c), "POST"); got.StatusCode != 400 {
			t.Errorf("%q: status %d", raw, got.StatusCode)
		}
	}
	select {
	case body := <-ran:
		t.Errorf("a handler ran with %q", body)
	default:
	}
}

const secret = "s3cret /etc/passwd goroutine 7"

func TestFailures(t *testing.T) {
	for code, tc := range map[fault.Code]struct {
		status  int
		retry   string
		outcome trace.Outcome
		effects string
	}{
		fault.Trap:        {502, "", trace.Aborted, "none"},
		fault.BadReply:    {502, "", trace.Aborted, "none"},
		fault.Deadline:    {504, "", trace.Aborted, "none"},
		fault.Conflict:    {503, "1", trace.Aborted, "none"},
		fault.Exhausted:   {507, "", trace.Aborted, "none"},
		fault.Unavailable: {503, "5", trace.None, "none"},
		fault.Unknown:     {503, "", trace.Unknown, "unknown"},
		fault.TooLarge:    {413, "", trace.Aborted, "none"},
		fault.Internal:    {500, "", trace.Committed, "committed"},
	} {
		err := fault.Wrap(code, "op", secret, errors.New(secret))
		addr := publicFor(t, failing(tc.outcome, err))
		got := servertest.RoundTrip(t, addr, servertest.Get("/"))
		if got.StatusCode != tc.status || got.Header.Get("Retry-After") != tc.retry {
			t.Errorf("%s: status %d, Retry-After %q", code, got.StatusCode, got.Header.Get("Retry-After"))
		}
		p := servertest.CheckProblem(t, got)
		if p.Code != code || p.Effects != tc.effects {
			t.Errorf("%s: code %q, effects %q, want %q", code, p.Code, p.Effects, tc.effects)
		}
		if strings.Contains(got.Text, "s3cret") {
			t.Errorf("%s: internals leak: %s", code, got.Text)
		}
		shown := publicFor(t, failing(tc.outcome, err), func(c *Config) { c.Author = author })
		want := secret
		if tc.status >= 500 {
			want = "panic: boom\n" + want
		}
		if p := servertest.CheckProblem(t, servertest.RoundTrip(t, shown, servertest.Get("/"))); p.Detail != want {
			t.Errorf("%s: the author sees %q", code, p.Detail)
		}
	}
}

// TestFailuresAfterACall say that a call was made, and do not ask to try again.
func TestFailuresAfterACall(t *testing.T) {
	for _, code := range []fault.Code{fault.Conflict, fault.Diverged, fault.Trap, fault.Deadline, fault.BadReply, fault.Exhausted, fault.Unavailable} {
		addr := publicFor(t, func(*invoke.Invocation) (dispatch.Result, error) {
			return dispatch.Result{Outcome: trace.Aborted, Called: true}, fault.New(code, "op", secret)
		})
		got := servertest.RoundTrip(t, addr, servertest.Get("/"))
		p := servertest.CheckProblem(t, got)
		if !strings.Contains(p.Detail, "nothing was changed here, but a call to another service was made") || strings.Contains(p.Detail, "try again") && !strings.Contains(p.Detail, "look before") {
			t.Errorf("%s: %q", code, p.Detail)
		}
		if after := got.Header.Get("Retry-After"); after != "" || p.Effects != "none" {
			t.Errorf("%s: Retry-After %q, effects %q", code, after, p.Effects)
		}
	}
}

func TestPanicIsContained(t *testing.T) {
	var log bytes.Buffer
	addr := publicFor(t, func(*invoke.Invocation) (dispatch.Result, error) { panic(secret) },
		func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	got := servertest.RoundTrip(t, addr, servertest.Get("/"))
	p := servertest.CheckProblem(t, got)
	if got.StatusCode != 500 || p.Code != fault.Internal || p.Effects != "unknown" || strings.Contains(got.Text, "s3cret") {
		t.Errorf("%d %s", got.StatusCode, got.Text)
	}
	if !strings.Contains(log.String(), "s3cret") || !strings.Contains(log.String(), p.RequestID) {
		t.Errorf("the log lacks the reason or the request id: %s", log.String())
	}
}

// brokenRoutes fails before there is a handler.
type brokenRoutes struct{}

func (brokenRoutes) Route(string, string, string, []abi.Pair, deploy.Client) Match { panic(secret) }

func TestPanicInRoutingIsContained(t *testing.T) {
	addr := publicFor(t, echo, func(c *Config) { c.Routes = brokenRoutes{} })
	for _, raw := range []string{servertest.Get("/"), servertest.Request("POST", "/", "", "Content-Length: 1", "Expect: 100-continue")} {
		got := servertest.RoundTrip(t, addr, raw)
		if servertest.CheckProblem(t, got); got.StatusCode != 500 || strings.Contains(got.Text, "s3cret") {
			t.Errorf("%q: %d %s", raw, got.StatusCode, got.Text)
		}
	}
}

// TestRequestLog reads what the log says of a request, before its response is
// there to be read.
func TestRequestLog(t *testing.T) {
	var log bytes.Buffer
	addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
		if inv.Request.Head.Path == "/fails" {
			return dispatch.Result{Attempts: 1, Outcome: trace.Aborted}, fault.New(fault.Trap, "", "the guest trapped")
		}
		inv.Pattern = "GET /of/{the}/guest"
		inv.Reply.Body = append(inv.Reply.Body, "hello"...)
		return dispatch.Result{Attempts: 3, Outcome: trace.Committed}, nil
	}, func(c *Config) { c.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
	for _, tc := range []struct {
		raw  string
		want map[string]any
	}{
		{servertest.Get("/a?token=s3cret", "X-Request-Id: abc"), map[string]any{
			"level": "INFO", "method": "GET", "path": "/a", "status": 200.0, "bytes": 5.0, "request_id": "abc", "remote": "127.0.0.1",
			"plugin": "stub", "version": 7.0, "pattern": "GET /of/{the}/guest", "attempts": 3.0, "outcome": "committed",
		}},
		{servertest.Get("/nothing?s3cret", "X-Request-Id: abc"), map[string]any{
			"level": "INFO", "method": "GET", "path": "/nothing", "status": 404.0, "request_id": "abc", "remote": "127.0.0.1",
		}},
		{servertest.Request("PUT", "/fails", "", "X-Request-Id: abc", "Content-Length: 0"), map[string]any{
			"level": "ERROR", "method": "PUT", "path": "/fails", "status": 502.0, "request_id": "abc", "remote": "127.0.0.1",
			"plugin": "stub", "version": 7.0, "pattern": "/{rest...}", "attempts": 1.0, "outcome": "aborted", "error": "the guest trapped",
		}},
	} {
		log.Reset()
		resp := servertest.RoundTrip(t, addr, tc.raw)
		var got map[string]any
		if err := json.Unmarshal(log.Bytes(), &got); err != nil {
			t.Fatalf("the log is not one record: %v: %s", err, &log)
		}
		if ms, ok := got["ms"].(float64); !ok || ms < 0 {
			t.Errorf("duration %v", got["ms"])
		}
		delete(got, "ms")
		delete(got, "time")
		tc.want["msg"] = "request"
		if _, has := tc.want["bytes"]; !has { // a problem
			tc.want["bytes"] = float64(len(resp.Text))
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tc.raw, diff)
		}
	}
}

func TestHealth(t *testing.T) {
	broken, full := errors.New(secret), fault.New(fault.Exhausted, "", secret)
	readOnly := fault.New(fault.Unavailable, "", "read-only")
	var store, writes error
	addr := publicFor(t, echo, func(c *Config) {
		c.Health = []wire.Check{
			{Name: "reads", Healthy: func() error { return store }},
			{Name: "writes", Healthy: func() error { return writes }, Optional: true},
		}
	})
	for _, tc := range []struct {
		path          string
		store, writes error
		status        int
		body          string
	}{
		{"/livez", broken, broken, 200, "ok\n"},
		{"/livez?verbose", nil, nil, 200, "process ok\nok\n"},
		{"/readyz", nil, nil, 200, "ok\n"},
		{"/readyz", broken, nil, 503, "not ready\n"},
		{"/readyz", nil, full, 200, "ok\n"},
		{"/readyz?verbose", nil, nil, 200, "accepting ok\nreads ok\nwrites ok\nok\n"},
		{"/readyz?verbose", broken, nil, 503, "accepting ok\nreads failed\nwrites ok\nnot ready\n"},
		{"/readyz?verbose", nil, full, 200, "accepting ok\nreads ok\nwrites failed: the disk is full\nok\n"},
		{"/readyz?verbose", nil, readOnly, 200, "accepting ok\nreads ok\nwrites failed: read-only\nok\n"},
		{"/readyz?verbose", readOnly, readOnly, 503, "accepting ok\nreads failed: read-only\nwrites failed: read-only\nnot ready: read-only\n"},
	} {
		store, writes = tc.store, tc.writes
		if got := servertest.RoundTrip(t, addr, servertest.Get(tc.path)); got.StatusCode != tc.status || got.Text != tc.body {
			t.Errorf("%s: %d %q, want %d %q", tc.path, got.StatusCode, got.Text, tc.status, tc.body)
		}
	}
	if got := servertest.RoundTrip(t, addr, servertest.Get("/livez/x")); got.Text != "GET /livez/x?\nhost: test\n\n" {
		t.Errorf("a path below /livez is not the guest's: %q", got.Text)
	}
}

// TestProbePathsAreReserved: no method at the path of a probe reaches a plugin.
func TestProbePathsAreReserved(t *testing.T) {
	var ran atomic.Int64
	addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
		ran.Add(1)
		return echo(inv)
	})
	for _, path := range []string{"/livez", "/readyz", "/livez?verbose", "http://test/readyz"} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
			got := servertest.RoundTrip(t, addr, servertest.Request(method, path, ""))
			if got.StatusCode != 405 || got.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: status %d, Allow %q", method, path, got.StatusCode, got.Header.Get("Allow"))
			}
			servertest.CheckProblem(t, got)
		}
		for _, raw := range []string{
			servertest.Get(path), servertest.Request("HEAD", path, ""),
			servertest.Request("GET", path, "a", "Content-Length: 1"),
		} {
			if got := servertest.RoundTrip(t, addr, raw); got.StatusCode != 200 {
				t.Errorf("%q: status %d", raw, got.StatusCode)
			}
		}
	}
	for _, raw := range []string{
		servertest.Request("POST", "/livez", "", "Content-Length: 1", "Expect: 100-continue"),
		servertest.Request("BREW", "/readyz", "a", "Content-Length: 1"),
	} {
		if got := servertest.RoundTrip(t, addr, raw); got.StatusCode != 405 {
			t.Errorf("%q: status %d", raw, got.StatusCode)
		}
	}
	if n := ran.Load(); n != 0 {
		t.Errorf("a handler ran %d times", n)
	}
	if got := servertest.RoundTrip(t, addr, servertest.Request("POST", "/livez/", "")); got.StatusCode != 200 || ran.Load() != 1 {
		t.Errorf("/livez/ is not the guest's: status %d", got.StatusCode)
	}
}

// TestParallelRequestsDoNotMix is a hammer: what one client sends never shows in
// the answer to another one.
func TestParallelRequestsDoNotMix(t *testing.T) {
	addr := publicFor(t, echo)
	done := make(chan error)
	const clients, rounds = 8, 100
	for id := range clients {
		go func() { done <- hammer(addr, id, rounds) }()
	}
	for range clients {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func hammer(addr string, id, rounds int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	for i := range rounds {
		body := strings.Repeat(fmt.Sprintf("%d-%d ", id, i), (i%7)*10)
		req := servertest.Request("POST", fmt.Sprintf("/%d/%d", id, i), body, fmt.Sprintf("Content-Length: %d", len(body)), fmt.Sprintf("X: %d", id))
		if _, err := io.WriteString(c, req); err != nil {
			return err
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		want := fmt.Sprintf("POST /%d/%d?\nhost: test\nx: %d\n\n%s", id, i, id, body)
		if string(got) != want {
			return fmt.Errorf("client %d, round %d: got %q, want %q", id, i, got, want)
		}
	}
	return nil
}
