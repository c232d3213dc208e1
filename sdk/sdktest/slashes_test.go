package sdktest_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func TestEncodedSlashes(t *testing.T) {
	h := sdktest.New(func(w *sdk.Response, r *sdk.Request) error { return w.Text(200, r.PathValue("x")) })
	h.Routes = []string{"GET /a/{x}", "GET /b/{x}"}
	h.EncodedSlashes = []string{"GET /b/{x}"}
	for path, want := range map[string]string{
		"/a/1": "1", "/b/1": "1", "/b/1%2F2%2f%2F3": "1/2//3",
		"/a/1%2F2": "", "/b/1%2F..%2F2": "", "/b/..%2F2": "", "/b/1%5C2": "", "/c/1%2F2": "",
	} {
		r := h.Do(httptest.NewRequest("GET", path, nil))
		if want == "" && r.Status != 400 || want != "" && (r.Status != 200 || string(r.Body) != want) {
			t.Errorf("%s: got %d %q, want %q", path, r.Status, r.Body, want)
		}
	}
}

// TestRoutesSayWhatToWrite: a pattern of another router is refused as the manifest
// refuses it.
func TestRoutesSayWhatToWrite(t *testing.T) {
	for route, want := range map[string]string{"GET /a/:id": `"GET /a/{id}"`, "get /b": `"GET /b"`, "GET h.example/a": `"GET /a"`} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.HasSuffix(text, "; write "+want) {
					t.Errorf("%s: panic %q, want it to say %s", route, text, want)
				}
			}()
			h := sdktest.New(func(*sdk.Response, *sdk.Request) error { return nil })
			h.Routes = []string{route}
			h.Get("/")
		}()
	}
}
