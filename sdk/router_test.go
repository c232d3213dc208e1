package sdk_test

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func newRouter() *sdk.Router {
	show := func(w *sdk.Response, r *sdk.Request) error {
		return w.Text(200, r.Pattern()+" id="+r.PathValue("id")+" rest="+r.PathValue("rest"))
	}
	r := sdk.NewRouter()
	for _, p := range []string{
		"GET /{$}", "GET /items/{id}", "DELETE /items/{id}", "GET /items/new", "/files/{rest...}", "POST /only",
	} {
		r.HandleFunc(p, show)
	}
	return r
}

func TestRouter(t *testing.T) {
	for _, c := range []struct {
		method, target string
		status         int
		pattern, says  string
		allow          string
	}{
		{"GET", "/", 200, "GET /{$}", "", ""},
		{"GET", "/items/7", 200, "GET /items/{id}", "id=7 ", ""},
		{"HEAD", "/items/7", 200, "GET /items/{id}", "", ""},
		{"GET", "/items/a%20%C3%BC", 200, "GET /items/{id}", "id=a ü ", ""},
		{"GET", "/items/new", 200, "GET /items/new", "id= ", ""},
		{"DELETE", "/items/7", 200, "DELETE /items/{id}", "id=7 ", ""},
		{"PATCH", "/files/a/b", 200, "/files/{rest...}", "rest=a/b", ""},
		{"GET", "/nowhere", 404, "", "nothing at this path", ""},
		{"GET", "/items/", 404, "", "nothing at this path", ""},
		{"PUT", "/items/7", 405, "", "DELETE, GET, HEAD", "DELETE, GET, HEAD"},
		{"GET", "/only", 405, "", "POST", "POST"},
		{"OPTIONS", "/items/7", 204, "", "", "DELETE, GET, HEAD"},
		{"OPTIONS", "/nowhere", 404, "", "", ""},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			res := run(t, newRouter().Serve, c.method, c.target, "")
			if res.Status != c.status || res.Pattern != c.pattern || !strings.Contains(res.Text(), c.says) {
				t.Errorf("got %v, pattern %q; want %d, %q, %q", res, res.Pattern, c.status, c.pattern, c.says)
			}
			if got := res.Header.Get("Allow"); got != c.allow {
				t.Errorf("Allow = %q, want %q", got, c.allow)
			}
		})
	}
}

// TestManifestRoutes has path values from the host, without a router.
func TestManifestRoutes(t *testing.T) {
	host := sdktest.New(func(w *sdk.Response, r *sdk.Request) error {
		return w.Text(200, r.Pattern()+" "+r.PathValue("id"))
	})
	host.Routes = []string{"GET /items/{id}"}
	if res := host.Get("/items/7"); res.Text() != "GET /items/{id} 7" {
		t.Errorf("got %v", res)
	}
	if res := host.Get("/other"); res.Status != 404 || res.Attempts != 0 {
		t.Errorf("other path: got %v", res)
	}
	if res := host.Send("PUT", "/items/7", "", ""); res.Status != 405 || res.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("other method: got %v", res)
	}
}

func TestRouterRefusesPatterns(t *testing.T) {
	for _, c := range []struct {
		name     string
		patterns []string
		says     string
	}{
		{"syntax", []string{"GET items"}, "starts with '/'; write 'GET /items'"},
		{"wildcard of other routers", []string{"GET /items/:id"}, "; write 'GET /items/{id}'"},
		{"host", []string{"GET a.example/b"}, "only a mount has one; write 'GET /b'"},
		{"conflict", []string{"GET /{a}/x", "GET /x/{b}"}, "sdk: patterns conflict: 'GET /x/{b}' and 'GET /{a}/x' both match '/x/x'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, c.says) {
					t.Errorf("panic %q, want %q", text, c.says)
				}
			}()
			r := sdk.NewRouter()
			for _, p := range c.patterns {
				r.HandleFunc(p, nothing)
			}
			t.Error("no panic")
		})
	}
}

func nothing(*sdk.Response, *sdk.Request) error { return nil }

func TestHandleRefuses(t *testing.T) {
	for _, c := range []struct {
		name, says string
		call       func()
	}{
		{"no handler", "the handler is nil", func() { sdk.Handle(nil) }},
		{"no handler of a pattern", "the handler of the pattern 'GET /' is nil", func() { sdk.NewRouter().HandleFunc("GET /", nil) }},
		{"two handlers", "twice", func() { sdk.Handle(nothing); sdk.Handle(nothing) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, c.says) {
					t.Errorf("panic %q, want %q", text, c.says)
				}
			}()
			c.call()
			t.Error("no panic")
		})
	}
}
