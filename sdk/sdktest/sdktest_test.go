package sdktest_test

import (
	"errors"
	"math"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/log"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

// all runs the calls and returns the first error.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestConflicts stages one change between a handler and its commit and looks
// whether the handler ran again.
func TestConflicts(t *testing.T) {
	get := func(key string) error { _, _, err := kv.Get(key); return err }
	list := func(q kv.Query) error { _, _, err := kv.List(q); return err }
	for _, c := range []struct {
		name     string
		handler  func() error
		between  func(s *sdktest.Store)
		attempts int
	}{
		{"read, changed", func() error { return all(get("a"), kv.Set("x", nil)) }, set("a"), 2},
		{"read, deleted", func() error { return all(get("a"), kv.Set("x", nil)) }, remove("a"), 2},
		{"read absent, made", func() error { return all(get("b"), kv.Set("x", nil)) }, set("b"), 2},
		{"read, other changed", func() error { return all(get("a"), kv.Set("x", nil)) }, set("b"), 1},
		{"read only", func() error { return get("a") }, set("a"), 1},
		{"blind write", func() error { return kv.Set("a", nil) }, set("a"), 1},
		{"own write read", func() error { return all(kv.Set("a", nil), get("a")) }, set("a"), 1},
		{"add", func() error { return kv.Add("n", 1) }, set("other"), 1},
		{"add, then read", func() error { return all(kv.Add("n", 1), get("n")) }, remove("n"), 2},
		{"phantom", func() error { return all(list(kv.Query{Prefix: "p/"}), kv.Set("x", nil)) }, set("p/5"), 2},
		{"phantom deleted", func() error { return all(list(kv.Query{Prefix: "p/"}), kv.Set("x", nil)) }, remove("p/1"), 2},
		{"beside the prefix", func() error { return all(list(kv.Query{Prefix: "p/"}), kv.Set("x", nil)) }, set("q"), 1},
		{"within the page", func() error { return all(list(kv.Query{Prefix: "p/", Limit: 2}), kv.Set("x", nil)) }, set("p/15"), 2},
		{"behind the page", func() error { return all(list(kv.Query{Prefix: "p/", Limit: 2}), kv.Set("x", nil)) }, set("p/25"), 1},
		{"before the cursor", func() error { return all(list(kv.Query{Prefix: "p/", After: "p/2"}), kv.Set("x", nil)) }, set("p/1"), 1},
		{"reverse, within", func() error {
			return all(list(kv.Query{Prefix: "p/", Limit: 1, Reverse: true}), kv.Set("x", nil))
		}, set("p/9"), 2},
		{"reverse, behind", func() error {
			return all(list(kv.Query{Prefix: "p/", Limit: 1, Reverse: true}), kv.Set("x", nil))
		}, set("p/1"), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := sdktest.New(func(*sdk.Response, *sdk.Request) error { return c.handler() })
			for _, key := range []string{"a", "p/1", "p/2", "p/3"} {
				host.Store.Set(key, []byte("before"), 0)
			}
			host.BeforeCommit = func(attempt int) {
				if attempt == 1 {
					c.between(host.Store)
				}
			}
			res := host.Get("/")
			if res.Status != 200 || res.Attempts != c.attempts {
				t.Errorf("got %v, want %d attempts", res, c.attempts)
			}
		})
	}
}

func set(key string) func(*sdktest.Store) {
	return func(s *sdktest.Store) { s.Set(key, []byte("between"), 0) }
}

func remove(key string) func(*sdktest.Store) {
	return func(s *sdktest.Store) { s.Delete(key) }
}

func TestForcedConflicts(t *testing.T) {
	handler := func(w *sdk.Response, r *sdk.Request) error {
		log.Info("run", "attempt", r.Attempt())
		return kv.Add("n", 1)
	}
	for _, c := range []struct{ conflicts, status, attempts, n int }{
		{0, 200, 1, 1}, {1, 200, 2, 1}, {3, 200, 4, 1}, {4, 503, 4, 0}, {9, 503, 4, 0},
	} {
		host := sdktest.New(handler)
		host.Conflicts = c.conflicts
		res := host.Get("/")
		if res.Status != c.status || res.Attempts != c.attempts || host.Store.Int("n") != int64(c.n) {
			t.Errorf("%d conflicts: got %v and n = %d", c.conflicts, res, host.Store.Int("n"))
		}
		if len(res.Logs) != c.attempts || res.Logs[c.attempts-1].Attrs["attempt"] != string(rune('0'+c.attempts)) {
			t.Errorf("%d conflicts: logs %v", c.conflicts, res.Logs)
		}
		if retry := res.Header.Get("Retry-After"); (retry != "") != (c.status == 503) {
			t.Errorf("%d conflicts: Retry-After %q", c.conflicts, retry)
		}
	}
}

// TestSnapshot changes a key between two reads of one attempt.
func TestSnapshot(t *testing.T) {
	var host *sdktest.Host
	host = sdktest.New(func(w *sdk.Response, _ *sdk.Request) error {
		first, _, err := kv.Get("k")
		if err != nil {
			return err
		}
		host.Store.Set("k", []byte("new"), 0)
		second, _, err := kv.Get("k")
		if err != nil {
			return err
		}
		return w.Text(200, string(first)+" "+string(second))
	})
	host.Store.Set("k", []byte("old"), 0)
	if res := host.Get("/"); res.Text() != "old old" {
		t.Errorf("got %v", res)
	}
}

func TestAddMeetsAnotherValue(t *testing.T) {
	host := sdktest.New(func(*sdk.Response, *sdk.Request) error { return all(kv.Set("x", nil), kv.Add("text", 1)) })
	host.Store.Set("text", []byte("no counter"), 0)
	res := host.Get("/")
	if _, wrote := host.Store.Get("x"); res.Status != 502 || res.Outcome != sdktest.Aborted || wrote {
		t.Errorf("got %v, x written: %v", res, wrote)
	}
}

// TestTTLIsRoundedUp sets values between two milliseconds.
func TestTTLIsRoundedUp(t *testing.T) {
	host := sdktest.New(func(*sdk.Response, *sdk.Request) error {
		return all(kv.SetTTL("short", nil, kv.Millisecond), kv.SetTTL("ages", nil, math.MaxInt64))
	})
	start := host.Now.Add(time.Millisecond - 1)
	host.Now = start
	host.Get("/")
	host.Store.Set("by the test", nil, time.Millisecond)
	for _, c := range []struct {
		after time.Duration
		want  []string
	}{
		{time.Millisecond, []string{"ages", "by the test", "short"}},
		{time.Millisecond + 1, []string{"ages"}},
		{100 * 365 * 24 * time.Hour, []string{"ages"}},
	} {
		host.Now = start.Add(c.after)
		if got := host.Store.Keys(""); !slices.Equal(got, c.want) {
			t.Errorf("%v after: keys %q, want %q", c.after, got, c.want)
		}
	}
}

func TestHeadDropsBodyAndWrites(t *testing.T) {
	host := sdktest.New(func(w *sdk.Response, _ *sdk.Request) error { return all(kv.Add("n", 1), w.Text(200, "body")) })
	res := host.Do(httptest.NewRequest("HEAD", "/", nil))
	if res.Status != 200 || len(res.Body) != 0 || res.Outcome != sdktest.Aborted || host.Store.Int("n") != 0 {
		t.Errorf("got %v", res)
	}
}

func TestBodyOverTheHostsLimit(t *testing.T) {
	host := sdktest.New(func(*sdk.Response, *sdk.Request) error { t.Error("the handler ran"); return nil })
	if res := host.Send("POST", "/", "", strings.Repeat("x", 4<<20+1)); res.Status != 413 {
		t.Errorf("got %v", res)
	}
}

// TestLostUpdate lets many clients increment a number they have read.
func TestLostUpdate(t *testing.T) {
	host := sdktest.New(func(*sdk.Response, *sdk.Request) error {
		n, err := kv.Int("n")
		if err != nil {
			return err
		}
		return kv.SetInt("n", n+1)
	})
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := int64(0)
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if res := host.Get("/"); res.Status == 200 {
					mu.Lock()
					done++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if n := host.Store.Int("n"); n != done || n == 0 {
		t.Errorf("n = %d after %d increments", n, done)
	}
}

func TestSendFields(t *testing.T) {
	host := sdktest.New(func(w *sdk.Response, r *sdk.Request) error {
		return w.Text(200, r.Header("authorization")+" "+r.Header("x-time")+" "+r.Header("content-type"))
	})
	res := host.Send("POST", "/", "text/plain", "body", "Authorization: Bearer secret", "X-Time:12:30")
	if want := "Bearer secret 12:30 text/plain"; res.Text() != want {
		t.Errorf("got %v, want %q", res, want)
	}
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, `"Authorization"`) {
			t.Errorf("panic %q, want one that names the field", text)
		}
	}()
	host.Send("GET", "/", "", "", "Authorization")
	t.Error("no panic")
}

func TestRecordString(t *testing.T) {
	record := sdktest.Record{Level: "info", Message: "made", Attrs: map[string]string{
		"slug": "go", "n": "3", "title": "a b", "none": "", "quote": `"x"`, "stack": "one\ntwo",
	}}
	const want = `info: made n=3 none="" quote="\"x\"" slug=go title="a b"` + "\n\t\tstack=\n\t\t\tone\n\t\t\ttwo"
	if got := record.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestARunThatAsksSomethingElse after a call is no run, and one that draws random
// bytes for it draws the same.
func TestARunThatAsksSomethingElse(t *testing.T) {
	const api = "https://api.example.com"
	for name, c := range map[string]struct {
		method string
		body   func(attempt int) string
		skip   bool // the call, when the handler runs again
		status int
		calls  int
	}{
		"the same":      {"POST", func(int) string { return "x" }, false, 204, 1},
		"random bytes":  {"POST", func(int) string { var b [8]byte; sdk.Random(b[:]); return string(b[:]) }, false, 204, 1},
		"another":       {"POST", strconv.Itoa, false, 503, 1},
		"another PUT":   {"PUT", strconv.Itoa, false, 503, 1},
		"another GET":   {"GET", strconv.Itoa, false, 204, 2},
		"none":          {"POST", strconv.Itoa, true, 503, 1},
		"none of a GET": {"GET", strconv.Itoa, true, 204, 1},
	} {
		host := sdktest.New(func(w *sdk.Response, r *sdk.Request) error {
			if r.Attempt() == 1 || !c.skip {
				if _, err := fetch.Do(&fetch.Request{Method: c.method, URL: api, Body: strings.NewReader(c.body(r.Attempt()))}); err != nil {
					return err
				}
			}
			return errors.Join(kv.Set("k", nil), w.NoContent())
		})
		host.Conflicts = 1
		host.Upstream(api, sdktest.Answer(200, "text/plain", "ok"))
		if res := host.Get("/"); res.Status != c.status || len(res.Calls) != c.calls || res.Attempts != 2 {
			t.Errorf("%s: %v with %d calls", name, res, len(res.Calls))
		}
	}
}
