//go:build edge

package e2e

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// edgePage is a page that sends requests one after the other and writes down what
// the browser lets it read: status and body, or that it may not.
const edgePage = `<!doctype html><pre id="seen"></pre><script>
const requests = REQUESTS, seen = {};
(async () => {
	for (const {name, url, init} of requests) {
		try {
			const answer = await fetch(url, init), body = await answer.text();
			const isProblem = answer.headers.get("content-type") === "application/problem+json";
			seen[name] = answer.status + " " + (isProblem ? "problem " + JSON.parse(body).code : body);
		} catch (refused) {
			seen[name] = refused.name;
		}
	}
	document.getElementById("seen").textContent = JSON.stringify(seen);
})();
</script>`

// pageRequest is a request of the page's.
type pageRequest struct {
	Name string         `json:"name"`
	URL  string         `json:"url"`
	Init map[string]any `json:"init"`
}

// browse opens a page in a browser and returns what its script could read.
func browse(t *testing.T, path, url string) map[string]string {
	t.Helper()
	// Time is the page's: it does not pass while a request is on its way.
	browser := begin(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--virtual-time-budget=10000", "--dump-dom", url)
	dom := browser.output(t)
	_, rest, _ := strings.Cut(dom, `<pre id="seen">`)
	text, _, _ := strings.Cut(rest, "</pre>")
	var seen map[string]string
	if err := json.Unmarshal([]byte(html.UnescapeString(text)), &seen); err != nil {
		t.Fatalf("the page wrote %q: %v\n%s", text, err, &browser.said)
	}
	return seen
}

// TestEdgeBrowser has a page of another origin use plugins in a real browser,
// which decides what the page may read and send: nothing without a policy, what
// the policy names with one, nothing again once it is gone.
func TestEdgeBrowser(t *testing.T) {
	t.Parallel()
	path := tool(t, "chromium", "chromium")
	s := serve(t, t.TempDir())
	s.deploy("hello", pack(t, enginetest.Tiny(), "hello", "[[route]]", `pattern = "GET /{$}"`))
	s.deploy("trap", pack(t, enginetest.Trap(), "trap"))
	s.deploy("echo", pack(t, enginetest.Echo(), "echo"))
	counters := []string{"nomethod", "noheader", "stranger"} // count what reaches them
	for _, name := range counters {
		s.deploy(name, pack(t, enginetest.Counter(), name, "[kv]"))
	}

	put := map[string]any{"method": "PUT", "headers": map[string]string{"X-Edge": "1"}, "body": "put by a page"}
	requests, err := json.Marshal([]pageRequest{
		{"answer", s.public + "/hello/", nil},
		{"error of a route", s.public + "/hello/nothing", nil},
		{"error of a guest", s.public + "/trap/", nil},
		{"PUT", s.public + "/echo/", put},
		{"PUT without the method", s.public + "/nomethod/", put},
		{"PUT without the header", s.public + "/noheader/", put},
		{"PUT of another origin", s.public + "/stranger/", put},
		{"outside every mount", s.public + "/nowhere", nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, strings.Replace(edgePage, "REQUESTS", string(requests), 1)) // the browser may be gone
	}))
	t.Cleanup(page.Close)

	const refused = "TypeError"
	nothing := map[string]string{
		"answer": refused, "error of a route": refused, "error of a guest": refused, "PUT": refused,
		"PUT without the method": refused, "PUT without the header": refused, "PUT of another origin": refused,
		"outside every mount": refused,
	}
	if diff := cmp.Diff(nothing, browse(t, path, page.URL)); diff != "" {
		t.Errorf("without policies (-want +got):\n%s", diff)
	}

	counted := make(map[string]string) // by direct requests, which count too
	for _, name := range counters {
		counted[name] = s.get("/" + name + "/").body
	}
	for _, set := range [][]string{
		{"hello", "--origin", page.URL},
		{"trap", "--origin", page.URL},
		{"echo", "--origin", page.URL, "--method", "GET", "--method", "PUT", "--header", "x-edge"},
		{"nomethod", "--origin", page.URL, "--method", "GET", "--header", "x-edge"},
		{"noheader", "--origin", page.URL, "--method", "PUT", "--header", "x-other"},
		{"stranger", "--origin", "http://127.0.0.2:1", "--method", "PUT", "--header", "x-edge"},
	} {
		s.mustCLI("", append([]string{"cors", "set"}, set...)...)
	}
	want := map[string]string{
		"answer": "200 hello", "error of a route": "404 problem not_found", "error of a guest": "502 problem trap",
		"PUT": "200 put by a page", "PUT without the method": refused, "PUT without the header": refused,
		"PUT of another origin": refused, "outside every mount": refused,
	}
	if diff := cmp.Diff(want, browse(t, path, page.URL)); diff != "" {
		t.Errorf("with policies (-want +got):\n%s", diff)
	}
	for _, name := range counters {
		if got, want := s.get("/"+name+"/").body, next(t, counted[name]); got != want {
			t.Errorf("what the browser refused reached the guest %s: it counted %s, want %s", name, got, want)
		}
	}

	for _, name := range []string{"hello", "trap", "echo", "nomethod", "noheader", "stranger"} {
		s.mustCLI("", "cors", "unset", name)
	}
	if diff := cmp.Diff(nothing, browse(t, path, page.URL)); diff != "" {
		t.Errorf("without policies again (-want +got):\n%s", diff)
	}
}

// next is the number behind one, in decimal.
func next(t *testing.T, number string) string {
	t.Helper()
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(n + 1)
}
