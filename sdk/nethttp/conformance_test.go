package nethttp_test

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk/nethttp"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

//go:embed testdata
var files embed.FS

// conformance are handlers that must answer alike behind a server of net/http and as a
// plugin.
var conformance = map[string]http.HandlerFunc{
	"nothing":          func(http.ResponseWriter, *http.Request) {},
	"implicit 200":     text("hello"),
	"sniffs html":      text("<!DOCTYPE html><p>x</p>"),
	"sniffs pieces":    func(w http.ResponseWriter, _ *http.Request) { write(w, "<!DOC", "TYPE html>", "<p>") },
	"sniffs a picture": text("\x89PNG\x0D\x0A\x1A\x0A"),
	"sniffs what is flushed": func(w http.ResponseWriter, _ *http.Request) {
		write(w, "<!DOC")
		w.(http.Flusher).Flush()
		write(w, "TYPE html>")
	},
	"large":         text(strings.Repeat("0123456789", 5000)),
	"an empty type": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "x/y"); write(w, "") },
	"encoded": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "x-own")
		w.Header().Set("Content-Type", "text/html")
		write(w, "abc")
	},
	"status and fields": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("X-Twice", "a")
		w.Header().Add("X-Twice", "b")
		w.Header()["lower"] = []string{" trimmed ", "two\nlines"}
		w.Header()["not a token"] = []string{"x"}
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("X-Late", "1")
		write(w, "short and stout")
	},
	"superfluous":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.WriteHeader(500); write(w, "x") },
	"late status":   func(w http.ResponseWriter, _ *http.Request) { write(w, "x"); w.WriteHeader(500) },
	"early hints":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(202); write(w, "x") },
	"204 with body": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204); refused(w, http.ErrBodyNotAllowed) },
	"304 with body": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"a"`)
		w.Header().Set("Content-Type", "text/css")
		w.WriteHeader(304)
		refused(w, http.ErrBodyNotAllowed)
	},
	"own length": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "3"); write(w, "abc") },
	"wrong length": func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead { // to which net/http sends it all the same
			w.Header().Set("Content-Length", "abc")
		}
		write(w, "abc")
	},
	"over its length": func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or a server closes the connection before the client has sent all
		w.Header().Set("Content-Length", "3")
		write(w, "abc")
		refused(w, http.ErrContentLength)
	},
	"trailers": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		write(w, "abc")
		w.Header().Set("X-Sum", "1")
		w.Header().Set(http.TrailerPrefix+"X-More", "2")
	},
	"http.Error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no <b>", http.StatusForbidden) },
	"NotFound":   http.NotFound,
	"redirect": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere?a=b", http.StatusSeeOther)
	},
	"near redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "next", http.StatusFound) },
	"far redirect":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "https://a.test/", http.StatusFound) },
	"cookies": func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "1", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.SetCookie(w, &http.Cookie{Name: "b", Value: "two words"})
		for _, c := range r.Cookies() {
			fmt.Fprintln(w, c.Name, c.Value)
		}
	},
	"the request": func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, r.Method, r.URL, r.URL.Path, r.URL.RawPath, r.RequestURI, r.Proto, r.Host, r.ContentLength, r.TLS == nil, r.Pattern)
		fmt.Fprintln(w, r.URL.Query(), r.Header["X-Twice"], r.Header["Host"], r.Header.Get("Cookie"), r.Trailer, r.TransferEncoding)
	},
	"echo":        func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) },
	"form":        form,
	"form values": func(w http.ResponseWriter, r *http.Request) { write(w, r.FormValue("a"), r.PostFormValue("b")) },
	"max bytes": func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4))
		var tooLarge *http.MaxBytesError
		http.Error(w, fmt.Sprint(err, errors.As(err, &tooLarge)), http.StatusRequestEntityTooLarge)
	},
	"closed body": func(w http.ResponseWriter, r *http.Request) {
		_ = r.Body.Close()
		_, err := r.Body.Read(make([]byte, 1))
		fmt.Fprint(w, err)
	},
	"controller": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		c := http.NewResponseController(w)
		fmt.Fprint(w, c.Flush())
	},
	"content": func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "a.css", time.Unix(1e9, 0), strings.NewReader("p { color: red }"))
	},
	"files":         http.FileServerFS(files).ServeHTTP,
	"mux":           mux().ServeHTTP,
	"strip prefix":  http.StripPrefix("/testdata", mux()).ServeHTTP,
	"timeout":       http.TimeoutHandler(text("in time"), time.Minute, "late").ServeHTTP,
	"too late":      http.TimeoutHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), time.Millisecond, "late").ServeHTTP,
	"max handler":   http.MaxBytesHandler(http.HandlerFunc(form), 8).ServeHTTP,
	"cross origin":  http.NewCrossOriginProtection().Handler(text("same")).ServeHTTP,
	"allow queries": http.AllowQuerySemicolons(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { write(w, r.FormValue("b")) })).ServeHTTP,
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { write(w, s) }
}

func write(w io.Writer, parts ...string) {
	for _, s := range parts {
		_, _ = io.WriteString(w, s)
	}
}

// refused writes what must be refused with that error.
func refused(w io.Writer, want error) {
	if _, err := w.Write([]byte("no body")); !errors.Is(err, want) {
		panic(fmt.Sprintf("write: %v, want %v", err, want))
	}
}

func form(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseMultipartForm(1 << 20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintln(w, r.Form, r.PostForm)
	file, header, err := r.FormFile("file")
	if err != nil {
		fmt.Fprintln(w, err)
		return
	}
	content, err := io.ReadAll(file)
	fmt.Fprintln(w, header.Filename, header.Size, header.Header, len(content), err)
}

func mux() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET /items/{id}", func(w http.ResponseWriter, r *http.Request) { write(w, r.PathValue("id"), r.Pattern) })
	m.HandleFunc("POST /items/{id}", form)
	m.HandleFunc("/dir/", text("dir"))
	m.Handle("/files/", http.StripPrefix("/files/testdata", http.FileServerFS(files)))
	m.HandleFunc("/{$}", text("root"))
	return m
}

const multipart = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b\r\n" +
	"Content-Disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n"

// requests are sent to each of the handlers: method, target, body, and fields.
var requests = [][]string{
	{"GET", "/", ""},
	{"HEAD", "/", ""},
	{"GET", "/?a=1&a=2;b=3&b=%C3%A9", "", "X-Twice: a", "X-Twice: b", "Cookie: a=1; b=2"},
	{"POST", "/a%20b/c%3Bd", "hello world", "Content-Type: text/plain"},
	{"POST", "/items/7?a=q", "a=1&b=2", "Content-Type: application/x-www-form-urlencoded"},
	{"POST", "/items/7", multipart, "Content-Type: multipart/form-data; boundary=b"},
	{"GET", "/items/caf%C3%A9", ""},
	{"DELETE", "/items/7", ""},
	{"OPTIONS", "/items/7", "", "Origin: https://other.test"},
	{"POST", "/dir/", "", "Origin: https://other.test", "Sec-Fetch-Site: cross-site"},
	{"GET", "/dir", ""},
	{"GET", "/dir?x=1", ""},
	{"GET", "/nowhere", ""},
	{"GET", "/testdata", ""},
	{"GET", "/testdata/", ""},
	{"GET", "/testdata/page/index.html", ""},
	{"GET", "/testdata/page", "", "If-None-Match: \"a\""},
	{"GET", "/testdata/style.css", ""},
	{"HEAD", "/testdata/style.css", ""},
	{"GET", "/testdata/style.css", "", "Range: bytes=2-5"},
	{"GET", "/testdata/style.css", "", "Range: bytes=1-2,4-5"},
	{"GET", "/testdata/style.css", "", "Range: bytes=900-"},
	{"GET", "/x.css", "", "If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT"},
}

// TestConformance sends the same requests to the same handlers behind a server of
// net/http and as a plugin.
func TestConformance(t *testing.T) {
	for name, handler := range conformance {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(handler)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.Start()
			defer server.Close()
			host := sdktest.New(nethttp.Serve(handler))
			for _, r := range requests {
				want, got := ask(t, server, r), answer(host, server, r)
				if want != got {
					t.Errorf("%v: a server answers\n%s\nand a plugin\n%s", r, want, got)
				}
			}
		})
	}
}

func newRequest(base string, r []string) *http.Request {
	req := httptest.NewRequest(r[0], base+r[1], strings.NewReader(r[2]))
	if r[2] == "" {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	for _, field := range r[3:] {
		name, value, _ := strings.Cut(field, ": ")
		req.Header.Add(name, value)
	}
	return req
}

var client = http.Client{
	Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true}, // a server may end a connection
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func ask(t *testing.T, server *httptest.Server, r []string) string {
	t.Helper()
	req := newRequest(server.URL, r)
	req.RequestURI = ""
	req.Header.Set("User-Agent", "test")
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%v: %v", r, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%v: %v", r, err)
	}
	return shown(res.StatusCode, res.Header, body)
}

func answer(host *sdktest.Host, server *httptest.Server, r []string) string {
	req := newRequest(server.URL, r)
	req.Header.Set("User-Agent", "test")
	res := host.Do(req)
	return shown(res.Status, res.Header, res.Body) + res.Fault
}

// shown leaves out what the host sets by itself.
func shown(status int, header http.Header, body []byte) string {
	var list []string
	for name, values := range header {
		if !slices.Contains([]string{"Content-Length", "Date", "Connection", "Trailer"}, name) {
			list = append(list, fmt.Sprintf("%s: %q", name, values))
		}
	}
	slices.Sort(list)
	_, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if boundary := params["boundary"]; err == nil && boundary != "" {
		return strings.ReplaceAll(shown(status, http.Header{"Content-Range": list}, nil)+string(body), boundary, "BOUNDARY")
	}
	return fmt.Sprintf("%d\n%s\n\n%s", status, strings.Join(list, "\n"), body)
}
