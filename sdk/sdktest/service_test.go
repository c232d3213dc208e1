package sdktest_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

// TestService: a handler calls another plugin by its name, and again in each run; no
// redirect is followed, and one that fails is 502.
func TestService(t *testing.T) {
	asked := 0
	host := sdktest.New(func(w *sdk.Response, r *sdk.Request) error {
		resp, err := fetch.Do(&fetch.Request{Method: "POST", URL: r.Query().Get("url"), Body: strings.NewReader("x")})
		if errors.Is(err, fetch.ErrDenied) {
			return w.Text(403, "denied")
		}
		if err != nil {
			return err
		}
		body, err := resp.Bytes(1 << 10)
		return errors.Join(err, kv.Set("k", body), w.Text(resp.Status, string(body)))
	})
	host.Service("stock", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked++; r.URL.Path {
		case "/away":
			http.Redirect(w, r, "http://stock.wasmoor.internal/items", http.StatusFound)
		case "/fails":
			panic("as it was told")
		default:
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, r.Method+" "+r.URL.Path+" "+string(body))
		}
	}))
	for url, want := range map[string]int{
		"http://stock.wasmoor.internal/items": 200,
		"http://STOCK.wasmoor.internal/items": 200,
		"http://stock.wasmoor.internal/away":  302,
		"http://stock.wasmoor.internal/fails": 502,
		"http://other.wasmoor.internal/":      403,
	} {
		if res := host.Get("/?url=" + url); res.Status != want {
			t.Errorf("%s: %v, want %d", url, res, want)
		}
	}
	host.Conflicts, asked = 1, 0
	if res := host.Get("/?url=http://stock.wasmoor.internal/items"); res.Status != 200 || string(res.Body) != "POST /items x" || asked != 2 || res.Attempts != 2 {
		t.Errorf("%v after %d runs, in which it was asked %d times", res, res.Attempts, asked)
	}
}
