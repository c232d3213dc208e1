package extism_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/egress/egresstest"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	origins "github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// asking is the input of http_headers, a plugin that makes the request of its
// input and answers the headers of the response.
func asking(method, url string, headers map[string]string) string {
	if headers == nil {
		headers = map[string]string{}
	}
	text, _ := json.Marshal(map[string]any{"url": url, "method": method, "headers": headers})
	return string(text)
}

// allow lets inv call the origins, on loopback.
func allow(t *testing.T, inv *invoke.Invocation, change func(*egress.Config), urls ...string) {
	t.Helper()
	cfg := egress.Config{
		Network: egress.Network{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		Limits:  egress.DefaultLimits(),
	}
	for _, url := range urls {
		o, err := origins.ParseOrigin(url)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Origins = append(cfg.Origins, o)
	}
	if change != nil {
		change(&cfg)
	}
	inv.Env.States.Add(outbound.Name, egress.New(cfg))
	t.Cleanup(inv.Env.States.Close)
}

func upstream(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// redirected returns the plugin http, which calls one URL, with another one of
// the same length in its place.
func redirected(t *testing.T, base string) []byte {
	t.Helper()
	const theirs = "https://jsonplaceholder.typicode.com/todos/1"
	url := base + "/" + strings.Repeat("a", len(theirs)-len(base)-1)
	module := plugin(t, "http")
	if n := bytes.Count(module, []byte(theirs)); n != 1 {
		t.Fatalf("the plugin has its URL %d times", n)
	}
	return bytes.Replace(module, []byte(theirs), []byte(url), 1)
}

// TestHTTP: what plugins of others ask for and get, through a resolver and
// certificates of the operator's.
func TestHTTP(t *testing.T) {
	const answer = "delectus aut autem"
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("some-name") != "some-value" || r.Header.Get("another") != "again" || r.Header.Get("X-Request-Id") != "request-1" {
			t.Errorf("got the header %v", r.Header)
		}
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(s.Close)
	zone := egresstest.Zone()
	zone.Answers["example.com"] = []netip.Addr{netip.MustParseAddr("127.0.0.1")} // the name of the certificate
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	inv := invocation("", nil)
	allow(t, inv, func(cfg *egress.Config) {
		cfg.Network.Resolver = zone.Resolver(t)
		cfg.Network.RootCAs = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	}, "https://example.com"+port)
	defer inv.End()
	p := prepare(t, redirected(t, "https://example.com"+port), "run_test")
	if err := enginetest.Handle(t.Context(), p, inv); err != nil || string(inv.Reply.Body) != answer {
		t.Errorf("got %q, %v", inv.Reply.Body, err)
	}
}

func TestHTTPHeaders(t *testing.T) {
	origin := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header()["X-Twice"] = []string{"a", "b"}
		w.Header().Set("X-Got", fmt.Sprintf("%s %s %s %d", r.Method, r.URL, r.Header.Get("X-Sent"), len(body)))
		w.WriteHeader(http.StatusNotFound) // an answer like any other
	})
	p := prepare(t, plugin(t, "http_headers"), "http_get")
	for _, method := range []string{"GET", "get", "POST", "DELETE"} {
		inv := invocation(asking(method, origin+"/p?q=1", map[string]string{"x-sent": "yes"}), nil)
		allow(t, inv, nil, origin)
		if err := enginetest.Handle(t.Context(), p, inv); err != nil {
			t.Fatal(err)
		}
		inv.End()
		var got map[string]string
		if err := json.Unmarshal(inv.Reply.Body, &got); err != nil {
			t.Fatal(err)
		}
		method = strings.ToUpper(method)
		if got["x-twice"] != "a,b" || got["x-got"] != method+" /p?q=1 yes 0" {
			t.Errorf("%s: got %v", method, got)
		}
		if want := method != "GET"; inv.Calls().Made() != want {
			t.Errorf("%s: a call was made: %t, want %t", method, !want, want)
		}
		inv.Finish()
	}
}

// TestHTTPAgain: the next attempt of a request gets the answer of the first, and one
// that asks for something else is none.
func TestHTTPAgain(t *testing.T) {
	var asked atomic.Int64
	origin := upstream(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Number", fmt.Sprint(asked.Add(1))) })
	p := prepare(t, plugin(t, "http_headers"), "http_get")
	inv := invocation("", nil)
	allow(t, inv, nil, origin)
	defer inv.Finish()
	attempt := func(n int, path string) (string, error) {
		inv.Request.Body = invoke.BodyOf([]byte(asking("POST", origin+path, nil)))
		inv.Begin(n, inv.Env.Limits, &store.Tx{}) // one that may conflict
		defer inv.End()
		err := enginetest.Handle(t.Context(), p, inv)
		var got map[string]string
		_ = json.Unmarshal(inv.Reply.Body, &got)
		return got["x-number"], inv.Calls().Counts(err)
	}
	for n := range 3 {
		if got, err := attempt(n+1, "/a"); got != "1" || err != nil {
			t.Errorf("attempt %d: %q, %v", n+1, got, err)
		}
		if err := inv.Calls().Again(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := attempt(4, "/b")
	wantFault(t, err, fault.Diverged, "now asks for POST "+origin+"/b")
	if n := asked.Load(); n != 1 {
		t.Errorf("the service was asked %d times", n)
	}
}

// TestHTTPFields go out as they stand in the plugin's JSON, without those that the
// host sets.
func TestHTTPFields(t *testing.T) {
	var head string
	origin := "http://" + egresstest.Serve(t, func(conn net.Conn) {
		buf := make([]byte, 4096)
		n, _ := conn.Read(buf)
		head = string(buf[:n])
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	}).String()
	const headers = `{"x-Zulu": "1", "Connection": "keep-alive", "SOAPAction": "2", "content-length": "0", "host": "plugin.example", "x-alpha": "3"}`
	inv := invocation(`{"url": "`+origin+`/p", "method": "GET", "headers": `+headers+`}`, nil)
	inv.Request.Head.Host = "plugin.example"
	allow(t, inv, nil, origin)
	defer inv.End()
	if err := enginetest.Handle(t.Context(), prepare(t, plugin(t, "http_headers"), "http_get"), inv); err != nil {
		t.Fatal(err)
	}
	// The plugin's own library puts its headers into a map.
	for _, line := range []string{"x-Zulu: 1\r\n", "SOAPAction: 2\r\n", "x-alpha: 3\r\n", "Host: " + strings.TrimPrefix(origin, "http://") + "\r\n"} {
		if strings.Count(head, line) != 1 || strings.Count(strings.ToLower(head), "\r\nhost:")+strings.Count(strings.ToLower(head), "\r\nconnection:") != 1 {
			t.Errorf("sent %q, want %q", head, line)
		}
	}
}

// TestHTTPFailures end the call with the reason.
func TestHTTPFailures(t *testing.T) {
	origin := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			_, _ = w.Write(make([]byte, 2<<20))
		case "/away":
			http.Redirect(w, r, "http://away.example/", http.StatusFound)
		case "/slow":
			<-r.Context().Done()
		}
	})
	for _, c := range []struct {
		name, input string
		change      func(*egress.Config)
		says        string
	}{
		{"another origin", asking("GET", "https://away.example", nil), nil, `HTTP request to "https://away.example" is not allowed: https://away.example is not granted`},
		{"redirect", asking("GET", origin+"/away", nil), nil, "http://away.example is not granted"},
		{"method", asking("CONNECT", origin, nil), nil, "CONNECT and TRACE are not offered"},
		{"header of the host's", asking("GET", origin, map[string]string{"Host": "a.example"}), nil, "the header \"Host\" is the host's to set, and cannot be \"a.example\""},
		{"length", asking("POST", origin, map[string]string{"Content-Length": "3"}), nil, `the header "content-length" says "3", and the body has 0 bytes`},
		{"header that splits", asking("GET", origin, map[string]string{"x": "a\r\nb: c"}), nil, "control character"},
		{"large head", asking("GET", origin, map[string]string{"x": strings.Repeat("y", egress.MaxHead)}), nil, "over the limit of 32768 bytes"},
		{"private network", asking("GET", origin, nil), func(cfg *egress.Config) { cfg.Network.Allow = nil }, "outbound_allow_networks"},
		{"no call left", asking("GET", origin, nil), func(cfg *egress.Config) { cfg.Limits.Calls = 0 }, "has made all of its 0 calls (outbound.calls)"},
		{"large body", asking("GET", origin+"/large", nil), func(cfg *egress.Config) { cfg.Limits.ResponseBody = 1 << 20 }, "over the limit"},
		{"slow", asking("GET", origin+"/slow", nil), func(cfg *egress.Config) { cfg.Limits.Timeout = 50 * time.Millisecond }, "took too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inv := invocation(c.input, nil)
			allow(t, inv, c.change, origin)
			defer inv.End()
			err := enginetest.Handle(t.Context(), prepare(t, plugin(t, "http_headers"), "http_get"), inv)
			wantFault(t, err, fault.Trap, c.says)
		})
	}
}

func TestHTTPWithoutAGrant(t *testing.T) {
	err := enginetest.Handle(t.Context(), prepare(t, plugin(t, "http"), "run_test"), invocation("", nil))
	wantFault(t, err, fault.Trap, "no origin is granted")
}

func TestHTTPDeadline(t *testing.T) {
	origin := upstream(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	inv := invocation(asking("GET", origin, nil), nil)
	allow(t, inv, nil, origin)
	defer inv.End()
	p := prepare(t, plugin(t, "http_headers"), "http_get")
	// The call ends before the handler, so that its author reads what took so long.
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	wantFault(t, enginetest.Handle(ctx, p, inv), fault.Trap, "took too long")
	inv.End()
	inv.Finish()
	ended, end := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { end(context.DeadlineExceeded) })
	wantFault(t, enginetest.Handle(ended, p, inv), fault.Deadline, "ran out of time")
}

// TestHTTPForbiddenDestinations grants every host that can be named: nobody
// comes to the canary, by a URL or by a redirect.
func TestHTTPForbiddenDestinations(t *testing.T) {
	port, hits := egresstest.Canary(t)
	all := egresstest.Spellings(port)
	next := ""
	from := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Location"] = []string{next}
		w.WriteHeader(http.StatusFound)
	})
	var granted []origins.Origin
	for _, url := range all {
		if o, err := origins.ParseOrigin(url); err == nil {
			granted = append(granted, o)
		}
	}
	if len(all) < 120 || len(granted) < 40 {
		t.Fatalf("%d spellings, of which %d can be granted", len(all), len(granted))
	}
	zone := egresstest.Zone().Resolver(t)
	p := prepare(t, plugin(t, "http_headers"), "http_get")
	run := func(url string, network egress.Network, granted ...origins.Origin) error {
		inv := invocation(asking("GET", url, nil), nil)
		network.Resolver = zone
		allow(t, inv, func(cfg *egress.Config) { cfg.Network, cfg.Origins = network, granted })
		defer inv.End()
		return enginetest.Handle(t.Context(), p, inv)
	}
	service, _ := origins.ParseOrigin(from)
	for _, next = range all {
		if err := run(next, egress.Network{}, granted...); fault.CodeOf(err) != fault.Trap || !strings.Contains(fault.MessageOf(err), "the plugin called extism:host/env.http_request") {
			t.Errorf("%q: %v, want a refusal of the host's", next, err)
		}
		_ = run(from, egress.Network{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, service) // a Location that is empty is an answer
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the canary was reached %d times", n)
	}
	// The same guest does get there when it may.
	if twin, err := origins.ParseOrigin("http://127.0.0.1:" + port); err != nil {
		t.Error(err)
	} else if err := run("http://127.0.0.1:"+port+"/", egress.Network{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, twin); err == nil || hits.Load() == 0 {
		t.Errorf("the granted twin: %v, %d connections", err, hits.Load())
	}
}
