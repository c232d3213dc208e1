package egress

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// clock is set by a test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// origin counts what it is asked and answers with the count.
type counting struct {
	clock *clock
	asked int
	serve func(w http.ResponseWriter, r *http.Request)
	seen  http.Header
}

func (o *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.asked++
	o.seen = r.Header.Clone()
	w.Header().Set("Date", o.clock.read().UTC().Format(http.TimeFormat))
	if o.serve != nil {
		o.serve(w, r)
	}
	fmt.Fprint(w, o.asked)
}

func caching(t *testing.T, serve http.HandlerFunc) (*Client, *counting, *clock, string) {
	t.Helper()
	now := &clock{now: time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)}
	o := &counting{clock: now, serve: serve}
	url := upstream(t, o.ServeHTTP)
	return client(t, func(cfg *Config) { cfg.Cache, cfg.State = true, NewState(now.read) }, url), o, now, url
}

func setting(fields ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(fields); i += 2 {
			w.Header().Set(fields[i], fields[i+1])
		}
	}
}

// TestFreshness asks, waits, asks again: the body says how often the service
// was asked.
func TestFreshness(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fields []string
		wait   time.Duration
		want   string
	}{
		{"max-age, within", []string{"Cache-Control", "max-age=60"}, 59 * time.Second, "1"},
		{"max-age, at its end", []string{"Cache-Control", "max-age=60"}, 60 * time.Second, "2"},
		{"private is for this cache", []string{"Cache-Control", "private, max-age=60"}, time.Second, "1"},
		{"s-maxage is not", []string{"Cache-Control", "s-maxage=60"}, 0, "2"},
		{"max-age before expires", []string{"Cache-Control", "max-age=1", "Expires", "Tue, 01 Jan 2030 13:00:00 GMT"}, 2 * time.Second, "2"},
		{"expires", []string{"Expires", "Tue, 01 Jan 2030 12:01:00 GMT"}, 59 * time.Second, "1"},
		{"expires, past", []string{"Expires", "Tue, 01 Jan 2030 12:01:00 GMT"}, 61 * time.Second, "2"},
		{"expires, not a date", []string{"Expires", "0"}, 0, "2"},
		{"no-store", []string{"Cache-Control", "max-age=60, no-store"}, 0, "2"},
		{"no-cache", []string{"Cache-Control", "max-age=60, no-cache"}, 0, "2"},
		{"nothing said", nil, 0, "2"},
		{"age on arrival", []string{"Cache-Control", "max-age=60", "Age", "50"}, 11 * time.Second, "2"},
		{"age on arrival, within", []string{"Cache-Control", "max-age=60", "Age", "50"}, 9 * time.Second, "1"},
		{"vary on everything", []string{"Cache-Control", "max-age=60", "Vary", "*"}, 0, "2"},
		{"max-age not a number", []string{"Cache-Control", "max-age=x"}, 0, "2"},
		{"max-age twice", []string{"Cache-Control", "max-age=60, max-age=5"}, 0, "2"},
		{"capitals and spaces", []string{"Cache-Control", "  Max-Age = 60"}, 0, "2"},
		{"capitals", []string{"Cache-Control", "Public,MAX-AGE=60"}, time.Second, "1"},
		{"quoted", []string{"Cache-Control", `max-age="60"`}, time.Second, "1"},
		{"range unit alone", []string{"Cache-Control", "max-age=60", "Accept-Ranges", "bytes"}, time.Second, "1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _, now, url := caching(t, setting(tc.fields...))
			get(t, c, url)
			now.pass(tc.wait)
			if got := get(t, c, url); got.body != tc.want {
				t.Errorf("the second call got answer %s, want %s", got.body, tc.want)
			}
		})
	}
}

func TestAgeOfAStoredResponse(t *testing.T) {
	c, _, now, url := caching(t, setting("Cache-Control", "max-age=60", "Age", "5"))
	get(t, c, url)
	now.pass(7 * time.Second)
	if got := get(t, c, url); got.header("age") != "12" || got.header("cache-control") != "max-age=60" || got.head.Status != 200 {
		t.Errorf("got %+v, want an age of 12", got.head)
	}
}

// TestWhatMayNotBeShared asks twice with a fresh response: 1 means the cache
// answered.
func TestWhatMayNotBeShared(t *testing.T) {
	header := func(pairs ...string) (list []abi.Pair) {
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, abi.Pair{Name: pairs[i], Value: pairs[i+1]})
		}
		return list
	}
	for _, tc := range []struct {
		name          string
		first, second abi.HTTPRequest
		want          string
	}{
		{"the same", abi.HTTPRequest{}, abi.HTTPRequest{}, "1"},
		{"authorization", abi.HTTPRequest{Headers: header("authorization", "a")}, abi.HTTPRequest{Headers: header("authorization", "a")}, "2"},
		{"cookie", abi.HTTPRequest{Headers: header("cookie", "a")}, abi.HTTPRequest{Headers: header("cookie", "a")}, "2"},
		{"without authorization, then with", abi.HTTPRequest{}, abi.HTTPRequest{Headers: header("authorization", "a")}, "2"},
		{"another key", abi.HTTPRequest{Headers: header("x-api-key", "a")}, abi.HTTPRequest{Headers: header("x-api-key", "b")}, "2"},
		{"the same key", abi.HTTPRequest{Headers: header("x-api-key", "a")}, abi.HTTPRequest{Headers: header("x-api-key", "a")}, "1"},
		{"range", abi.HTTPRequest{}, abi.HTTPRequest{Headers: header("range", "bytes=0-1")}, "2"},
		{"conditional", abi.HTTPRequest{}, abi.HTTPRequest{Headers: header("if-none-match", `"x"`)}, "2"},
		{"another method", abi.HTTPRequest{}, abi.HTTPRequest{Method: "OPTIONS"}, "2"},
		{"flag", abi.HTTPRequest{}, abi.HTTPRequest{Flags: abi.HTTPNoCache}, "2"},
		{"request no-cache", abi.HTTPRequest{}, abi.HTTPRequest{Headers: header("cache-control", "no-cache")}, "2"},
		{"request no-store", abi.HTTPRequest{}, abi.HTTPRequest{Headers: header("cache-control", "no-store")}, "2"},
		{"request max-age", abi.HTTPRequest{}, abi.HTTPRequest{Headers: header("cache-control", "max-age=0")}, "1"},
		{"request min-fresh", abi.HTTPRequest{}, abi.HTTPRequest{Headers: header("cache-control", "min-fresh=61")}, "2"},
		{"request id", abi.HTTPRequest{Headers: header("x-request-id", "1")}, abi.HTTPRequest{Headers: header("x-request-id", "2")}, "1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _, _, url := caching(t, setting("Cache-Control", "max-age=60"))
			tc.first.URL, tc.second.URL = url, url
			do(t, c, tc.first, "")
			if got := do(t, c, tc.second, ""); got.body != tc.want {
				t.Errorf("the second call got answer %q, want %q", got.body, tc.want)
			}
		})
	}
}

func TestRevalidation(t *testing.T) {
	changed := false
	c, o, now, url := caching(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=10")
		w.Header().Set("X-Note", r.Header.Get("If-None-Match"))
		if changed {
			w.Header().Set("Etag", `"v2"`)
			return
		}
		w.Header().Set("Etag", `"v1"`)
		w.Header().Set("Last-Modified", "Tue, 01 Jan 2030 11:00:00 GMT")
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
		}
	})
	get(t, c, url)
	now.pass(time.Minute)
	got := get(t, c, url)
	if got.body != "1" || got.head.Status != 200 || got.header("x-note") != `"v1"` || o.seen.Get("If-Modified-Since") == "" {
		t.Errorf("after a 304: %+v, asked with %v", got, o.seen)
	}
	if got = get(t, c, url); got.body != "1" || o.asked != 2 {
		t.Errorf("the 304 makes it fresh again: %+v after %d", got.body, o.asked)
	}
	changed = true
	now.pass(time.Minute)
	if got = get(t, c, url); got.body != "3" || got.header("etag") != `"v2"` {
		t.Errorf("after a change: %+v", got)
	}
}

// TestSessionsAreNotShared has the service begin a session with the first answer,
// or with the one that says that nothing has changed.
func TestSessionsAreNotShared(t *testing.T) {
	for name, tc := range map[string]struct {
		from         int // the answer, counted from 1
		field, value string
	}{
		"with the answer":   {1, "Set-Cookie", "session=1"},
		"with a 304":        {2, "Set-Cookie", "session=2"},
		"no store in a 304": {2, "Cache-Control", "no-store, max-age=60"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			c, _, now, url := caching(t, func(w http.ResponseWriter, r *http.Request) {
				asked++
				w.Header().Set("Cache-Control", "private, max-age=60")
				w.Header().Set("Etag", `"v"`)
				if asked >= tc.from {
					w.Header().Set(tc.field, tc.value)
				}
				if r.Header.Get("If-None-Match") != "" {
					w.WriteHeader(http.StatusNotModified)
				}
			})
			get(t, c, url)
			now.pass(2 * time.Minute)
			second, third := get(t, c, url), get(t, c, url)
			if asked != 3 || second.head.Status != 200 || third.head.Status != 200 {
				t.Errorf("asked %d times, want 3: %+v, then %+v", asked, second, third)
			}
		})
	}
}

func TestUnsafeCallsInvalidate(t *testing.T) {
	status := 200
	c, _, _, url := caching(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		if r.Method != "GET" {
			w.WriteHeader(status)
		}
	})
	get(t, c, url)
	status = 400
	do(t, c, abi.HTTPRequest{Method: "POST", URL: url}, "")
	if got := get(t, c, url); got.body != "1" {
		t.Errorf("after a POST that failed: %s", got.body)
	}
	status = 200
	do(t, c, abi.HTTPRequest{Method: "DELETE", URL: url}, "")
	if got := get(t, c, url); got.body != "4" {
		t.Errorf("after a DELETE: %s", got.body)
	}
}

func TestHalfAResponseIsNotKept(t *testing.T) {
	c, o, _, url := caching(t, setting("Cache-Control", "max-age=60"))
	s := c.Session(Trace{}, kept(t))
	handle, _, _ := s.Open(&abi.HTTPRequest{URL: url})
	_, _, _ = s.Send(t.Context(), []uint32{handle})
	s.Close() // without reading the body
	get(t, c, url)
	if o.asked != 2 {
		t.Errorf("asked %d times, want 2", o.asked)
	}
}

func TestCacheIsBounded(t *testing.T) {
	big := strings.Repeat("x", 200<<10)
	c, o, _, url := caching(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, big)
		if r.URL.Path == "/large" {
			fmt.Fprint(w, strings.Repeat(big, 6))
		}
	})
	for i := range 60 {
		get(t, c, fmt.Sprintf("%s/%d", url, i))
	}
	if c.cfg.State.cache.size > cacheBytes || len(c.cfg.State.cache.byURL) != c.cfg.State.cache.order.Len() || len(c.cfg.State.cache.byURL) < 20 {
		t.Errorf("%d bytes in %d entries", c.cfg.State.cache.size, len(c.cfg.State.cache.byURL))
	}
	before := o.asked
	get(t, c, url+"/59")
	if o.asked != before {
		t.Error("the newest entry is gone")
	}
	get(t, c, url+"/0")
	if o.asked != before+1 {
		t.Error("the oldest entry is still there")
	}
	get(t, c, url+"/large")
	get(t, c, url+"/large")
	if o.asked != before+3 {
		t.Error("a response over the bound is kept")
	}
}

// TestCacheCountsHeaders fills the cache with responses that are nearly nothing
// but header, of the call or of the response: what the process then holds is
// about the bound, not many times as much.
func TestCacheCountsHeaders(t *testing.T) {
	for _, tc := range []struct {
		name  string
		serve http.HandlerFunc
		calls int
		value string // of a field of the call
	}{
		{"of the call", func(http.ResponseWriter, *http.Request) {}, 1200, strings.Repeat("x", 30<<10)},
		{"of the response, without texts", func(w http.ResponseWriter, _ *http.Request) {
			for i := range 6000 {
				w.Header()[fmt.Sprint("F", i)] = []string{""}
			}
		}, 80, ""},
		{"of the response, a list of names", setting("Vary", strings.Repeat("a,", 30<<10)), 40, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url := upstream(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "max-age=60")
				tc.serve(w, r)
			})
			c := client(t, func(cfg *Config) { cfg.Cache = true }, url)
			before := heapInUse()
			for i := range tc.calls {
				r := abi.HTTPRequest{
					URL:     fmt.Sprintf("%s/%d", url, i),
					Headers: []abi.Pair{{Name: "x", Value: fmt.Sprint(i, tc.value)}},
				}
				if a := do(t, c, r, ""); a.status() != abi.OK {
					t.Fatalf("call %d: %v %s", i, a.status(), a.head.Reason)
				}
			}
			if held := heapInUse() - before; held > 2*cacheBytes {
				t.Errorf("%d MiB are held, %d bytes counted in %d entries", held>>20, c.cfg.State.cache.size, len(c.cfg.State.cache.byURL))
			}
			runtime.KeepAlive(c)
		})
	}
}

// TestCacheKeepsNoMore reads what is kept of a redirected call: the fields that
// another origin must not see are not held by those it sees.
func TestCacheKeepsNoMore(t *testing.T) {
	c, o, _, url := caching(t, setting("Cache-Control", "max-age=60"))
	from := upstream(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, url+r.URL.Path, http.StatusFound) })
	origin, err := plugin.ParseOrigin(from)
	if err != nil {
		t.Fatal(err)
	}
	c.cfg.Origins = append(c.cfg.Origins, origin)
	secret := strings.Repeat("s", 30<<10)
	before := heapInUse()
	for i := range 600 {
		layout := abi.AppendHTTPRequest(nil, &abi.HTTPRequest{
			URL: fmt.Sprintf("%s/%d", from, i), Headers: []abi.Pair{{Name: "accept", Value: "text/plain"}, {Name: "x", Value: secret}},
		})
		var r abi.HTTPRequest
		if !abi.DecodeHTTPRequest(string(layout), &r) {
			t.Fatal("the layout cannot be read")
		}
		if a := do(t, c, r, ""); a.status() != abi.OK {
			t.Fatalf("call %d: %v %s", i, a.status(), a.head.Reason)
		}
	}
	if held := heapInUse() - before; o.asked != 600 || held > cacheBytes {
		t.Errorf("%d MiB are held after %d calls, %d bytes counted", held>>20, o.asked, c.cfg.State.cache.size)
	}
	runtime.KeepAlive(c)
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestWithoutCache(t *testing.T) {
	asked := 0
	url := upstream(t, func(w http.ResponseWriter, _ *http.Request) { asked++; w.Header().Set("Cache-Control", "max-age=60") })
	c := client(t, nil, url)
	get(t, c, url)
	get(t, c, url)
	if asked != 2 {
		t.Errorf("asked %d times, want 2", asked)
	}
}
