package fetch_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

const api = "https://api.example.com"

// run serves one request with a handler that may call api.
func run(t *testing.T, handler func() error, setup func(*sdktest.Host)) *sdktest.Result {
	t.Helper()
	host := sdktest.New(func(w *sdk.Response, _ *sdk.Request) error {
		if err := handler(); err != nil {
			return sdk.Error(502, err.Error())
		}
		return w.NoContent()
	})
	host.Upstream(api, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Add("X-Note", "a")
		w.Header().Add("X-Note", "b")
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"), body)
	}))
	host.Upstream(api+"/slow", sdktest.Failing(abi.Timeout))
	host.Upstream(api+"/missing", sdktest.Answer(404, "text/plain", "no such thing"))
	if setup != nil {
		setup(host)
	}
	return host.Get("/")
}

// passes fails the test unless the handler returns nil.
func passes(t *testing.T, handler func() error) {
	t.Helper()
	if res := run(t, handler, nil); res.Status != 204 {
		t.Errorf("the handler gave %v", res)
	}
}

func TestPost(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 4000)
	res := run(t, func() error {
		resp, err := fetch.Post(api+"/notes", "text/plain", []byte(large))
		if err != nil {
			return err
		}
		if got := fmt.Sprintf("%d %s %s %s", resp.Status, resp.URL, resp.Header.Get("X-NOTE"), resp.Header.Values("x-note")); got != "200 "+api+"/notes a [a b]" {
			t.Errorf("head %s", got)
		}
		body, err := resp.Bytes(1 << 20)
		if want := "POST /notes text/plain " + large; string(body) != want {
			t.Errorf("body has %d bytes, want %d", len(body), len(want))
		}
		return err
	}, nil)
	if res.Status != 204 || len(res.Calls) != 1 || res.Calls[0].Method != "POST" || res.Calls[0].Body != large || res.Calls[0].URL != api+"/notes" {
		t.Errorf("got %v with %d calls", res, len(res.Calls))
	}
}

func TestAllKeepsOrderAndErrors(t *testing.T) {
	passes(t, func() error {
		results := fetch.All(
			&fetch.Request{URL: api + "/a"},
			&fetch.Request{URL: "https://other.example/"},
			&fetch.Request{URL: api + "/slow"},
			&fetch.Request{URL: api + "/missing"},
			&fetch.Request{URL: "not a url"},
			&fetch.Request{URL: api + "/b", Method: "PUT", Body: strings.NewReader("x")},
		)
		for i, want := range []error{nil, fetch.ErrDenied, fetch.ErrTimeout, nil, fetch.ErrInvalid, nil} {
			if r := results[i]; !errors.Is(r.Err, want) || (r.Err == nil) != (r.Response != nil) {
				t.Errorf("call %d: %+v, want %v", i, r, want)
			}
		}
		if got := results[3].Response.Status; got != 404 {
			t.Errorf("a 404 is status %d", got)
		}
		body, err := results[5].Response.Bytes(100)
		if string(body) != "PUT /b  x" || err != nil {
			t.Errorf("the last body is %q, %v", body, err)
		}
		return nil
	})
}

func TestErrorsSayWhat(t *testing.T) {
	passes(t, func() error {
		_, err := fetch.Get(api + "/slow?key=secret")
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), api+"/slow") {
			t.Errorf("error %v", err)
		}
		resp, err := fetch.Get(api + "/missing")
		if err != nil {
			return err
		}
		if _, err := resp.Bytes(3); !errors.Is(err, fetch.ErrLimit) {
			t.Errorf("a long body: %v", err)
		}
		if _, err := resp.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("read after close: %v", err)
		}
		failing := &fetch.Request{Method: "POST", URL: api, Body: io.MultiReader(strings.NewReader("x"), broken{})}
		if _, err := fetch.Do(failing); !errors.Is(err, errBroken) {
			t.Errorf("a body that fails: %v", err)
		}
		if results := fetch.All(); len(results) != 0 {
			t.Errorf("no calls: %v", results)
		}
		return nil
	})
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

func TestBodyInPieces(t *testing.T) {
	passes(t, func() error {
		resp, err := fetch.Get(api + "/missing")
		if err != nil {
			return err
		}
		var text strings.Builder
		for buf := make([]byte, 4); ; {
			n, err := resp.Read(buf)
			text.Write(buf[:n])
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
		}
		if text.String() != "no such thing" {
			t.Errorf("read %q", text.String())
		}
		return nil
	})
}

// TestBytesAtItsLimit reads the 13 bytes of a body.
func TestBytesAtItsLimit(t *testing.T) {
	for limit, want := range map[int]error{
		math.MinInt: fetch.ErrLimit, -1: fetch.ErrLimit, 0: fetch.ErrLimit, 12: fetch.ErrLimit, 13: nil, 14: nil, math.MaxInt: nil,
	} {
		passes(t, func() error {
			resp, err := fetch.Get(api + "/missing")
			if err != nil {
				return err
			}
			if body, err := resp.Bytes(limit); !errors.Is(err, want) || err == nil && string(body) != "no such thing" {
				t.Errorf("limit %d: %q, %v, want %v", limit, body, err, want)
			}
			return nil
		})
	}
}

// TestRefusedRequests: what the host refuses, a test on the author's machine
// refuses too.
func TestRefusedRequests(t *testing.T) {
	header := func(name, value string) fetch.Request {
		return fetch.Request{URL: api, Header: fetch.Header(nil).Add(name, value)}
	}
	for name, r := range map[string]fetch.Request{
		"a space":          {URL: api + "/search?q=two words"},
		"beyond ASCII":     {URL: api + "/größe"},
		"a line break":     {URL: api + "/\r\nx: y"},
		"a backslash":      {URL: api + `\a`},
		"user information": {URL: "https://user@api.example.com/"},
		"no origin":        {URL: "/search"},
		"a long URL":       {URL: api + "/" + strings.Repeat("a", 8<<10)},
		"CONNECT":          {URL: api, Method: "CONNECT"},
		"trace":            {URL: api, Method: "trace"},
		"no token":         {URL: api, Method: "GET /"},
		"host":             header("Host", "other.example"),
		"expect":           header("expect", "202-accepted"),
		"upgrade":          header("Upgrade", "websocket"),
		"a coding":         header("Transfer-Encoding", "gzip"),
		"no name":          header("", "x"),
		"injection":        header("x", "a\r\nb: c"),
		"many headers":     {URL: api, Header: make(fetch.Header, 101)},
	} {
		passes(t, func() error {
			if _, err := fetch.Do(&r); !errors.Is(err, fetch.ErrInvalid) {
				t.Errorf("%s: %v, want invalid", name, err)
			}
			return nil
		})
	}
}

// TestFieldsOfTheConnection: a handler may pass on the header it got.
func TestFieldsOfTheConnection(t *testing.T) {
	res := run(t, func() error {
		header := fetch.Header(nil).Add("host", "example.com").Add("Host", "api.example.com:443").Add("connection", "close, x-gone").Add("x-gone", "1").
			Add("te", "trailers").Add("expect", "100-continue").Add("content-length", "4").Add("x-stays", "1")
		_, err := fetch.Do(&fetch.Request{Method: "POST", URL: api, Header: header, Body: strings.NewReader("body")})
		return err
	}, nil)
	if len(res.Calls) != 1 {
		t.Fatalf("the handler gave %v", res)
	}
	if got := res.Calls[0].Header; len(got) != 1 || got.Get("X-Stays") != "1" {
		t.Errorf("sent %v", got)
	}
	passes(t, func() error {
		_, err := fetch.Do(&fetch.Request{Method: "POST", URL: api, Header: fetch.Header(nil).Add("content-length", "5"), Body: strings.NewReader("body")})
		if !errors.Is(err, fetch.ErrInvalid) || !strings.Contains(err.Error(), "content-length") {
			t.Errorf("a wrong length: %v", err)
		}
		return nil
	})
}

func TestNoUpstreamIsNoGrant(t *testing.T) {
	host := sdktest.New(func(w *sdk.Response, _ *sdk.Request) error {
		if _, err := fetch.Get(api); !errors.Is(err, fetch.ErrDenied) {
			t.Errorf("got %v, want denied", err)
		}
		return w.NoContent()
	})
	host.Get("/")
}

func TestOutsideARequest(t *testing.T) {
	if _, err := fetch.Get(api); !errors.Is(err, fetch.ErrUnavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
}

func TestConflictAfterACall(t *testing.T) {
	for _, tc := range []struct {
		method     string
		idempotent bool
		attempts   int
		status     int
	}{{"GET", false, 2, 204}, {"POST", false, 2, 204}, {"POST", true, 2, 204}} {
		res := run(t, func() error {
			if _, err := fetch.Do(&fetch.Request{Method: tc.method, URL: api}); err != nil {
				return err
			}
			return kv.Set("k", []byte("v"))
		}, func(h *sdktest.Host) { h.Conflicts, h.Idempotent = 1, tc.idempotent })
		if res.Attempts != tc.attempts || res.Status != tc.status || len(res.Calls) != 1 {
			t.Errorf("%+v: %v with %d calls", tc, res, len(res.Calls))
		}
	}
}
