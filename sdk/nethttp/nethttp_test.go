package nethttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/nethttp"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func plugin(h http.HandlerFunc) *sdktest.Host { return sdktest.New(nethttp.Serve(h)) }

// TestMount: redirects to a path lead below the mount, and nothing else changes.
func TestMount(t *testing.T) {
	host := sdktest.New(nethttp.Serve(mux()))
	host.Mount = "/m"
	if res := host.Get("/dir?a=b"); res.Header.Get("Location") != "/m/dir/?a=b" {
		t.Errorf("a redirect of ServeMux goes to %q", res.Header.Get("Location"))
	}
	for to, want := range map[string]string{
		"/":               "/m/",
		"/m/x":            "/m/m/x",
		"next":            "/m/a/next",
		"../x":            "/m/x",
		"//other.test/x":  "//other.test/x",
		"https://a.test/": "https://a.test/",
	} {
		host := plugin(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
		host.Mount = "/m"
		if got := host.Get("/a/b").Header.Get("Location"); got != want {
			t.Errorf("a redirect to %q goes to %q, want %q", to, got, want)
		}
	}
	host = plugin(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, nethttp.Mount(r), " ", r.URL.Path, " ", r.RequestURI)
	})
	host.Mount = "/m"
	if got := host.Get("/a%20b?c").Text(); got != "/m /a b /m/a%20b?c" {
		t.Errorf("a handler sees %q", got)
	}
}

// TestCookiePath: a cookie of the whole service is the plugin's alone.
func TestCookiePath(t *testing.T) {
	for set, want := range map[string]string{
		"a=b; Path=/; HttpOnly": "a=b; Path=/m; HttpOnly",
		"a=b; HttpOnly; path=/": "a=b; HttpOnly; Path=/m",
		"a=b; Path=/x/":         "a=b; Path=/m/x/",
		"a=b; Path=/m":          "a=b; Path=/m",
		"a=b; Path=/m/x":        "a=b; Path=/m/x",
		"a=b; Path=/mx":         "a=b; Path=/m/mx",
		"a=b":                   "a=b",
		"__Host-a=b; Path=/":    "__Host-a=b; Path=/",
		"a=Path=/; Secure":      "a=Path=/; Secure",
	} {
		host := plugin(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", set) })
		host.Mount = "/m"
		if got := host.Get("/").Header.Get("Set-Cookie"); got != want {
			t.Errorf("%q is sent as %q, want %q", set, got, want)
		}
		host.Mount = ""
		if got := host.Get("/").Header.Get("Set-Cookie"); got != set {
			t.Errorf("at the root %q is sent as %q", set, got)
		}
	}
}

// TestRequest: what the host says of a request is at hand, and its routes too.
func TestRequest(t *testing.T) {
	host := plugin(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		request, ok := nethttp.FromContext(ctx)
		fmt.Fprint(w, ok, request.Attempt(), request.Trigger(), request.ID() == r.Header.Get("X-Request-Id"), r.Pattern, r.PathValue("id"))
	})
	host.Trigger, host.Routes = "queue", []string{"GET /items/{id}"}
	if got := host.Get("/items/a%20b").Text(); got != "true 1queuetrueGET /items/{id}a b" {
		t.Errorf("got %q", got)
	}
	if _, ok := nethttp.FromContext(t.Context()); ok {
		t.Error("a context of nothing has a request")
	}
	if res := sdktest.New(nethttp.Serve(mux())).Get("/items/7"); res.Pattern != "GET /items/{id}" {
		t.Errorf("the host hears of the pattern %q", res.Pattern)
	}
	outer := http.NewServeMux()
	outer.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) {
		request, _ := nethttp.FromContext(r.Context())
		request.SetPattern("GET /own")
		request.SetPattern("a\x00b")
	})
	if res := sdktest.New(nethttp.Serve(outer)).Get("/x"); res.Pattern != "GET /own" {
		t.Errorf("a handler's own pattern is %q", res.Pattern)
	}
}

// TestTLS: a handler sees that its client uses TLS, and the name it asks for.
func TestTLS(t *testing.T) {
	host := plugin(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host, " ", r.TLS.ServerName) })
	if got := host.Do(httptest.NewRequest("GET", "https://shop.test:8443/", nil)).Text(); got != "shop.test:8443 shop.test" {
		t.Errorf("got %q", got)
	}
}

// TestTransaction: the status decides on the writes, unless the handler does.
func TestTransaction(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		status  int
		want    sdktest.Outcome
	}{
		"200":        {func(http.ResponseWriter, *http.Request) {}, 200, sdktest.Committed},
		"400":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }, 400, sdktest.Committed},
		"500":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 500, sdktest.Aborted},
		"abort":      {func(http.ResponseWriter, *http.Request) { sdk.Abort() }, 200, sdktest.Aborted},
		"commit":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); sdk.Commit() }, 500, sdktest.Committed},
		"panic":      {func(http.ResponseWriter, *http.Request) { panic("boo") }, 502, sdktest.Aborted},
		"late panic": {func(w http.ResponseWriter, _ *http.Request) { write(w, strings.Repeat("x", 1<<14)); panic("boo") }, 502, sdktest.Aborted},
		"aborted":    {func(w http.ResponseWriter, _ *http.Request) { write(w, "x"); panic(http.ErrAbortHandler) }, 502, sdktest.Aborted},
		"101":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(101) }, 502, sdktest.Aborted},
	} {
		host := plugin(func(w http.ResponseWriter, r *http.Request) {
			if err := kv.Set("k", []byte("v")); err != nil {
				t.Error(err)
			}
			c.handler(w, r)
		})
		res := host.Get("/")
		if res.Status != c.status || res.Outcome != c.want {
			t.Errorf("%s: got %v", name, res)
		}
	}
}

// TestPanic: the log of a panic has the calls that led to it, of which those of the
// SDK's own tests are left out; an abort says nothing.
func TestPanic(t *testing.T) {
	res := plugin(boo).Get("/")
	if len(res.Logs) != 1 || !strings.HasPrefix(res.Logs[0].Attrs["stack"], "net/http.HandlerFunc.ServeHTTP server.go:") {
		t.Errorf("the log of a panic is %v", res)
	}
	res = plugin(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }).Get("/")
	if len(res.Logs) != 0 || strings.Contains(res.Text(), "panic") {
		t.Errorf("an abort: %v", res)
	}
	res = plugin(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.WriteHeader(202) }).Get("/")
	if len(res.Logs) != 1 || !strings.HasPrefix(res.Logs[0].Message, "http: superfluous response.WriteHeader call from github.com/wasmoor/wasmoor/sdk/nethttp_test.TestPanic.") {
		t.Errorf("a superfluous status: %v", res)
	}
}

func boo(http.ResponseWriter, *http.Request) { panic("boo") }

// TestDeadline: a context ends early enough to answer, and with its handler.
func TestDeadline(t *testing.T) {
	var late context.Context
	var most, patience time.Duration
	host := plugin(func(w http.ResponseWriter, r *http.Request) {
		late = r.Context()
		ctx, cancel := context.WithTimeout(late, time.Hour)
		defer cancel()
		at, ok := ctx.Deadline()
		left := time.Until(at)
		if !ok || left > most || left < most-time.Minute {
			t.Errorf("%v are left of %v", left, most)
		}
		select {
		case <-ctx.Done():
			fmt.Fprint(w, "over ", ctx.Err(), " ", late.Err())
		case <-time.After(patience):
			fmt.Fprint(w, "waited ", ctx.Err(), " ", late.Err())
		}
	})
	for _, tt := range []struct {
		deadline, patience time.Duration
		want               string
	}{
		{time.Hour, 10 * time.Millisecond, "waited <nil> <nil>"},
		{80 * time.Millisecond, time.Minute, "over context deadline exceeded context deadline exceeded"},
	} {
		host.Deadline, patience = tt.deadline, tt.patience
		most = tt.deadline - min(tt.deadline/8, time.Second/2)
		if got := host.Get("/").Text(); got != tt.want {
			t.Errorf("with a deadline of %v: got %q, want %q", tt.deadline, got, tt.want)
		}
		select {
		case <-late.Done():
		default:
			t.Error("the context goes on after its handler")
		}
	}
	host = plugin(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	host.Deadline = 10 * time.Millisecond
	if res := host.Get("/"); res.Status != http.StatusServiceUnavailable {
		t.Errorf("a handler that computes and asks: %v", res)
	}
}
