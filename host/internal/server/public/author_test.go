package public

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

var author = &Author{
	Unserved: func(path string) string {
		if strings.HasPrefix(path, "/soon/") {
			return "building <soon>"
		}
		return ""
	},
	Logged: func(string) string { return "panic: boom" },
}

// nothing has no plugin at all.
type nothing struct{}

func (nothing) Route(string, string, string, []abi.Pair, deploy.Client) Match { return Match{} }

// TestAnAuthorIsTold covers what a client sees of a plugin that does not serve yet.
func TestAnAuthorIsTold(t *testing.T) {
	addr := publicFor(t, nil, func(c *Config) { c.Author, c.Routes = author, nothing{} })
	got := servertest.RoundTrip(t, addr, servertest.Get("/soon/x"))
	if p := servertest.CheckProblem(t, got); got.StatusCode != http.StatusServiceUnavailable || p.Detail != "building <soon>" || got.Header.Get("Retry-After") == "" {
		t.Errorf("got %d, %+v", got.StatusCode, p)
	}
	if got := servertest.RoundTrip(t, addr, servertest.Get("/else")); got.StatusCode != http.StatusNotFound {
		t.Errorf("elsewhere: got %d", got.StatusCode)
	}
	page := servertest.RoundTrip(t, addr, "GET /soon/<x> HTTP/1.1\r\nHost: a\r\nAccept: text/html,*/*\r\nConnection: close\r\n\r\n")
	for _, want := range []string{`<meta http-equiv="refresh"`, "building &lt;soon&gt;", "GET /soon/&lt;x&gt;", "503 Service Unavailable"} {
		if !strings.Contains(page.Text, want) {
			t.Errorf("the page has no %q:\n%s", want, page.Text)
		}
	}
	if strings.Contains(page.Text, "<soon>") || page.Header.Get("Content-Type") != "text/html; charset=utf-8" || page.Header.Get("Retry-After") == "" {
		t.Errorf("got %v\n%s", page.Header, page.Text)
	}
}

// TestTheHandlersOwnProblem gets the error that the handler logged, and keeps what
// the guest has put there. An answer that is no problem stays as it is.
func TestTheHandlersOwnProblem(t *testing.T) {
	for kind, want := range map[string]string{
		"application/problem+json": `{"balance":7,"detail":"panic: boom","status":500}`,
		"application/json":         `{"status":500,"balance":7}`,
	} {
		addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
			inv.Reply.Status, inv.Reply.Body = 500, []byte(`{"status":500,"balance":7}`)
			inv.Reply.Headers = []abi.Pair{{Name: "content-type", Value: kind}}
			return dispatch.Result{Attempts: 1, Outcome: trace.None}, nil
		}, func(c *Config) { c.Author = author })
		if got := servertest.RoundTrip(t, addr, servertest.Get("/")); got.Text != want || got.StatusCode != 500 {
			t.Errorf("%s: got %d %s, want %s", kind, got.StatusCode, got.Text, want)
		}
	}
}

func TestWithLogged(t *testing.T) {
	for _, tt := range [][3]string{
		{"", "", ""}, {"a", "", "a"}, {"", "b", "b"}, {"a", "b", "b\na"}, {"a", "first\na\nstack: f", "first\na\nstack: f"},
	} {
		if got := withLogged(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%q and %q: got %q, want %q", tt[0], tt[1], got, tt[2])
		}
	}
}
