package nethttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/nethttp"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

const origin = "https://a.test"

// within runs f as the handler of a plugin for which services answers at origin.
func within(t *testing.T, service http.Handler, f func(ctx context.Context)) *sdktest.Result {
	t.Helper()
	host := plugin(func(_ http.ResponseWriter, r *http.Request) { f(r.Context()) })
	host.Upstream(origin, service)
	res := host.Get("/")
	if res.Status != 200 {
		t.Fatalf("the handler ends with %v", res)
	}
	return res
}

// echo answers with what it was asked.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Add("X-Twice", "a")
	w.Header().Add("X-Twice", "b")
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprint(w, r.Method, " ", r.URL, " ", r.Header["X-Own"], " ", string(body))
})

func TestDefaultClient(t *testing.T) {
	within(t, echo, func(context.Context) {
		res, err := http.Post(origin+"/p?q=1#f", "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || string(body) != "POST https://a.test/p?q=1 [] hello" || res.Status != "202 Accepted" || len(res.Header["X-Twice"]) != 2 ||
			res.Request.URL.Path != "/p" || res.Uncompressed || res.ContentLength != -1 {
			t.Errorf("got %v with %q, %v", res, body, err)
		}
	})
	if _, ok := http.DefaultTransport.(*http.Transport); !ok {
		t.Error("http.DefaultTransport is no *http.Transport any more")
	}
	server := httptest.NewServer(echo)
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil || res.StatusCode != http.StatusAccepted {
		t.Errorf("outside a request there is no network: %v, %v", res, err)
	}
}

func TestRequestOfACall(t *testing.T) {
	client := http.Client{Transport: nethttp.Transport{}}
	res := within(t, echo, func(ctx context.Context) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, "https://user:secret@a.test/x", io.MultiReader(strings.NewReader("a"), strings.NewReader("b")))
		if err != nil {
			t.Fatal(err)
		}
		req.Header["X-Own"] = []string{"1", "2"}
		if _, err := client.Do(req); err != nil {
			t.Error(err)
		}
		for wrong, why := range map[*http.Request]string{
			{Method: "GET", URL: &url.URL{Scheme: "https", Host: "b.test"}}:                                                                  "denied",
			{Method: "GET", URL: &url.URL{Scheme: "https", Host: "a.test"}, Host: "b.test"}:                                                  "invalid",
			{Method: "POST", URL: &url.URL{Scheme: "https", Host: "a.test"}, Body: io.NopCloser(strings.NewReader("abc")), ContentLength: 4}: "the body has 3 bytes",
			{Method: "POST", URL: &url.URL{Scheme: "https", Host: "a.test"}, Trailer: http.Header{"X": nil}}:                                 "trailers",
			{Method: "GET"}: "no URL",
		} {
			if _, err := (nethttp.Transport{}).RoundTrip(wrong); err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("%v: got %v, want %q", wrong, err, why)
			}
		}
	})
	if c := res.Calls[0]; c.URL != origin+"/x" || c.Body != "ab" || c.Header.Get("Authorization") == "" || len(c.Header["X-Own"]) != 2 {
		t.Errorf("the service got %v", c)
	}
}

// TestRedirects: http.Client decides whether to follow one, and the host judges each
// hop.
func TestRedirects(t *testing.T) {
	service := http.NewServeMux()
	service.Handle("/from", http.RedirectHandler("/to", http.StatusFound))
	service.Handle("/away", http.RedirectHandler("https://b.test/", http.StatusFound))
	service.Handle("/to", echo)
	within(t, service, func(context.Context) {
		res, err := http.Get(origin + "/from")
		if err != nil || res.StatusCode != http.StatusAccepted || res.Request.URL.Path != "/to" {
			t.Errorf("got %v, %v", res, err)
		}
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		if res, err := client.Get(origin + "/from"); err != nil || res.Header.Get("Location") != "/to" {
			t.Errorf("not followed: %v, %v", res, err)
		}
		if _, err := http.Get(origin + "/away"); !errors.Is(err, fetch.ErrDenied) {
			t.Errorf("to an origin that is not granted: %v", err)
		}
	})
}

func TestErrors(t *testing.T) {
	within(t, sdktest.Failing(fetch.ErrTimeout), func(ctx context.Context) {
		_, err := http.Get(origin)
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, fetch.ErrTimeout) {
			t.Errorf("a timeout is %v", err)
		}
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, origin, nil)
		if _, err := http.DefaultClient.Do(req); !errors.Is(err, context.Canceled) {
			t.Errorf("with a cancelled context: %v", err)
		}
		ctx, cancel = context.WithTimeout(context.Background(), -time.Second)
		defer cancel()
		if _, err := http.DefaultClient.Do(req.WithContext(ctx)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the deadline: %v", err)
		}
	})
	within(t, sdktest.Failing(fetch.ErrUnreachable), func(context.Context) {
		_, err := http.Get(origin)
		var timeout net.Error
		if !errors.Is(err, fetch.ErrUnreachable) || errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("unreachable is %v", err)
		}
	})
}

// TestProxy: httputil's proxy hands the request on, with its host and its id.
func TestProxy(t *testing.T) {
	to, err := url.Parse(origin + "/below")
	if err != nil {
		t.Fatal(err)
	}
	host := sdktest.New(nethttp.Serve(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}))
	host.Upstream(origin, echo)
	res := host.Send("POST", "/a?b=c", "text/plain", "hello", "X-Own: 1")
	if res.Status != http.StatusAccepted || res.Text() != "POST https://a.test/below/a?b=c [1] hello" || len(res.Header["X-Twice"]) != 2 {
		t.Errorf("got %v with %v", res, res.Header)
	}
	if res := host.Get("/"); res.Calls[0].Header.Get("X-Request-Id") == "" {
		t.Errorf("the service got %v", res.Calls)
	}
}

// TestGoroutines: calls of several goroutines work, also one whose body another
// goroutine writes once it has a response.
func TestGoroutines(t *testing.T) {
	res := within(t, echo, func(context.Context) {
		var all sync.WaitGroup
		read, write := io.Pipe()
		all.Go(func() {
			if body := post(t, read); !strings.HasSuffix(body, " late") {
				t.Errorf("got %q", body)
			}
		})
		for n := range 5 {
			all.Go(func() {
				if body := post(t, strings.NewReader(fmt.Sprint(n))); !strings.HasSuffix(body, fmt.Sprint(" ", n)) {
					t.Errorf("call %d got %q", n, body)
				}
			})
		}
		all.Go(func() {
			post(t, nil)
			_, _ = io.WriteString(write, "late")
			_ = write.Close()
		})
		all.Wait()
	})
	if len(res.Calls) != 7 {
		t.Errorf("%d calls", len(res.Calls))
	}
}

func post(t *testing.T, body io.Reader) string {
	res, err := http.Post(origin, "", body)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}
