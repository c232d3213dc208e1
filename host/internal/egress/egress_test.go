package egress

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/egress/egresstest"
)

func TestCall(t *testing.T) {
	origin := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header().Set("X-Empty", "")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%s %s %s|%s|%s", r.Method, r.URL.RequestURI(), r.Header["X-Twice"], r.Header.Get("User-Agent"), drained(r))
	})
	got := do(t, client(t, nil, origin), abi.HTTPRequest{
		Method: "POST", URL: origin + "/a%2Fb?q=1#fragment", Headers: []abi.Pair{{Name: "x-twice", Value: "1"}, {Name: "X-Twice", Value: "2"}},
	}, "the body")
	if want := "POST /a%2Fb?q=1 [1 2]|wasmoor|the body"; got.body != want || got.head.Status != 201 || got.head.URL != origin+"/a%2Fb?q=1" {
		t.Errorf("got %+v, want body %q", got, want)
	}
	var cookies []string
	for _, h := range got.head.Headers {
		if h.Name == "set-cookie" {
			cookies = append(cookies, h.Value)
		}
		if h.Name != strings.ToLower(h.Name) || field.IsHopByHop(h.Name) {
			t.Errorf("the guest sees %s", h.Name)
		}
	}
	if fmt.Sprint(cookies) != "[a=1 b=2]" {
		t.Errorf("cookies %v", cookies)
	}
}

func TestWhatGoesAlong(t *testing.T) {
	origin := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s", r.Header.Get("X-Request-Id"), r.Header.Get("Traceparent"))
	})
	c := client(t, nil, origin)
	if got := get(t, c, origin).body; got != "r1|00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" {
		t.Errorf("sent %q", got)
	}
	own := do(t, c, abi.HTTPRequest{URL: origin, Headers: []abi.Pair{{Name: "x-request-id", Value: "mine"}, {Name: "traceparent", Value: "other"}}}, "")
	if own.body != "mine|other" {
		t.Errorf("what the guest sets is sent as %q", own.body)
	}
}

func TestRefusedRequests(t *testing.T) {
	const origin = "http://a.example"
	c := client(t, nil, origin)
	header := func(name, value string) abi.HTTPRequest {
		return abi.HTTPRequest{URL: origin, Headers: []abi.Pair{{Name: name, Value: value}}}
	}
	for name, r := range map[string]abi.HTTPRequest{
		"connect": {Method: "CONNECT", URL: origin}, "trace": {Method: "trace", URL: origin}, "method": {Method: "GE T", URL: origin},
		"method injects": {Method: "GET / HTTP/1.1\r\nX: y", URL: origin}, "flag": {URL: origin, Flags: 4},
		"no url": {}, "relative": {URL: "/path"}, "long": {URL: origin + "/" + strings.Repeat("a", 9000)},
		"host": header("host", "b.example"), "expect": header("Expect", "200-ok"), "coding": header("Transfer-Encoding", "gzip, chunked"),
		"upgrade": header("upgrade", "websocket"), "proxy": header("proxy-authorization", "Basic eA=="),
		"name empty": header("", "x"), "name injects": header("x\r\ny", "z"), "name spaced": header("x ", "y"), "name colon": header("x:", "y"),
		"value injects": header("x", "y\r\nz: 1"), "value nul": header("x", "\x00"), "value lf": header("x", "a\nb"),
		"many": {URL: origin, Headers: make([]abi.Pair, 101)},
	} {
		if got := do(t, c, r, ""); got.opened != abi.Invalid {
			t.Errorf("%s: %v, want invalid", name, got.opened)
		}
	}
}

func TestRedirects(t *testing.T) {
	var other string
	see := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s|%s|%s|%s", r.Method, drained(r), r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"), r.Header.Get("Accept"))
		for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Language", "Content-Location"} {
			if r.Method == http.MethodGet && r.Header.Get(name) != "" {
				fmt.Fprint(w, "|", name, " without a body")
			}
		}
	}
	var mux http.ServeMux
	for _, status := range []int{301, 302, 303, 307, 308} {
		mux.HandleFunc(fmt.Sprintf("/%d", status), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/end")
			w.WriteHeader(status)
		})
	}
	mux.HandleFunc("/end", see)
	mux.HandleFunc("/other", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other+"/end", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/stranger", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://stranger.example/", http.StatusFound)
	})
	mux.HandleFunc("/nowhere", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(302) })
	mux.HandleFunc("/hops/{n}", func(w http.ResponseWriter, r *http.Request) {
		n := int(r.PathValue("n")[0] - '0')
		if n == 0 {
			see(w, r)
			return
		}
		http.Redirect(w, r, fmt.Sprintf("/hops/%d", n-1), http.StatusFound)
	})
	origin := upstream(t, mux.ServeHTTP)
	other = upstream(t, see)
	c := client(t, nil, origin, other)
	headers := []abi.Pair{{Name: "authorization", Value: "secret"}, {Name: "x-api-key", Value: "key"}, {Name: "accept", Value: "text/plain"}}
	ofBody := []abi.Pair{
		{Name: "content-type", Value: "text/plain"},
		{Name: "content-encoding", Value: "identity"},
		{Name: "content-language", Value: "de"},
		{Name: "content-location", Value: "/b"},
	}
	for _, tc := range []struct {
		method, path, want string
		status             abi.Status
	}{
		{"POST", "/301", "GET||secret|key|text/plain", 0},
		{"POST", "/302", "GET||secret|key|text/plain", 0},
		{"POST", "/303", "GET||secret|key|text/plain", 0},
		{"POST", "/307", "POST|body|secret|key|text/plain", 0},
		{"POST", "/308", "POST|body|secret|key|text/plain", 0},
		{"PUT", "/302", "PUT|body|secret|key|text/plain", 0},
		{"PUT", "/303", "GET||secret|key|text/plain", 0},
		{"POST", "/other", "POST|body|||text/plain", 0},
		{"GET", "/stranger", "", abi.Denied},
		{"GET", "/nowhere", "", 0},
		{"GET", "/hops/5", "GET||secret|key|text/plain", 0},
		{"GET", "/hops/6", "", abi.Unreachable},
	} {
		headers, body := headers, ""
		if tc.method != "GET" {
			headers, body = slices.Concat(headers, ofBody), "body"
		}
		got := do(t, c, abi.HTTPRequest{Method: tc.method, URL: origin + tc.path, Headers: headers}, body)
		if got.body != tc.want || got.status() != tc.status {
			t.Errorf("%s %s: %q %v (%s), want %q %v", tc.method, tc.path, got.body, got.status(), got.head.Reason, tc.want, tc.status)
		}
	}
	kept := do(t, c, abi.HTTPRequest{URL: origin + "/302", Flags: abi.HTTPNoRedirect}, "")
	if kept.head.Status != 302 || kept.header("location") != "/end" {
		t.Errorf("with the flag: %+v", kept)
	}
}

// TestRedirectsWithRawCharacters go where a browser goes.
func TestRedirectsWithRawCharacters(t *testing.T) {
	var location string
	origin := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/from/here" && r.URL.RawQuery == "" {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
			return
		}
		fmt.Fprint(w, r.RequestURI)
	})
	c := client(t, nil, origin)
	for _, tc := range []struct{ location, want string }{
		{"/a b?c d", "/a%20b?c%20d"},
		{"to that", "/from/to%20that"},
		{"?q=a b", "/from/here?q=a%20b"},
		{"/größe", "/gr%C3%B6%C3%9Fe"},
		{`\up\..\there`, "/there"},
		{`/"<>^{|}`, "/%22%3C%3E%5E%7B%7C%7D"},
		{"/100%", "/100%25"},
		{"/a%2fb%20c", "/a%2fb%20c"},
		{origin + "/x y", "/x%20y"},
		{"/tab\tbed", "/tabbed"},
		{"/a#b c", "/a"},
		{"/a\xffb", "/a%FFb"},
	} {
		location = tc.location
		if got := get(t, c, origin+"/from/here"); got.body != tc.want || got.head.URL != origin+tc.want {
			t.Errorf("%q: %+v, want %s", tc.location, got, tc.want)
		}
	}
	for _, location = range []string{`\\away.example\`, `http:\\away.example`, "/" + strings.Repeat("a", 9000), "/" + strings.Repeat(" x", 3000), "http://a b/", "//u@x/", "http://127.0.0.1:port/"} {
		if got := get(t, c, origin+"/from/here"); got.status() != abi.Denied || !strings.Contains(got.head.Reason, "is not followed") {
			t.Errorf("%.30q: %+v, want denied", location, got)
		}
	}
}

// secure serves TLS and returns the roots that trust it.
func secure(t *testing.T, h http.HandlerFunc) (string, *x509.CertPool) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = nil
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.URL, roots
}

func TestTLS(t *testing.T) {
	plain := upstream(t, func(http.ResponseWriter, *http.Request) {})
	origin, roots := secure(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			http.Redirect(w, r, plain, http.StatusFound)
			return
		}
		fmt.Fprint(w, r.Proto)
	})
	trusting := client(t, func(cfg *Config) { cfg.Network.RootCAs = roots }, origin, plain)
	if got := get(t, trusting, origin); got.body != "HTTP/2.0" {
		t.Errorf("with the root: %+v", got)
	}
	if got := get(t, trusting, origin+"/down"); got.status() != abi.Denied || !strings.Contains(got.head.Reason, "https to http") {
		t.Errorf("a downgrade: %+v", got)
	}
	if got := get(t, client(t, nil, origin), origin); got.status() != abi.Unreachable || !strings.Contains(got.head.Reason, "certificate") {
		t.Errorf("without the root: %+v", got)
	}
}

func TestHostileUpstreams(t *testing.T) {
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	_, _ = io.CopyN(zip, zeros{}, 64<<20)
	_ = zip.Close()
	drip := func(head, piece string) string {
		return raw(t, func(conn net.Conn) {
			_, err := io.WriteString(conn, head)
			for err == nil {
				if _, err = io.WriteString(conn, piece); err == nil {
					_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	for _, tc := range []struct {
		name, origin string
		want         []abi.Status // one of them
	}{
		{"slow drip of a body", drip("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", "x"), []abi.Status{abi.Timeout}},
		{"slow drip of chunks", drip("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"), []abi.Status{abi.Timeout}},
		{"slow drip of a header", drip("HTTP/1.1 200 OK\r\n", "x"), []abi.Status{abi.Timeout}},
		{"endless header", raw(t, func(conn net.Conn) {
			_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
			for line := "x: " + strings.Repeat("y", 1000) + "\r\n"; err == nil; {
				_, err = io.WriteString(conn, line)
			}
		}), []abi.Status{abi.Unreachable}},
		{"endless interim answers", raw(t, func(conn net.Conn) {
			var err error
			for err == nil {
				_, err = io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n")
			}
		}), []abi.Status{abi.Unreachable}},
		{"endless body", raw(t, func(conn net.Conn) {
			_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
			for piece := strings.Repeat("y", 64<<10); err == nil; {
				_, err = io.WriteString(conn, piece)
			}
		}), []abi.Status{abi.Limit}},
		{"gzip bomb", upstream(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		}), []abi.Status{abi.Limit}},
		{"silence", raw(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) }), []abi.Status{abi.Timeout}},
		{"hangs up", raw(t, func(net.Conn) {}), []abi.Status{abi.Unreachable, abi.Timeout}},
		{"not http", raw(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n") }), []abi.Status{abi.Unreachable, abi.Timeout}},
		{"status below 200", raw(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
		}), []abi.Status{abi.Unreachable}},
		{"status above 599", raw(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n") }), []abi.Status{abi.Unreachable}},
		{"body cut short", raw(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf") }), []abi.Status{abi.Unreachable}},
		{"nobody", "http://127.0.0.1:1", []abi.Status{abi.Unreachable}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := client(t, func(cfg *Config) {
				cfg.Limits.Timeout, cfg.Limits.ResponseBody = 500*time.Millisecond, 1<<20
			}, tc.origin)
			got := get(t, c, tc.origin)
			if !slices.Contains(tc.want, got.status()) {
				t.Errorf("%v %q after %d bytes, want %v", got.status(), got.head.Reason, len(got.body), tc.want)
			}
			if len(got.body) > 1<<20 {
				t.Errorf("the guest read %d bytes", len(got.body))
			}
		})
	}
}

// TestReasons: the author is told what kept a service from answering, and no
// address. The first is told from net/http's by its text.
func TestReasons(t *testing.T) {
	endless := raw(t, func(conn net.Conn) {
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
		for line := "x: " + strings.Repeat("y", 1000) + "\r\n"; err == nil; {
			_, err = io.WriteString(conn, line)
		}
	})
	for url, want := range map[string]string{
		endless:               "sent a header that is too large",
		"http://127.0.0.1:1":  "accepts no connection",
		"http://nobody.test":  "the name nobody.test is not resolved",
		"http://private.test": "private.test is at a private, local or special address",
		raw(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "220 mail\r\n") }): "does not speak HTTP",
	} {
		c := client(t, func(cfg *Config) { cfg.Network.Resolver = egresstest.Zone().Resolver(t) }, url)
		if got := get(t, c, url).head.Reason; !strings.Contains(got, want) || strings.Contains(got, "10.0.0.1") {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestBodyAtItsLimit(t *testing.T) {
	origin := upstream(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat("x", len(r.URL.Path)-1)) })
	c := client(t, func(cfg *Config) { cfg.Limits.ResponseBody = 10 }, origin)
	for size, want := range map[int]abi.Status{0: abi.OK, 9: abi.OK, 10: abi.OK, 11: abi.Limit} {
		got := get(t, c, origin+"/"+strings.Repeat("x", size))
		if got.read != want || len(got.body) != min(size, 10) {
			t.Errorf("%d bytes: %v after %d", size, got.read, len(got.body))
		}
	}
}

func TestCompressed(t *testing.T) {
	origin := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") == "gzip" {
			w.Header().Set("Content-Encoding", "gzip")
			zip := gzip.NewWriter(w)
			fmt.Fprint(zip, "plain text")
			_ = zip.Close()
		}
	})
	c := client(t, nil, origin)
	if got := get(t, c, origin); got.body != "plain text" || got.header("content-encoding") != "" {
		t.Errorf("by default: %+v", got)
	}
	asked := do(t, c, abi.HTTPRequest{URL: origin, Headers: []abi.Pair{{Name: "accept-encoding", Value: "gzip"}}}, "")
	if asked.header("content-encoding") != "gzip" || asked.body == "plain text" {
		t.Errorf("when asked for: %+v", asked)
	}
}

// TestCallsAtOnce answers only when all calls have arrived.
func TestCallsAtOnce(t *testing.T) {
	const n = 8
	var arrived sync.WaitGroup
	arrived.Add(n)
	origin := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		arrived.Done()
		arrived.Wait()
		fmt.Fprint(w, r.URL.Path)
	})
	s := client(t, nil, origin).Session(Trace{}, kept(t))
	defer s.Close()
	var handles []uint32
	for i := range n {
		handle, status, why := s.Open(&abi.HTTPRequest{URL: fmt.Sprintf("%s/%d", origin, i)})
		if status != abi.OK {
			t.Fatal(status, why)
		}
		handles = append(handles, handle)
	}
	if got, status, err := s.Send(t.Context(), handles); got != n || status != abi.OK || err != nil {
		t.Fatalf("send: %d, %v, %v", got, status, err)
	}
	for i, handle := range handles {
		if got := finish(t, &s, handle); got.body != fmt.Sprintf("/%d", i) {
			t.Errorf("call %d: %+v", i, got)
		}
	}
}

func TestNoMoreAtOnceThanAllowed(t *testing.T) {
	var now, over atomic.Int64
	origin := upstream(t, func(http.ResponseWriter, *http.Request) {
		if now.Add(1) > 2 {
			over.Add(1)
		}
		time.Sleep(2 * time.Millisecond) // the others have time to come
		now.Add(-1)
	})
	c := client(t, func(cfg *Config) { cfg.Limits.Concurrent = 2 }, origin)
	s := c.Session(Trace{}, kept(t))
	defer s.Close()
	var handles []uint32
	for range 12 {
		handle, _, _ := s.Open(&abi.HTTPRequest{URL: origin})
		handles = append(handles, handle)
	}
	if got, status, _ := s.Send(t.Context(), handles); got != 12 || status != abi.OK {
		t.Fatalf("send: %d, %v", got, status)
	}
	if n := over.Load(); n > 0 {
		t.Errorf("%d calls came while two were served", n)
	}
}

func TestHandles(t *testing.T) {
	origin := upstream(t, func(http.ResponseWriter, *http.Request) {})
	c := client(t, func(cfg *Config) { cfg.Limits.Calls = 2 }, origin)
	s := c.Session(Trace{}, kept(t))
	defer s.Close()
	open := func() (uint32, abi.Status) { h, status, _ := s.Open(&abi.HTTPRequest{URL: origin}); return h, status }
	send := func(handles ...uint32) abi.Status { _, status, _ := s.Send(t.Context(), handles); return status }
	one, _ := open()
	two, _ := open()
	if _, status, why := s.Open(&abi.HTTPRequest{URL: origin}); status != abi.Limit || !strings.Contains(why, "all of its 2 calls (outbound.calls)") {
		t.Errorf("a third call: %v, %q, want limit", status, why)
	}
	if _, status := s.Response(one); status != abi.Invalid {
		t.Errorf("head before send: %v", status)
	}
	if _, status, _ := s.Read(t.Context(), one, make([]byte, 1)); status != abi.Invalid {
		t.Errorf("read before send: %v", status)
	}
	for _, step := range []struct {
		name string
		do   func() abi.Status
		want abi.Status
	}{
		{"send of nothing", func() abi.Status { return send() }, abi.OK},
		{"send of void", func() abi.Status { return send(one, 3) }, abi.NotFound},
		{"send of zero", func() abi.Status { return send(0) }, abi.NotFound},
		{"send of one twice", func() abi.Status { return send(one, one) }, abi.Invalid},
		{"send", func() abi.Status { return send(one) }, abi.OK},
		{"send again", func() abi.Status { return send(two, one) }, abi.Invalid},
		{"write after send", func() abi.Status { return s.Write(one, nil) }, abi.Invalid},
		{"write to void", func() abi.Status { return s.Write(9, nil) }, abi.NotFound},
		{"write over the limit", func() abi.Status { return s.Write(two, make([]byte, 4<<20+1)) }, abi.Limit},
		{"close", func() abi.Status { return s.CloseCall(one) }, abi.OK},
		{"close again", func() abi.Status { return s.CloseCall(one) }, abi.NotFound},
		{"close unsent", func() abi.Status { return s.CloseCall(two) }, abi.OK},
	} {
		if got := step.do(); got != step.want {
			t.Errorf("%s: %v, want %v", step.name, got, step.want)
		}
	}
	if _, status := open(); status != abi.Limit {
		t.Errorf("a call after closing others: %v, want limit", status)
	}
}

// TestBodiesOfAnAttempt opens more calls than may hold a whole body. What was
// sent or closed makes room, also where a redirect dropped the body.
func TestBodiesOfAnAttempt(t *testing.T) {
	url := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		_ = drained(r)
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}
	})
	s := client(t, nil, url).Session(Trace{}, kept(t))
	defer s.Close()
	whole := make([]byte, MaxBody)
	open := func(path string) uint32 {
		t.Helper()
		handle, status, why := s.Open(&abi.HTTPRequest{Method: "POST", URL: url + path})
		if status != abi.OK {
			t.Fatal(status, why)
		}
		return handle
	}
	var full []uint32
	for range MaxBodies / MaxBody {
		handle := open("/away")
		if status := s.Write(handle, whole); status != abi.OK {
			t.Fatalf("body %d: %v", len(full), status)
		}
		full = append(full, handle)
	}
	late := open("/")
	write := func(data []byte, want abi.Status) {
		t.Helper()
		if got := s.Write(late, data); got != want {
			t.Errorf("%d bytes after %v: %v, want %v", len(data), full, got, want)
		}
	}
	write(whole[:1], abi.Limit)
	s.CloseCall(full[0])
	write(whole[1:], abi.OK)
	write(whole[:1], abi.OK)
	late = open("/")
	write(whole[:1], abi.Limit)
	if _, status, err := s.Send(t.Context(), full[1:2]); status != abi.OK || err != nil {
		t.Fatal(status, err)
	}
	write(whole, abi.OK)
	s.CloseCall(full[1]) // what it held is given back once
	late = open("/")
	write(whole[:1], abi.Limit)
}

func TestRetries(t *testing.T) {
	var asked atomic.Int64
	var fails int64
	origin := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= fails {
			if r.URL.Path == "/later" {
				w.Header().Set("Retry-After", "9")
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, drained(r))
	})
	for _, tc := range []struct {
		method, path string
		idempotent   bool
		fails, asked int64
		status       uint32
	}{
		{"GET", "/", false, 2, 3, 200},
		{"PUT", "/", false, 1, 2, 200},
		{"GET", "/", false, 9, 3, 503},
		{"POST", "/", false, 1, 1, 503},
		{"POST", "/", true, 1, 2, 200},
		{"PATCH", "/", false, 1, 1, 503},
		{"GET", "/later", false, 1, 1, 503},
	} {
		asked.Store(0)
		fails = tc.fails
		c := client(t, func(cfg *Config) { cfg.Idempotent = tc.idempotent }, origin)
		got := do(t, c, abi.HTTPRequest{Method: tc.method, URL: origin + tc.path}, "body")
		if got.head.Status != tc.status || asked.Load() != tc.asked || tc.status == 200 && got.body != "body" {
			t.Errorf("%+v: %d %q after %d tries", tc, got.head.Status, got.body, asked.Load())
		}
	}
}

func TestBreaker(t *testing.T) {
	var asked atomic.Int64
	origin := upstream(t, func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); w.WriteHeader(http.StatusBadGateway) })
	sound := upstream(t, func(http.ResponseWriter, *http.Request) {})
	c := client(t, nil, origin, sound)
	post := func(origin string) told { return do(t, c, abi.HTTPRequest{Method: "POST", URL: origin}, "") }
	for range breakAfter {
		if got := post(origin); got.head.Status != 502 {
			t.Fatalf("got %+v", got)
		}
	}
	if got := post(origin); got.status() != abi.Unreachable || !strings.Contains(got.head.Reason, "left alone") {
		t.Errorf("behind the breaker: %+v", got)
	}
	if asked.Load() != breakAfter {
		t.Errorf("the service was asked %d times", asked.Load())
	}
	if got := post(sound); got.head.Status != 200 {
		t.Errorf("another service: %+v", got)
	}
	if got := do(t, client(t, nil, origin), abi.HTTPRequest{Method: "POST", URL: origin}, ""); got.head.Status != 502 {
		t.Errorf("another deployment: %+v", got)
	}
}

// TestBreakerTriesAgain waits for the rest of an origin that has recovered.
func TestBreakerTriesAgain(t *testing.T) {
	var asked atomic.Int64
	origin := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) <= breakAfter {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	c := client(t, nil, origin)
	c.cfg.State.breakers.rest = time.Millisecond
	post := func() told { return do(t, c, abi.HTTPRequest{Method: "POST", URL: origin}, "") }
	for range breakAfter {
		post()
	}
	for got := post(); got.status() != abi.OK; got = post() {
		if got.status() != abi.Unreachable {
			t.Fatalf("got %+v, want to be told to wait", got)
		}
	}
	for range breakAfter {
		if got := post(); got.head.Status != 200 {
			t.Errorf("after it recovered: %+v", got)
		}
	}
}

func TestBreakersAreBounded(t *testing.T) {
	b := breakers{byOrigin: map[string]breaker{}}
	for i := range 3 * maxBreakers {
		made := b.of(fmt.Sprint(i))
		if i%2 == 0 {
			made.Open()
		}
	}
	if n := len(b.byOrigin); n > maxBreakers {
		t.Errorf("%d breakers are remembered", n)
	}
}

// TestTheInvocationEnds stops what runs when the invocation's time is over.
func TestTheInvocationEnds(t *testing.T) {
	origin := raw(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) })
	answers := kept(t)
	s := client(t, nil, origin).Session(Trace{}, answers)
	defer s.Close()
	handle, _, _ := s.Open(&abi.HTTPRequest{Method: "POST", URL: origin})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, _, err := s.Send(ctx, []uint32{handle}); !errors.Is(err, context.Canceled) {
		t.Errorf("send returned %v", err)
	}
	if !answers.Made() {
		t.Error("a POST was sent, and no call was made")
	}
}

func TestTimeoutOfACall(t *testing.T) {
	origin := raw(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) })
	got := do(t, client(t, nil, origin), abi.HTTPRequest{URL: origin, TimeoutMS: 20}, "")
	if got.status() != abi.Timeout {
		t.Errorf("got %+v, want timeout", got)
	}
}

// TestATimeoutBeforeTheDeadline: whatever a call may take, its handler has time left
// to tell of it.
func TestATimeoutBeforeTheDeadline(t *testing.T) {
	for _, tc := range []struct {
		of, left, want time.Duration
	}{
		{5 * time.Second, time.Hour, 5 * time.Second},
		{5 * time.Second, 5 * time.Second, 4500 * time.Millisecond},
		{60 * time.Second, 20 * time.Second, 19500 * time.Millisecond},
		{time.Second, 800 * time.Millisecond, 700 * time.Millisecond},
		{time.Second, 2 * time.Second, time.Second},
		{time.Second, -time.Second, -875 * time.Millisecond},
	} {
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(tc.left))
		if got := (&call{timeout: tc.of}).time(ctx); got > tc.want || got < tc.want-time.Second {
			t.Errorf("%v of %v left: %v, want %v", tc.of, tc.left, got, tc.want)
		}
		cancel()
	}
	if got := (&call{timeout: time.Hour}).time(t.Context()); got != time.Hour {
		t.Errorf("without a deadline: %v", got)
	}
	origin := raw(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) })
	s := client(t, nil, origin).Session(Trace{}, kept(t))
	defer s.Close()
	handle, _, _ := s.Open(&abi.HTTPRequest{URL: origin, TimeoutMS: 60_000})
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if n, status, err := s.Send(ctx, []uint32{handle}); n != 0 || status != abi.OK || err != nil {
		t.Errorf("send: %d, %v, %v", n, status, err)
	}
	if got := finish(t, &s, handle).status(); got != abi.Timeout || ctx.Err() != nil {
		t.Errorf("got %v, %v, want a timeout before the deadline", got, ctx.Err())
	}
}
