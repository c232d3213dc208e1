package session_test

import (
	"cmp"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/nethttp"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
	"github.com/wasmoor/wasmoor/sdk/secure"
	"github.com/wasmoor/wasmoor/sdk/session"
)

// memory is a Store for a program that is no plugin.
type memory map[string][]byte

func (m memory) Get(key string) ([]byte, bool, error) {
	value, ok := m[key]
	return value, ok, nil
}

func (m memory) SetTTL(key string, value []byte, _ kv.TTL) error {
	m[key] = value
	return nil
}

func (m memory) Delete(key string) error {
	delete(m, key)
	return nil
}

func (m memory) List(q kv.Query) (entries []kv.Entry, more bool, err error) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(key, q.Prefix) {
			entries = append(entries, kv.Entry{Key: key, Value: m[key]})
		}
	}
	return entries, false, nil
}

// program is a program of net/http with sessions of both kinds.
func program(store session.Store) http.Handler {
	stored := session.Stored{Store: store, Name: "stored"}
	sealed := session.Sealed{Keys: []string{keyA}, Name: "sealed"}
	cookie := func(r *http.Request, name string) string {
		c, err := r.Cookie(name)
		if err != nil {
			return ""
		}
		return c.Value
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /in", func(w http.ResponseWriter, r *http.Request) {
		token, err := stored.Start(cookie(r, "stored"), "ada", nil)
		value, err2 := sealed.Seal([]byte("dark"))
		one, err3 := stored.Cookie(token).Field()
		two, err4 := sealed.Cookie(value).Field()
		if err := cmp.Or(err, err2, err3, err4); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
		w.Header().Add("Set-Cookie", one)
		w.Header().Add("Set-Cookie", two)
	})
	mux.HandleFunc("POST /out", func(w http.ResponseWriter, r *http.Request) {
		if err := stored.EndAll("ada"); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		for name, value := range (secure.Headers{}).All(r.TLS != nil) {
			w.Header().Set(name, value)
		}
		who := "nobody"
		if s, err := stored.Find(cookie(r, "stored")); s != nil && err == nil {
			who = s.User
		}
		theme, _, err := sealed.Open(cookie(r, "sealed"))
		if err != nil {
			who = err.Error()
		}
		_, _ = w.Write([]byte(who + " " + string(theme)))
	})
	return http.NewCrossOriginProtection().Handler(mux)
}

// TestNetHTTP: one program has sessions as a plugin below a mount, and without a
// host.
func TestNetHTTP(t *testing.T) {
	host := sdktest.New(nethttp.Serve(program(nil)))
	host.Mount = "/app"
	plain := program(memory{})
	for name, c := range map[string]struct {
		path string
		do   func(*http.Request) *http.Response
	}{
		"a plugin": {"/app", func(r *http.Request) *http.Response {
			res := host.Do(r)
			w := httptest.NewRecorder()
			maps.Copy(w.Header(), res.Header)
			w.WriteHeader(res.Status)
			_, _ = w.Write(res.Body)
			return w.Result()
		}},
		"a program": {"/", func(r *http.Request) *http.Response {
			w := httptest.NewRecorder()
			plain.ServeHTTP(w, r)
			return w.Result()
		}},
	} {
		t.Run(name, func(t *testing.T) { visit(t, c.path, c.do) })
	}
}

// visit signs in and out, and wants cookies for a path.
func visit(t *testing.T, path string, do func(*http.Request) *http.Response) {
	var cookies []*http.Cookie
	send := func(method, target string) string {
		r := httptest.NewRequest(method, target, nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		res := do(r)
		if set := res.Cookies(); len(set) > 0 {
			cookies = set
		}
		body := make([]byte, 100)
		n, _ := res.Body.Read(body)
		return string(body[:n])
	}
	for _, c := range [][]string{
		{"GET", "/", "nobody "}, {"POST", "/in", ""}, {"GET", "/", "ada dark"}, {"POST", "/out", ""}, {"GET", "/", "nobody dark"},
	} {
		if got := send(c[0], c[1]); got != c[2] {
			t.Errorf("%s %s: got %q, want %q", c[0], c[1], got, c[2])
		}
	}
	for _, c := range cookies {
		if c.Path != path || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("got the cookie %v", c)
		}
	}
	if len(cookies) != 2 {
		t.Errorf("got %d cookies", len(cookies))
	}
}
