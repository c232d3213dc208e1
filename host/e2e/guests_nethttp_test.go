package e2e

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/wasmoor/wasmoor/host/e2e/testdata/nethttp/app"
)

// TestNetHTTP serves one program with chi by net/http and as a plugin, and sends the
// same requests to both.
func TestNetHTTP(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--outbound-allow-networks", "127.0.0.1/32", "--log-level", "info")
	guest := goGuest(t, "testdata/nethttp")
	const n = 4
	var arrived sync.WaitGroup
	arrived.Add(n)
	origin := service(t, func(w http.ResponseWriter, r *http.Request) {
		switch to, redirected := strings.CutPrefix(r.URL.Path, "/to"); {
		case redirected:
			fmt.Fprint(w, to)
		case strings.HasPrefix(to, "/hangs"):
			<-r.Context().Done()
		default:
			arrived.Done()
			arrived.Wait() // answers only when all have come
			http.Redirect(w, r, "/to"+r.URL.Path, http.StatusFound)
		}
	})
	s.deploy("app", pack(t, guest, "app", `frozen = ["random"]`, "[limits]", `deadline = "2s"`, "[kv]", allowing(origin)))
	sameAsNetHTTP(t, s)
	big, bigType := uploaded(t, 1<<20)
	for _, c := range []struct{ about, path, contentType, body, want string }{
		{"calls of goroutines go together", "/own/get?n=4", "", origin + "/", "[/0 /1 /2 /3]"},
		{"a call ends before the deadline", "/own/get?n=1", "", origin + "/hangs", "[timeout true]"},
		{"a file in memory", "/own/form", bigType, big, "1048576"},
		{"a file that does not fit", "/own/form?memory=1000", bigType, big, "open /tmp/multipart-"},
		{"500 drops what it wrote", "/own/count/500", "", "", "0"},
		{"400 commits", "/own/count/400", "", "", "0"},
		{"so that this counts one", "/own/count/200", "", "", "1"},
	} {
		if got := said(t, s, "POST", c.path, c.contentType, c.body); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.about, got, c.want)
		}
	}
	if got := said(t, s, "GET", "/own/deadline", "", ""); got != "true context deadline exceeded true" {
		t.Errorf("a handler that waits for the end of its context answers %q", got)
	}
	said(t, s, "GET", "/own/panic", "", "")
	said(t, s, "GET", "/own/log", "", "")
	s.stop()
	for _, want := range []string{
		"a plugin has no files; keep it in memory, in Go with r.ParseMultipartForm(r.ContentLength)",
		`"msg":"panic: down"`,
		`"stack":"main.fall main.go:`,
		`"pattern":"GET /own/panic"`,
		`"pattern":"GET /hello/{name}"`,
		`"level":"INFO","msg":"to stdout"`,
		`"level":"WARN","msg":"to stderr"`,
		`"level":"WARN","msg":"by slog","plugin":"app"`,
		`"guest":{"a":"1"}`,
		`"level":"INFO","msg":"by log and slog"`,
	} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, s.log)
		}
	}
}

// TestNetHTTPReadme: sdk/NETHTTP.md shows code of the guest as it is.
func TestNetHTTPReadme(t *testing.T) {
	readme, err := os.ReadFile("../../sdk/NETHTTP.md")
	if err != nil {
		t.Fatal(err)
	}
	guest, err := os.ReadFile("testdata/nethttp/main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(readme), "\n// pattern tells")
	code, _, _ = strings.Cut(code, "```")
	if !strings.Contains(string(guest), "\n// pattern tells"+code) || code == "" {
		t.Errorf("testdata/nethttp/main.go does not have\n%s", code)
	}
}

// said returns the body of an answer of the plugin.
func said(t *testing.T, s *server, method, path, contentType, body string) string {
	t.Helper()
	text := shown(t, s.public+"/app", method, path, contentType, body)
	text, err := strconv.Unquote(text[strings.LastIndexByte(text, '\n')+1:])
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func sameAsNetHTTP(t *testing.T, s *server) {
	plain := httptest.NewServer(app.Routes())
	defer plain.Close()
	file, fileType := uploaded(t, 1<<20)
	for _, r := range []struct{ method, path, contentType, body string }{
		{"GET", "/hello/you", "", ""},
		{"HEAD", "/hello/you", "", ""},
		{"GET", "/hello/you/", "", ""},
		{"GET", "/hello/a%20b", "", ""},
		{"POST", "/items", "application/json", `{"a":[1,2]}`},
		{"POST", "/items", "application/json", `{"a":` + strings.Repeat("1", 200) + `}`},
		{"POST", "/items", "application/json", `{`},
		{"POST", "/items", "text/plain", `{}`},
		{"GET", "/items/7", "", ""},
		{"DELETE", "/items/7", "", ""},
		{"POST", "/upload", fileType, file},
		{"POST", "/upload", "text/plain", "x"},
		{"GET", "/static/", "", ""},
		{"GET", "/static/style.css", "", ""},
		{"GET", "/old", "", ""},
		{"GET", "/panic", "", ""},
		{"GET", "/slow", "", ""},
		{"GET", "/mux/books/5", "", ""},
		{"GET", "/mux/books", "", ""},
		{"GET", "/ping", "", ""},
		{"GET", "/nowhere", "", ""},
	} {
		want := shown(t, plain.URL, r.method, r.path, r.contentType, r.body)
		if got := shown(t, s.public+"/app", r.method, r.path, r.contentType, r.body); got != want {
			t.Errorf("%s %s: net/http answers\n%s\nand the plugin\n%s", r.method, r.path, want, got)
		}
	}
}

// uploaded returns a form with a file of so many bytes, and its type.
func uploaded(t *testing.T, size int) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.WriteField("title", "a file"); err != nil {
		t.Fatal(err)
	}
	part, err := w.CreateFormFile("file", "f.bin")
	if err == nil {
		_, err = part.Write(bytes.Repeat([]byte("x"), size))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

// shown asks for one answer, and leaves out of it what a server adds by itself.
func shown(t *testing.T, base, method, path, contentType, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("Cookie", "a=1; b=2")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var fields []string
	for name, values := range res.Header {
		if !slices.Contains([]string{"Content-Length", "Date", "Connection", "X-Request-Id"}, name) {
			fields = append(fields, strings.ReplaceAll(fmt.Sprintf("%s: %q", name, values), `["/app/`, `["/`))
		}
	}
	slices.Sort(fields)
	return fmt.Sprintf("%d\n%s\n\n%q", res.StatusCode, strings.Join(fields, "\n"), text)
}
