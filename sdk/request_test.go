package sdk_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

// run gives h one request and returns the result.
func run(t *testing.T, h sdk.Handler, method, target, body string) *sdktest.Result {
	t.Helper()
	return sdktest.New(h).Send(method, target, "text/plain", body)
}

func TestRequestHead(t *testing.T) {
	host := sdktest.New(func(w *sdk.Response, r *sdk.Request) error {
		cookie, ok := r.Cookie("session")
		_, missing := r.Cookie("sess")
		for _, c := range []struct{ name, got, want string }{
			{"method", r.Method(), "PUT"},
			{"path", r.Path(), "/a%20b"},
			{"mount", r.Mount(), "/m"},
			{"url", r.URL("/x"), "http://h.example:8080/m/x"},
			{"pattern", r.Pattern(), ""},
			{"path value", r.PathValue("none"), ""},
			{"query", r.RawQuery(), "q=1"},
			{"header", r.Header("X-ONE"), "first"},
			{"no header", r.Header("X-Two"), ""},
			{"cookie", cookie, "abc"},
			{"scheme", r.Scheme(), "http"},
			{"host", r.Host(), "h.example:8080"},
			{"remote", r.Remote(), "192.0.2.1"},
		} {
			if c.got != c.want {
				t.Errorf("%s = %q, want %q", c.name, c.got, c.want)
			}
		}
		if !ok || missing || r.ID() == "" || r.Attempt() != 1 || r.BodySize() != 4 {
			t.Errorf("cookie %v %v, id %q, attempt %d, body %d", ok, missing, r.ID(), r.Attempt(), r.BodySize())
		}
		return nil
	})
	host.Mount = "/m"
	req := httptest.NewRequest("PUT", "http://h.example:8080/a%20b?q=1", strings.NewReader("body"))
	req.Header["X-One"] = []string{"first", "second"}
	req.Header.Set("Cookie", `other=1; session="abc"`)
	if res := host.Do(req); res.Status != 200 {
		t.Errorf("got %v", res)
	}
}

func TestTriggerAndAttributes(t *testing.T) {
	host := sdktest.New(func(w *sdk.Response, r *sdk.Request) error {
		text := r.Trigger() + "," + r.Attribute("queue.name") + "," + r.Attribute("Queue.Name")
		for name, value := range r.Attributes() {
			text += "," + name + "=" + value
		}
		return w.Text(200, text)
	})
	if got := host.Send("POST", "/", "", "", "queue.name: mine", "Trigger: queue").Text(); got != "http,," {
		t.Errorf("over HTTP the guest sees %q", got)
	}
	host.Trigger, host.Attributes = "queue", map[string]string{"queue.name": "mail", "auth.subject": ""}
	if got := host.Get("/").Text(); got != "queue,mail,,auth.subject=,queue.name=mail" {
		t.Errorf("from a queue the guest sees %q", got)
	}
}

func TestTooManyAttributes(t *testing.T) {
	host := sdktest.New(func(*sdk.Response, *sdk.Request) error { return nil })
	host.Attributes = map[string]string{"a": strings.Repeat("v", 16<<10)}
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "1 attributes of 16385 bytes") {
			t.Errorf("panic %q", text)
		}
	}()
	host.Get("/")
	t.Error("no panic")
}

// TestRequestStringsMayBeKept compares a string of one request after the next.
func TestRequestStringsMayBeKept(t *testing.T) {
	var kept []string
	host := sdktest.New(func(_ *sdk.Response, r *sdk.Request) error {
		kept = append(kept, r.Path())
		return nil
	})
	host.Get("/first")
	host.Get("/other")
	if kept[0] != "/first" || kept[1] != "/other" {
		t.Errorf("kept %q", kept)
	}
}

// TestLargeHead has a head that does not fit the buffer of the first try.
func TestLargeHead(t *testing.T) {
	long := strings.Repeat("a", 6000)
	res := run(t, func(w *sdk.Response, r *sdk.Request) error { return w.Text(200, r.Query().Get("q")) }, "GET", "/?q="+long, "")
	if res.Text() != long {
		t.Errorf("got %d bytes, want %d", len(res.Body), len(long))
	}
}

func TestBody(t *testing.T) {
	const limit = 10_000
	echo := func(w *sdk.Response, r *sdk.Request) error {
		body, err := r.Body(limit)
		if err != nil {
			return err
		}
		_, err = w.Write(body)
		return err
	}
	for _, c := range []struct {
		name         string
		size, status int
	}{
		{"empty", 0, 200},
		{"small", 5, 200},
		{"at the limit", limit, 200},
		{"over the limit", limit + 1, 413},
		{"over the host's limit", 4<<20 + 1, 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := strings.Repeat("x", c.size)
			res := run(t, echo, "POST", "/", body)
			if res.Status != c.status || c.status == 200 && res.Text() != body {
				t.Errorf("got %d with %d bytes, want %d", res.Status, len(res.Body), c.status)
			}
		})
	}
}

func TestReaderReadsInPieces(t *testing.T) {
	body := strings.Repeat("0123456789", 1000)
	res := run(t, func(w *sdk.Response, r *sdk.Request) error {
		_, err := io.Copy(w, io.MultiReader(io.LimitReader(r.Reader(), 7), r.Reader()))
		return err
	}, "POST", "/", body)
	if want := body[:7] + body; res.Text() != want {
		t.Errorf("got %d bytes, want %d", len(res.Body), len(want))
	}
}

func TestForm(t *testing.T) {
	handler := func(w *sdk.Response, r *sdk.Request) error {
		form, err := r.Form(100)
		if err != nil {
			return err
		}
		return w.Text(200, form.Get("a")+"|"+form.Get("b")+"|"+form.Get("c"))
	}
	for _, c := range []struct {
		name, contentType, body string
		status                  int
		want                    string
	}{
		{"fields", "application/x-www-form-urlencoded", "a=1&b=x+y%21", 200, "1|x y!|"},
		{"parameter", "Application/X-WWW-Form-URLEncoded; charset=utf-8", "c=3", 200, "||3"},
		{"other type", "text/plain", "a=1", 415, ""},
		{"no type", "", "a=1", 415, ""},
		{"too long", "application/x-www-form-urlencoded", "a=" + strings.Repeat("1", 100), 413, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := sdktest.New(handler).Send("POST", "/", c.contentType, c.body)
			if res.Status != c.status || c.status == 200 && res.Text() != c.want {
				t.Errorf("got %v, want %d %q", res, c.status, c.want)
			}
		})
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		raw, name, want string
		ok              bool
	}{
		{"", "a", "", false},
		{"a=1&a=2", "a", "1", true},
		{"a", "a", "", true},
		{"=x&b=2", "b", "2", true},
		{"b=%41%zz%4", "b", "A%zz%4", true},
		{"%62=2", "b", "2", true},
		{"b=a=b", "b", "a=b", true},
		{"&&b=2", "b", "2", true},
		{"bb=1", "b", "", false},
		{"b=%", "b", "%", true},
	} {
		t.Run(c.raw, func(t *testing.T) {
			got, ok := sdk.Values(c.raw).Lookup(c.name)
			if got != c.want || ok != c.ok {
				t.Errorf("Lookup(%q) = %q, %v; want %q, %v", c.name, got, ok, c.want, c.ok)
			}
		})
	}
}

func TestDeadline(t *testing.T) {
	host := sdktest.New(func(w *sdk.Response, r *sdk.Request) error {
		return w.Text(200, time.Duration(r.Deadline()-sdk.Now()).String())
	})
	if got := host.Get("/").Text(); got != "5s" {
		t.Errorf("a request has %s", got)
	}
	host.Deadline, host.Conflicts = time.Minute, 1
	if got := host.Get("/").Text(); got != "1m0s" {
		t.Errorf("an attempt after the first has %s", got)
	}
}

func FuzzValues(f *testing.F) {
	for _, seed := range []string{"", "a=1&b=2", "%", "a=%4", "+=+", "&=&", "a=%00%ff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for name, value := range sdk.Values(raw).All() {
			if len(name)+len(value) > len(raw) {
				t.Errorf("%q gave %q = %q, longer than itself", raw, name, value)
			}
		}
	})
}

func TestEscapeHTML(t *testing.T) {
	if got, want := sdk.EscapeHTML(`<a href="x">'&ü</a>`), "&lt;a href=&#34;x&#34;&gt;&#39;&amp;ü&lt;/a&gt;"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
