package sdk_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func TestResponseHeader(t *testing.T) {
	res := run(t, func(w *sdk.Response, _ *sdk.Request) error {
		w.AddHeader("Set-Cookie", "a=1")
		w.AddHeader("set-cookie", "b=2")
		w.SetHeader("X-A", "old")
		w.SetHeader("x-a", "new")
		w.SetHeader("X-B", "gone")
		w.DelHeader("x-b")
		w.SetStatus(201)
		_, err := w.WriteString("made")
		return err
	}, "GET", "/", "")
	if res.Status != 201 || res.Text() != "made" {
		t.Errorf("got %v", res)
	}
	if got := res.Header["Set-Cookie"]; !slices.Equal(got, []string{"a=1", "b=2"}) {
		t.Errorf("Set-Cookie = %q", got)
	}
	if got := res.Header["X-A"]; !slices.Equal(got, []string{"new"}) || res.Header["X-B"] != nil {
		t.Errorf("X-A = %q, X-B = %q", got, res.Header["X-B"])
	}
	if got := res.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("Content-Type = %q", got)
	}
}

func TestEmptyResponse(t *testing.T) {
	res := run(t, func(*sdk.Response, *sdk.Request) error { return nil }, "GET", "/", "")
	if res.Status != 200 || len(res.Body) != 0 || len(res.Header) != 0 {
		t.Errorf("got %v with %v", res, res.Header)
	}
}

// TestBodySizes crosses the response's buffer in writes of many sizes.
func TestBodySizes(t *testing.T) {
	for _, size := range []int{1, 4095, 4096, 4097, 8192, 100_000} {
		for _, piece := range []int{1, 1000, 4096, 5000} {
			want := strings.Repeat("0123456789", size/10+1)[:size]
			res := run(t, func(w *sdk.Response, _ *sdk.Request) error {
				for chunk := range slices.Chunk([]byte(want), piece) {
					if n, err := w.Write(chunk); n != len(chunk) || err != nil {
						return err
					}
				}
				return nil
			}, "GET", "/", "")
			if res.Text() != want {
				t.Errorf("size %d in pieces of %d: got %d bytes, %v", size, piece, len(res.Body), res.Fault)
			}
		}
	}
}

func TestBodyOverTheLimit(t *testing.T) {
	var last error
	res := run(t, func(w *sdk.Response, _ *sdk.Request) error {
		for range 9 {
			_, last = w.Write(make([]byte, 1<<20))
		}
		return nil
	}, "GET", "/", "")
	if !errors.Is(last, abi.Limit) || res.Status != 502 || !strings.Contains(res.Fault, "too large") {
		t.Errorf("write: %v, got %d, fault %q", last, res.Status, res.Fault)
	}
}

func TestBadHead(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(w *sdk.Response)
	}{
		{"status 0", func(w *sdk.Response) { w.SetStatus(0) }},
		{"status 999", func(w *sdk.Response) { w.SetStatus(999) }},
		{"name", func(w *sdk.Response) { w.SetHeader("a\r\nb", "x") }},
		{"value", func(w *sdk.Response) { w.SetHeader("a", "x\r\nb: y") }},
		{"hop by hop", func(w *sdk.Response) { w.SetHeader("Transfer-Encoding", "gzip") }},
		{"many", func(w *sdk.Response) {
			for range 101 {
				w.AddHeader("a", "x")
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := run(t, func(w *sdk.Response, _ *sdk.Request) error { c.spoil(w); return kv.Set("k", nil) }, "GET", "/", "")
			if res.Status != 502 || res.Outcome != sdktest.Aborted {
				t.Errorf("got %v, want 502 and nothing written", res)
			}
		})
	}
}

func TestOutcome(t *testing.T) {
	secret := errors.New("disk /dev/sda1 is on fire")
	for _, c := range []struct {
		name    string
		handler func(w *sdk.Response) error
		status  int
		outcome sdktest.Outcome
	}{
		{"nil", func(*sdk.Response) error { return nil }, 200, sdktest.Committed},
		{"status 404", func(w *sdk.Response) error { return w.Text(404, "no") }, 404, sdktest.Committed},
		{"status 500", func(w *sdk.Response) error { return w.Text(500, "no") }, 500, sdktest.Aborted},
		{"status 500, commit", func(w *sdk.Response) error { sdk.Commit(); return w.Text(500, "no") }, 500, sdktest.Committed},
		{"abort", func(*sdk.Response) error { sdk.Abort(); return nil }, 200, sdktest.Aborted},
		{"abort, then commit", func(*sdk.Response) error { sdk.Abort(); sdk.Commit(); return nil }, 200, sdktest.Committed},
		{"error", func(*sdk.Response) error { return secret }, 500, sdktest.Aborted},
		{"error, commit", func(*sdk.Response) error { sdk.Commit(); return secret }, 500, sdktest.Aborted},
		{"intended", func(*sdk.Response) error { return sdk.Error(409, "taken") }, 409, sdktest.Aborted},
		{"intended, commit", func(*sdk.Response) error { sdk.Commit(); return sdk.Error(401, "wrong password") }, 401, sdktest.Committed},
		{"panic", func(*sdk.Response) error { panic(secret) }, 502, sdktest.Aborted},
		{"panic, commit", func(*sdk.Response) error { sdk.Commit(); panic(secret.Error()) }, 502, sdktest.Aborted},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := sdktest.New(func(w *sdk.Response, _ *sdk.Request) error {
				if err := kv.Set("k", []byte("v")); err != nil {
					return err
				}
				return c.handler(w)
			})
			res := host.Get("/")
			if res.Status != c.status || res.Outcome != c.outcome {
				t.Errorf("got %v, want %d %s", res, c.status, c.outcome)
			}
			if _, ok := host.Store.Get("k"); ok != (c.outcome == sdktest.Committed) {
				t.Errorf("k is there: %v", ok)
			}
			if strings.Contains(res.Text(), "sda1") {
				t.Errorf("the client learns %q", res.Text())
			}
		})
	}
}

func TestFailuresAreLogged(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler sdk.Handler
		says    string
	}{
		{"error", func(*sdk.Response, *sdk.Request) error { return errors.New("boom") }, "the handler failed error=boom"},
		{"panic", func(*sdk.Response, *sdk.Request) error { panic("boom") }, "panic: boom"},
		{"panic with an error", func(*sdk.Response, *sdk.Request) error { panic(errors.New("boom")) }, "panic: boom"},
		{"panic of the runtime", func(_ *sdk.Response, r *sdk.Request) error { return []error{}[r.BodySize()] }, "panic: runtime error: index out of range"},
		{"no handler", nil, "the plugin has no handler: call sdk.Handle in func init(); func main is never run"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := run(t, c.handler, "GET", "/", "")
			if len(res.Logs) != 1 || !strings.HasPrefix(res.Logs[0].String(), "error: "+c.says) {
				t.Fatalf("logs: %v, want %q", res.Logs, c.says)
			}
			stack, panicked := res.Logs[0].Attrs["stack"]
			if first, _, _ := strings.Cut(stack, "\n"); panicked && !calledHere.MatchString(first) {
				t.Errorf("the stack does not start with the handler:\n%s", stack)
			}
		})
	}
}

var calledHere = regexp.MustCompile(`^github\.com/wasmoor/wasmoor/sdk_test\.TestFailuresAreLogged\.\S+ response_test\.go:\d+$`)

// TestStackIsBounded has more calls than a log record takes.
func TestStackIsBounded(t *testing.T) {
	var deep func(int) error
	deep = func(n int) error {
		if n == 0 {
			panic("deep")
		}
		return deep(n - 1)
	}
	res := run(t, func(*sdk.Response, *sdk.Request) error { return deep(1000) }, "GET", "/", "")
	stack := res.Logs[0].Attrs["stack"]
	if lines := strings.Count(stack, "\n"); lines > 32 || len(stack) > 4<<10+len("\n...") || !strings.HasSuffix(stack, "\n...") {
		t.Errorf("%d bytes, %d lines:\n%s", len(stack), lines, stack)
	}
}

// wrapped is an error around another one.
type wrapped struct{ error }

func (w wrapped) Unwrap() error { return w.error }

func TestErrorReplacesResponse(t *testing.T) {
	res := run(t, func(w *sdk.Response, _ *sdk.Request) error {
		w.SetHeader("WWW-Authenticate", "Basic")
		w.SetHeader("ETag", `"1"`)
		w.SetHeader("Content-Type", "text/html")
		if _, err := w.WriteString("half a page"); err != nil {
			return err
		}
		return wrapped{sdk.Error(401, "say \"please\"\n\x01\xff")}
	}, "GET", "/", "")
	const want = `{"title":"Unauthorized","status":401,"detail":"say \"please\"\u000a\u0001` + "\uFFFD" + `"}` + "\n"
	if res.Status != 401 || res.Text() != want || len(res.Logs) != 0 {
		t.Errorf("got %v, want %q", res, want)
	}
	h := res.Header
	if h.Get("Content-Type") != "application/problem+json" || h.Get("Etag") != "" || h.Get("WWW-Authenticate") != "Basic" {
		t.Errorf("header %v", h)
	}
}

// TestErrorAfterMuch returns an error when the host has part of the body.
func TestErrorAfterMuch(t *testing.T) {
	res := run(t, func(w *sdk.Response, _ *sdk.Request) error {
		if _, err := w.Write(make([]byte, 10_000)); err != nil {
			return err
		}
		return sdk.Error(400, "late")
	}, "GET", "/", "")
	if res.Status != 502 || len(res.Logs) != 1 {
		t.Errorf("got %d with logs %v, want the host's answer to a failed handler", res.Status, res.Logs)
	}
}

func TestNoHandler(t *testing.T) {
	if res := sdktest.New(nil).Get("/"); res.Status != 502 || len(res.Logs) != 1 {
		t.Errorf("got %v", res)
	}
}

func TestRedirectAndNoContent(t *testing.T) {
	res := run(t, func(w *sdk.Response, r *sdk.Request) error { return w.Redirect(303, "/x") }, "GET", "/", "")
	if res.Status != 303 || res.Header.Get("Location") != "/x" {
		t.Errorf("redirect: got %v", res)
	}
	res = run(t, func(w *sdk.Response, r *sdk.Request) error { return w.NoContent() }, "GET", "/", "")
	if res.Status != 204 {
		t.Errorf("no content: got %v", res)
	}
	res = run(t, func(w *sdk.Response, r *sdk.Request) error { return w.HTML(200, "<p>") }, "GET", "/", "")
	if res.Header.Get("Content-Type") != "text/html; charset=utf-8" || res.Text() != "<p>" {
		t.Errorf("html: got %v", res)
	}
}
