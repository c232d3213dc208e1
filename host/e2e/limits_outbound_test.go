package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// service serves on loopback until the test ends.
func service(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// called is a service whose handler a test chooses, so that a guest which calls it is
// built once.
type called struct {
	origin  string
	handler atomic.Pointer[http.HandlerFunc]
}

func newCalled(t *testing.T) *called {
	t.Helper()
	c := &called{}
	c.origin = service(t, func(w http.ResponseWriter, r *http.Request) { (*c.handler.Load())(w, r) })
	return c
}

func (c *called) by(h http.HandlerFunc) { c.handler.Store(&h) }

func allowing(origins ...string) string {
	return fmt.Sprintf("[outbound]\nallow = [\"%s\"]\ntimeout = \"60s\"", strings.Join(origins, `", "`))
}

// TestOutbound lets a guest call services through the built binary.
func TestOutbound(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--outbound-allow-networks", "127.0.0.1/32")
	guest, other := goGuest(t, "testdata/fetchguest"), newCalled(t)
	s.deploy("calls", pack(t, guest, "calls", "[kv]", allowing(other.origin), "[limits]\ndeadline = \"60s\""))

	t.Run("several at once", func(t *testing.T) {
		const n = 4
		var arrived sync.WaitGroup
		arrived.Add(n)
		other.by(func(w http.ResponseWriter, r *http.Request) {
			arrived.Done()
			arrived.Wait() // answers only when all have come
			fmt.Fprintf(w, "%s %t", r.URL.Path, r.Header.Get("X-Request-Id") != "")
		})
		var urls, want string
		for i := range n {
			urls += fmt.Sprintf("%s/%d\n", other.origin, i)
			want += fmt.Sprintf("200 /%d true\n", i)
		}
		if got := s.do("POST", "/calls/all", urls); got.body != want {
			t.Errorf("got %v, want %q", got, want)
		}
	})

	t.Run("kept answers", func(t *testing.T) {
		var asked atomic.Int64
		origin := service(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=3600")
			fmt.Fprint(w, asked.Add(1))
		})
		s.deploy("keeps", pack(t, guest, "keeps", allowing(origin), "cache = true"))
		for range 3 {
			if got := s.do("POST", "/keeps/all", origin); got.body != "200 1\n" {
				t.Errorf("got %v, want the first answer", got)
			}
		}
		s.deploy("keeps", pack(t, guest, "keeps", allowing(origin), "cache = true", "calls = 3"))
		if got := s.do("POST", "/keeps/all", origin); got.body != "200 1\n" {
			t.Errorf("after a deploy: %v, want the first answer", got)
		}
		s.deploy("keeps", pack(t, guest, "keeps", allowing(origin)))
		if got := s.do("POST", "/keeps/all", origin); got.body != "200 2\n" {
			t.Errorf("a version that does not ask for it: %v, want the second answer", got)
		}
	})

	t.Run("a proxy", func(t *testing.T) {
		other.by(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Connection", "close")
			w.Header().Set("Keep-Alive", "timeout=5")
			w.Header().Set("X-Answer", r.Header.Get("X-Asked"))
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, "%s %s %t %s", r.Method, body, "http://"+r.Host == r.Header.Get("X-Origin"), r.Header.Get("User-Agent"))
		})
		r, err := http.NewRequestWithContext(t.Context(), "PUT", s.public+"/calls/proxy?to="+other.origin, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"X-Asked": "1", "X-Origin": other.origin, "User-Agent": "me", "Connection": "keep-alive, X-Gone", "X-Gone": "1", "TE": "trailers", "Expect": "100-continue",
			"Accept-Encoding": "identity",
		} {
			r.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		if string(body) != "PUT body true me" || resp.StatusCode != 201 || resp.Header.Get("X-Answer") != "1" {
			t.Errorf("got %d %q %v", resp.StatusCode, body, resp.Header)
		}
	})

	t.Run("not granted", func(t *testing.T) {
		var asked atomic.Int64
		origin := service(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
		s.deploy("other", pack(t, guest, "other", allowing("https://other.example")))
		s.deploy("none", pack(t, guest, "none"))
		for _, name := range []string{"other", "none"} {
			if got := s.do("POST", "/"+name+"/all", origin); !strings.Contains(got.body, "denied") {
				t.Errorf("%s: %v, want denied", name, got)
			}
		}
		if asked.Load() != 0 {
			t.Errorf("the service was asked %d times", asked.Load())
		}
	})

	t.Run("more hosts wait", func(t *testing.T) {
		s.deploy("more", pack(t, guest, "more", allowing("https://a.example")))
		var asked atomic.Int64
		origin := service(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
		module := filepath.Join(t.TempDir(), "more.wasm")
		if err := os.WriteFile(module, pack(t, guest, "more", allowing("https://a.example", origin)), 0o600); err != nil {
			t.Fatal(err)
		}
		token := strings.TrimSpace(s.mustCLI("", "token", "create", "dev", "--role", "deployer", "--plugins", "more"))
		if _, told, code := s.cliWith("", "deploy", module, "--token", token); code != 6 || !strings.Contains(told, "it asks for outbound to "+origin) {
			t.Errorf("a version that asks for one more host, of a deployer: exit code %d, %s", code, told)
		}
		for _, refused := range [][]string{{"activate", "more", "2", "--grant"}, {"approve", "more", "2"}, {"activate", "more", "2"}} {
			if _, told, code := s.cliWith("", append(refused, "--token", token)...); code == 0 {
				t.Errorf("a deployer's %v is done: %s", refused, told)
			}
		}
		s.do("POST", "/more/all", origin)
		if n := asked.Load(); n != 0 {
			t.Errorf("before the approval the host was asked %d times", n)
		}
		s.mustCLI("", "approve", "more", "2")
		s.do("POST", "/more/all", origin)
		if asked.Load() == 0 {
			t.Error("after the approval the host was not asked")
		}
	})

	t.Run("connections end with their deployment", func(t *testing.T) {
		closed := make(chan struct{}, 8)
		upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		upstream.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				closed <- struct{}{}
			}
		}
		upstream.Start()
		defer upstream.Close()
		s.deploy("conn", pack(t, guest, "conn", allowing(upstream.URL)))
		if got := s.do("POST", "/conn/all", upstream.URL); got.body != "200 \n" {
			t.Errorf("got %v", got)
		}
		select {
		case <-closed:
			t.Error("the connection is closed while the deployment serves")
		default:
		}
		s.deploy("conn", pack(t, guest, "conn", allowing(upstream.URL)))
		<-closed
	})

	t.Run("conflicts", func(t *testing.T) { testConflictsAfterCalls(t, s, other, guest) })

	t.Run("deadline", func(t *testing.T) {
		gone := make(chan struct{})
		var once sync.Once
		origin := service(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); once.Do(func() { close(gone) }) })
		s.deploy("hang", pack(t, guest, "hang", allowing(origin), "[limits]\ndeadline = \"4s\""))
		if got := s.do("POST", "/hang/hang", origin); got.status != 200 || !strings.Contains(got.body, "took too long") {
			t.Errorf("got %v, want an answer of the handler, which sees that the call took too long", got)
		}
		<-gone
	})

	t.Run("charges", func(t *testing.T) { testCharges(t, s, other) })
}

// testConflictsAfterCalls has the called service change what the handler read.
func testConflictsAfterCalls(t *testing.T, s *server, other *called, guest []byte) {
	s.deploy("again", pack(t, guest, "again", "[kv]", allowing(other.origin), "idempotent = true"))
	for _, tc := range []struct {
		name, plugin, query string
		calls               int64
		want                string
	}{
		{"get", "calls", "method=GET", 1, "2"},
		{"post", "calls", "method=POST", 1, "2"},
		{"again", "again", "method=POST", 1, "2"},
		{"vary", "calls", "method=POST&vary=1", 1, ""},
		{"vary again", "again", "method=POST&vary=1", 2, "2"},
	} {
		var asked atomic.Int64
		other.by(func(http.ResponseWriter, *http.Request) {
			if asked.Add(1) == 1 {
				_, _ = s.try(context.Background(), "POST", "/"+tc.plugin+"/bump", "")
			}
		})
		got := s.do("POST", "/"+tc.plugin+"/conflict?"+tc.query, other.origin)
		if asked.Load() != tc.calls {
			t.Errorf("%s: the service was asked %d times, want %d", tc.name, asked.Load(), tc.calls)
		}
		if tc.want != "" && (got.status != 200 || got.body != tc.want) {
			t.Errorf("%s: %v, want an answer of attempt %s", tc.name, got, tc.want)
		}
		if tc.want == "" && (got.status != 503 || got.header.Get("Retry-After") != "" || !strings.Contains(got.body, "a call to another service was made")) {
			t.Errorf("%s: %v %v, want 503 that says of the call and does not ask to try again", tc.name, got, got.header)
		}
	}
}

// testCharges has clients charge and count under one key, at once. The service
// hears of each charge once, none is refused, and all are counted.
func testCharges(t *testing.T, s *server, other *called) {
	clients, each, takes := often(16, 64), often(4, 20), time.Duration(often(20, 200))*time.Millisecond
	var mu sync.Mutex
	heard := map[string]int{}
	other.by(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		heard[string(body)]++
		mu.Unlock()
		time.Sleep(takes)
		_, _ = w.Write(body)
	})
	var charged atomic.Int64
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range each {
				got, err := s.try(t.Context(), "POST", "/calls/charge", other.origin)
				switch {
				case err != nil:
					t.Error(err)
				case got.status == 200:
					charged.Add(1)
				default:
					t.Errorf("got %v", got)
				}
			}
		})
	}
	all.Wait()
	for id, n := range heard {
		if n != 1 {
			t.Errorf("the service heard of %.20s %d times", id, n)
		}
	}
	if got := s.do("GET", "/calls/charges", ""); got.body != strconv.FormatInt(charged.Load(), 10) || len(heard) != clients*each {
		t.Errorf("%d charges were answered and %v counted; the service heard of %d", charged.Load(), got, len(heard))
	}
}

// TestOutboundToPrivateNetworks is the twin without the operator's exception.
func TestOutboundToPrivateNetworks(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	origin := service(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	named := strings.Replace(origin, "127.0.0.1", "localhost", 1)
	s := serve(t, t.TempDir())
	s.deploy("inside", pack(t, goGuest(t, "testdata/fetchguest"), "inside", allowing(origin, named)))
	got := s.do("POST", "/inside/all", origin+"\n"+named)
	if strings.Count(got.body, "outbound_allow_networks") != 2 || asked.Load() != 0 {
		t.Errorf("got %v after %d requests, want a refusal that names the setting", got, asked.Load())
	}
}
