// Package apptest uses the notes service as its clients do, wherever it runs.
package apptest

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Library is a stand-in for the library of books. It knows one.
func Library() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/isbn/9780134190440.json":
			_, _ = io.WriteString(w, `{"title":"The Go Programming Language"}`)
		case "/isbn/0000000000.json":
			http.Error(w, "later", http.StatusServiceUnavailable)
		default:
			http.NotFound(w, r)
		}
	}))
}

// Client is one browser.
type Client struct {
	t    *testing.T
	base string
	http *http.Client
}

// New returns a client without cookies of the service at base.
func New(t *testing.T, base string, transport http.RoundTripper) *Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	keep := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{t: t, base: base, http: &http.Client{Jar: jar, Transport: transport, CheckRedirect: keep}}
}

// Answer is a response that was read.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Do sends a request and returns the answer to it.
func (c *Client) Do(method, path, contentType, body string, header ...string) Answer {
	c.t.Helper()
	req, err := http.NewRequest(method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for _, field := range header {
		name, value, _ := strings.Cut(field, ": ")
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return Answer{resp.StatusCode, resp.Header, string(b)}
}

// want sends JSON and fails unless the answer has a status and says a text.
func (c *Client) want(status int, says, method, path, body string) string {
	c.t.Helper()
	got := c.Do(method, path, "application/json", body)
	if got.Status != status || !strings.Contains(got.Body, says) {
		c.t.Errorf("%s %s: %d %q, want %d and %q", method, path, got.Status, got.Body, status, says)
	}
	return got.Body
}

// note sends JSON and returns the id of the note that comes back.
func (c *Client) note(status int, method, path, body string) string {
	c.t.Helper()
	var n struct{ ID string }
	if text := c.want(status, `"id"`, method, path, body); json.Unmarshal([]byte(text), &n) != nil || n.ID == "" {
		c.t.Fatalf("%s %s: no note in %q", method, path, text)
	}
	return n.ID
}

const ada = `{"name":"ada","password":"correct horse"}`

// Run uses every part of an empty service.
func Run(t *testing.T, base string, transport http.RoundTripper) {
	c := New(t, base, transport)
	accounts(c, New(t, base, transport))
	notes(c)
	books(c)
	files(c)
	pages(New(t, base, transport))
}

func accounts(c, other *Client) {
	c.want(401, "log in first", "GET", "/api/notes", "")
	c.want(422, "8 to 256 bytes", "POST", "/api/users", `{"name":"ada","password":"short"}`)
	c.want(422, "lower-case letters", "POST", "/api/users", `{"name":"a/b","password":"correct horse"}`)
	c.want(400, "JSON", "POST", "/api/users", `{"name":`)
	c.want(201, "ada", "POST", "/api/users", ada)
	c.want(200, `"notes":[]`, "GET", "/api/notes", "")
	other.want(409, "taken", "POST", "/api/users", ada)
	other.want(401, "wrong", "POST", "/api/session", `{"name":"ada","password":"wrong horse"}`)
	other.want(401, "wrong", "POST", "/api/session", `{"name":"bob","password":"correct horse"}`)
	other.want(200, "ada", "POST", "/api/session", ada)
	other.want(204, "", "DELETE", "/api/session", "")
	other.want(401, "log in first", "GET", "/api/notes", "")
	if got := c.Do("DELETE", "/api/session", "", "", "Sec-Fetch-Site: cross-site"); got.Status != 403 {
		c.t.Errorf("a request from another site was answered with %d", got.Status)
	}
}

func notes(c *Client) {
	first := c.note(201, "POST", "/api/notes", `{"text":"one","tags":["go","todo","go"]}`)
	c.note(201, "POST", "/api/notes", `{"text":"two","tags":["todo"]}`)
	c.note(201, "POST", "/api/notes", `{"text":"three"}`)
	c.want(422, "16 KiB", "POST", "/api/notes", `{"text":""}`)
	c.want(422, "tag", "POST", "/api/notes", `{"text":"x","tags":["a/b"]}`)
	c.want(400, "1 to 100", "GET", "/api/notes?limit=1000", "")
	c.want(413, "64 KiB", "POST", "/api/notes", `{"text":"`+strings.Repeat("x", 70_000)+`"}`)
	c.want(200, `"one"`, "GET", "/api/notes/"+first, "")
	c.want(404, "no such note", "GET", "/api/notes/"+strings.Repeat("0", 20), "")

	// What is longer than a key may be, or no name of a note.
	long := strings.Repeat("x", 1100)
	c.want(404, "no such note", "GET", "/api/notes/"+long, "")
	c.want(404, "no such note", "PUT", "/api/notes/"+long+"/file", "")
	c.want(400, "before", "GET", "/api/notes?before="+long, "")
	c.want(400, "tag", "GET", "/api/notes?tag="+long, "")

	// Newest first, page by page.
	var texts []string
	before := ""
	for range 5 {
		var p struct {
			Notes []struct{ Text string }
			Next  string
		}
		if err := json.Unmarshal([]byte(c.want(200, "", "GET", "/api/notes?limit=2&before="+before, "")), &p); err != nil {
			c.t.Fatal(err)
		}
		for _, n := range p.Notes {
			texts = append(texts, n.Text)
		}
		if before = p.Next; before == "" {
			break
		}
	}
	if got := strings.Join(texts, " "); len(texts) != 3 || !strings.Contains(got, "one") || !strings.Contains(got, "three") {
		c.t.Errorf("the pages have %q", got)
	}
	c.want(200, `"one"`, "GET", "/api/notes?tag=go", "")
	c.note(200, "PUT", "/api/notes/"+first, `{"text":"one again","tags":["later"]}`)
	c.want(200, `"notes":[]`, "GET", "/api/notes?tag=go", "")
	c.want(200, "one again", "GET", "/api/notes?tag=later", "")
	c.want(204, "", "DELETE", "/api/notes/"+first, "")
	c.want(404, "no such note", "DELETE", "/api/notes/"+first, "")
	c.want(200, `"notes":[]`, "GET", "/api/notes?tag=later", "")
}

func books(c *Client) {
	c.want(201, "The Go Programming Language", "POST", "/api/notes", `{"text":"read it","isbn":"9780134190440"}`)
	c.want(422, "no book", "POST", "/api/notes", `{"text":"x","isbn":"9780000000002"}`)
	c.want(502, "try later", "POST", "/api/notes", `{"text":"x","isbn":"0000000000"}`)
	c.want(422, "13 digits", "POST", "/api/notes", `{"text":"x","isbn":"../../admin"}`)
}

func files(c *Client) {
	id := c.note(201, "POST", "/api/notes", `{"text":"with a file"}`)
	path := "/api/notes/" + id + "/file"
	c.want(404, "no file", "GET", path, "")
	c.want(400, "multipart", "PUT", path, "{}")
	contentType, form := Form(c.t, "../a.html", "<script>alert(1)</script>")
	if got := c.Do("PUT", path, contentType, form); got.Status != 200 || !strings.Contains(got.Body, `"file":"a.html"`) {
		c.t.Errorf("upload: %d %q", got.Status, got.Body)
	}
	got := c.Do("GET", path, "", "", "Range: bytes=1-6")
	if got.Status != 206 || got.Body != "script" || got.Header.Get("Content-Disposition") != "attachment" {
		c.t.Errorf("download of a range: %d %q %v", got.Status, got.Body, got.Header)
	}
	contentType, form = Form(c.t, "b", strings.Repeat("x", 1<<20))
	if got := c.Do("PUT", path, contentType, form); got.Status != 413 {
		c.t.Errorf("upload of 1 MiB: %d %q", got.Status, got.Body)
	}
}

// Form is a form with a file.
func Form(t *testing.T, name, content string) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", name)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(part, content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

func pages(c *Client) {
	post := func(status int, says string, values url.Values) {
		c.t.Helper()
		got := c.Do("POST", "/", "application/x-www-form-urlencoded", values.Encode())
		if got.Status != status || !strings.Contains(got.Body, says) {
			c.t.Errorf("the form %v: %d %q, want %d and %q", values, got.Status, got.Body, status, says)
		}
	}
	c.want(200, "Sign up", "GET", "/", "")
	c.want(200, "max-width", "GET", "/static/style.css", "")
	post(422, "taken", url.Values{"do": {"sign up"}, "name": {"ada"}, "password": {"correct horse"}})
	post(422, "log in first", url.Values{"do": {"add"}, "text": {"x"}})
	post(303, "", url.Values{"do": {"sign up"}, "name": {"bob"}, "password": {"correct horse"}})
	post(303, "", url.Values{"do": {"add"}, "text": {"<b>bold</b>"}, "tags": {"a b"}})
	c.want(200, "&lt;b&gt;bold&lt;/b&gt;", "GET", "/?tag=a", "")
	post(303, "", url.Values{"do": {"log out"}})
	c.want(200, "Sign up", "GET", "/", "")
}
