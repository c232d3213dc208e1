package public

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// What a guest says of the framing of its reply is left out where it is right, kept
// where it tells of a body that is not sent, and else refused by name. The next
// response on the connection is the next request's.
func TestFramingOfReplies(t *testing.T) {
	upstream := []abi.Pair{
		{Name: "Connection", Value: "keep-alive, X-Hop"},
		{Name: "Keep-Alive", Value: "timeout=5"},
		{Name: "X-Hop", Value: "1"},
		{Name: "TE", Value: "trailers"},
		{Name: "Trailer", Value: "Digest"},
		{Name: "Upgrade", Value: "h2c"},
		{Name: "Proxy-Connection", Value: "close"},
		{Name: "Transfer-Encoding", Value: "chunked"},
	}
	length := func(n string) []abi.Pair {
		return append(slices.Clip(upstream), abi.Pair{Name: "content-length", Value: n})
	}
	for name, tc := range map[string]struct {
		method string
		status int
		header []abi.Pair
		body   string
		want   string // of Content-Length; "" = none
		fault  string
	}{
		"GET":                   {"GET", 200, upstream, "hello", "5", ""},
		"GET, right length":     {"GET", 200, length("5"), "hello", "5", ""},
		"GET, wrong length":     {"GET", 200, length("6"), "hello", "", `"content-length" says 6, and the body has 5 bytes`},
		"GET, length, no body":  {"GET", 200, length("6"), "", "", `"content-length" says 6, and the body has 0 bytes`},
		"GET, empty":            {"GET", 200, length("0"), "", "0", ""},
		"GET, no length":        {"GET", 200, length("5, 6"), "hello", "", `"content-length" is the host's to set, and cannot be "5, 6"`},
		"HEAD":                  {"HEAD", 200, nil, "hello", "5", ""},
		"HEAD, length":          {"HEAD", 200, length("1000000000000"), "", "1000000000000", ""},
		"HEAD, length 0":        {"HEAD", 200, length("0"), "", "0", ""},
		"HEAD, both":            {"HEAD", 200, length("5"), "hello", "5", ""},
		"HEAD, both, wrong":     {"HEAD", 200, length("6"), "hello", "", `"content-length" says 6`},
		"HEAD, neither":         {"HEAD", 200, upstream, "", "", ""},
		"HEAD, 404":             {"HEAD", 404, length("7"), "", "7", ""},
		"HEAD, 206":             {"HEAD", 206, length("7"), "", "7", ""},
		"HEAD, 304":             {"HEAD", 304, length("7"), "", "7", ""},
		"206":                   {"GET", 206, length("5"), "hello", "5", ""},
		"206, wrong":            {"GET", 206, length("50"), "hello", "", `"content-length" says 50`},
		"304":                   {"GET", 304, length("7"), "", "7", ""},
		"304, with a body":      {"GET", 304, length("7"), "hello", "7", ""},
		"304, none":             {"GET", 304, upstream, "", "", ""},
		"204":                   {"GET", 204, length("0"), "", "", ""},
		"204, length":           {"GET", 204, length("7"), "", "", ""},
		"204, HEAD":             {"HEAD", 204, length("7"), "", "", ""},
		"205":                   {"GET", 205, length("0"), "", "0", ""},
		"205, length":           {"GET", 205, length("7"), "", "0", ""},
		"coding that is none":   {"GET", 200, []abi.Pair{{Name: "Transfer-Encoding", Value: "gzip"}}, "hello", "", `"Transfer-Encoding" is the host's to set, and cannot be "gzip"`},
		"large, right":          {"GET", 200, length("100000"), strings.Repeat("x", 100_000), "100000", ""},
		"large, wrong":          {"GET", 200, length("99999"), strings.Repeat("x", 100_000), "", "and the body has 100000 bytes"},
		"POST that was created": {"POST", 201, length("5"), "hello", "5", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault := make(chan string, 2)
			addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
				if inv.Request.Head.Path == "/next" {
					return dispatch.Result{}, nil
				}
				_ = inv.Reply.SetHead(abi.AppendResponseHead(nil, &abi.ResponseHead{Status: uint32(tc.status), Headers: tc.header}))
				_ = inv.Reply.Write([]byte(tc.body), 1<<20)
				f := inv.Reply.Fault()
				fault <- f
				if f != "" {
					return dispatch.Result{Outcome: trace.Aborted}, errors.New(f)
				}
				return dispatch.Result{}, nil
			})
			c := servertest.Dial(t, addr)
			servertest.Send(t, c, servertest.Request(tc.method, "/", "", "Content-Length: 0")+servertest.Get("/next", "Connection: close"))
			raw, err := io.ReadAll(c)
			if err != nil {
				t.Fatal(err)
			}
			head, rest, _ := strings.Cut(string(raw), "\r\n\r\n")
			if f := <-fault; (f == "") != (tc.fault == "") || !strings.Contains(f, tc.fault) {
				t.Fatalf("fault %q, want %q", f, tc.fault)
			}
			if tc.fault != "" {
				return
			}
			lower := strings.ToLower(head)
			if got := valueOf(lower, "content-length"); got != tc.want {
				t.Errorf("Content-Length %q, want %q", got, tc.want)
			}
			for _, name := range []string{"connection", "keep-alive", "x-hop", "te", "trailer", "upgrade", "proxy-connection", "transfer-encoding"} {
				if strings.Contains(lower, "\r\n"+name+":") {
					t.Errorf("the response has %s: %q", name, head)
				}
			}
			body := tc.body
			if tc.method == http.MethodHead || bodyless(tc.status) {
				body = ""
			}
			if got, next, found := strings.Cut(rest, "HTTP/1.1 200"); got != body || !found || !strings.Contains(next, "close") {
				t.Errorf("the body is %.20q, want %.20q, and then the next response", got, body)
			}
		})
	}
}

// valueOf returns the value of a field in lines in lower case, "" without one.
func valueOf(lines, name string) string {
	_, value, _ := strings.Cut(lines, "\r\n"+name+": ")
	value, _, _ = strings.Cut(value, "\r\n")
	return value
}
