package public

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// keeping has every route but /plain keep its answers for an hour.
type keeping struct{ Routes }

func (k keeping) Route(method, host, path string, params []abi.Pair, c deploy.Client) Match {
	m := k.Routes.Route(method, host, path, params, c)
	if path != "/plain" {
		m.Keep = time.Hour
	}
	return m
}

func keepAnswers(c *Config) { c.Routes = keeping{c.Routes} }

func TestIdempotencyKey(t *testing.T) {
	long := strings.Repeat("k", maxKey)
	for _, tc := range []struct {
		name, method, path string
		lines              []string
		status             int
		key                string // the handler's; "" = it runs like any other
	}{
		{"post", "POST", "/", []string{"Idempotency-Key: k"}, 200, "k"},
		{"put", "PUT", "/", []string{"Idempotency-Key: k"}, 200, "k"},
		{"patch", "PATCH", "/", []string{"Idempotency-Key: k"}, 200, "k"},
		{"delete", "DELETE", "/", []string{"idempotency-key:  k "}, 200, "k"},
		{"a method of WebDAV", "LOCK", "/", []string{"Idempotency-Key: k"}, 200, "k"},
		{"methods have a case", "post", "/", []string{"Idempotency-Key: k"}, 200, "k"},
		{"options", "OPTIONS", "/", []string{"Idempotency-Key: k"}, 200, ""},
		{"quoted is another key", "POST", "/", []string{`Idempotency-Key: "k"`}, 200, `"k"`},
		{"longest", "POST", "/", []string{"Idempotency-Key: " + long}, 200, long},
		{"no key", "POST", "/", nil, 200, ""},
		{"a safe method", "GET", "/", []string{"Idempotency-Key: k"}, 200, ""},
		{"a route that keeps nothing", "POST", "/plain", []string{"Idempotency-Key: k", "Idempotency-Key: "}, 200, ""},
		{"too long", "POST", "/", []string{"Idempotency-Key: " + long + "k"}, 400, ""},
		{"empty", "POST", "/", []string{"Idempotency-Key: "}, 400, ""},
		{"a space", "POST", "/", []string{"Idempotency-Key: a b"}, 400, ""},
		{"not ASCII", "POST", "/", []string{"Idempotency-Key: ä"}, 400, ""},
		{"two", "POST", "/", []string{"Idempotency-Key: a", "Idempotency-Key: a"}, 400, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
				if once := inv.Request.Once; once != nil {
					inv.Reply.Body = append(inv.Reply.Body, once.Key...)
					if once.Keep != time.Hour {
						t.Errorf("it is kept for %s", once.Keep)
					}
				}
				return dispatch.Result{}, nil
			}, keepAnswers)
			resp := servertest.RoundTrip(t, addr, servertest.Request(tc.method, tc.path, "", append(tc.lines, "Content-Length: 0")...))
			if resp.StatusCode != tc.status || tc.status == 200 && resp.Text != tc.key {
				t.Errorf("got %d %q, want %d and key %q", resp.StatusCode, resp.Text, tc.status, tc.key)
			}
		})
	}
}

// What decides what a request asks for, and who asks, is in its digest.
func TestIdempotencyDigest(t *testing.T) {
	digests := make(chan [32]byte, 1)
	addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
		digests <- inv.Request.Once.Digest
		return dispatch.Result{}, nil
	}, keepAnswers)
	ask := func(method, path, body string, lines ...string) [32]byte {
		t.Helper()
		servertest.RoundTrip(t, addr, servertest.Request(method, path, body, append(lines, "Idempotency-Key: k", "Content-Length: "+string(rune('0'+len(body))))...))
		return <-digests
	}
	first := ask("POST", "/a?b=c", "body")
	if ask("POST", "/a?b=c", "body", "X-Request-Id: other", "User-Agent: other", "Cookie: other=1") != first {
		t.Error("the same request has another digest")
	}
	seen := map[[32]byte]string{first: "the first"}
	for name, digest := range map[string][32]byte{
		"method":        ask("PUT", "/a?b=c", "body"),
		"path":          ask("POST", "/b?b=c", "body"),
		"query":         ask("POST", "/a?b=d", "body"),
		"no query":      ask("POST", "/a", "body"),
		"body":          ask("POST", "/a?b=c", "bodY"),
		"no body":       ask("POST", "/a?b=c", ""),
		"type":          ask("POST", "/a?b=c", "body", "Content-Type: text/plain"),
		"encoding":      ask("POST", "/a?b=c", "body", "Content-Encoding: text/plain"),
		"authorization": ask("POST", "/a?b=c", "body", "Authorization: text/plain"),
	} {
		if other, ok := seen[digest]; ok {
			t.Errorf("another %s has the digest of %s", name, other)
		}
		seen[digest] = "another " + name
	}
}

func TestIdempotencyAnswers(t *testing.T) {
	replay := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
		_, err := reply(201, "made", abi.Pair{Name: "X-Kept", Value: "1"}, abi.Pair{Name: "idempotent-replayed", Value: "guest's"})(inv)
		return dispatch.Result{Outcome: trace.None, Replayed: inv.Request.Once != nil}, err
	}, keepAnswers)
	again := servertest.RoundTrip(t, replay, servertest.Request("POST", "/", "", "Idempotency-Key: k", "Content-Length: 0"))
	if again.StatusCode != 201 || again.Text != "made" || again.Header.Get("X-Kept") != "1" {
		t.Errorf("a replay is %d %q %v", again.StatusCode, again.Text, again.Header)
	}
	if diff := cmp.Diff([]string{"true"}, again.Header.Values("Idempotent-Replayed")); diff != "" {
		t.Errorf("Idempotent-Replayed of a replay (-want +got):\n%s", diff)
	}
	if first := servertest.RoundTrip(t, replay, servertest.Request("POST", "/", "", "Content-Length: 0")); first.Header["Idempotent-Replayed"] != nil {
		t.Errorf("a first answer says it is replayed: %v", first.Header)
	}
	for _, tc := range []struct {
		code    fault.Code
		status  int
		effects string
	}{
		{fault.Mismatch, http.StatusUnprocessableEntity, "none"},
		{fault.Done, http.StatusConflict, "committed"},
	} {
		addr := publicFor(t, failing(trace.None, fault.New(tc.code, "", "")), keepAnswers)
		resp := servertest.RoundTrip(t, addr, servertest.Request("POST", "/", "", "Idempotency-Key: k", "Content-Length: 0"))
		if resp.StatusCode != tc.status || !strings.Contains(resp.Text, `"effects":"`+tc.effects+`"`) || resp.Header.Get("Retry-After") != "" {
			t.Errorf("%s: got %d %s %v", tc.code, resp.StatusCode, resp.Text, resp.Header)
		}
	}
}
