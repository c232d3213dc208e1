package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// testBadRequests sends what two programs on the way could read differently, and
// behind it a request that such a program might let through.
func testBadRequests(t *testing.T, v *victim) {
	const smuggled = "GET /neighbour HTTP/1.1\r\nHost: x\r\n\r\n"
	path := func(p string) string { return "GET " + p + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" }
	post := func(fields, body string) string {
		return "POST /neighbour HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body
	}
	for _, test := range []struct{ name, request, says string }{
		{"encoded slash", path("/neighbour%2fx"), "encoded slash"},
		{"encoded slash before another mount", path("/kv%2F..%2Fneighbour"), "dot segment"},
		{"dot segment", path("/kv/../neighbour"), "dot segment"},
		{"encoded dot segment", path("/kv/%2e%2E/neighbour"), "dot segment"},
		{"backslash", path(`/kv\..\neighbour`), "backslash"},
		{"encoded backslash", path("/kv%5cx"), "backslash"},
		{"encoded NUL", path("/neighbour%00"), "control character"},
		{"NUL", path("/neighbour\x00"), "controls"},
		{"two slashes", path("//neighbour"), "empty segment"},
		{"broken percent-encoding", path("/neighbour%2"), "percent-encoding"},
		{"Content-Length and Transfer-Encoding", post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+smuggled), "exclude each other"},
		{"two Content-Lengths", post("Content-Length: 0\r\nContent-Length: 37\r\n", smuggled), "more than one Content-Length"},
		{"two equal Content-Lengths", post("Content-Length: 0\r\nContent-Length: 0\r\n", smuggled), "more than one Content-Length"},
		{"a list of Content-Lengths", post("Content-Length: 0, 37\r\n", smuggled), "Content-Length"},
		{"Content-Length with a sign", post("Content-Length: +0\r\n", smuggled), "Content-Length"},
		{"two Hosts", "GET /neighbour HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + smuggled, "more than one Host"},
		{"no Host", "GET /neighbour HTTP/1.1\r\n\r\n" + smuggled, "Host is missing"},
		{"bare LF", "GET /neighbour HTTP/1.1\nHost: x\n\n" + smuggled, "CR LF"},
		{"bare LF behind a field", "GET /neighbour HTTP/1.1\r\nHost: x\nX: y\r\n\r\n" + smuggled, "CR LF"},
		{"unknown version", "GET /neighbour HTTP/2.0\r\nHost: x\r\n\r\n" + smuggled, "HTTP/1.1"},
		{"version of the past", "GET /neighbour\r\n\r\n" + smuggled, "request line"},
		{"NUL in a field", "GET /neighbour HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n" + smuggled, "control character"},
		{"space before the colon", "GET /neighbour HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n" + smuggled, "colon"},
		{"folded field", "GET /neighbour HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\n\r\n" + smuggled, "folded"},
		{"not HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01", "method"},
	} {
		v.row(t, test.name, func(t *testing.T) {
			for _, listener := range []string{v.public, v.admin} {
				request := test.request
				if listener == v.admin { // the gate comes before the token, its rule on hosts before the path
					request = strings.Replace(request, "Host: x", "Host: localhost", 1)
				}
				v.wantRefused(v.raw(listener, request), 400, test.says)
			}
		})
	}
}

// raw writes bytes to a listener and reads until the server closes the
// connection.
func (v *victim) raw(url, request string) string {
	v.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		v.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		v.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		v.t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		v.t.Errorf("the server waits on behind %q", got)
	}
	return string(got)
}

// wantRefused checks that the answer on a connection is one problem, the last
// thing the server said.
func (v *victim) wantRefused(got string, status int, says string) {
	v.t.Helper()
	head, body, _ := strings.Cut(got, "\r\n\r\n")
	var p problem
	err := json.Unmarshal([]byte(body), &p) // fails on a second answer behind it
	if !strings.HasPrefix(head, fmt.Sprintf("HTTP/1.1 %d ", status)) || err != nil || !strings.Contains(p.Detail, says) {
		v.t.Errorf("got %q (%v), want one problem with status %d that says %q", got, err, status, says)
	}
	v.wantNothingInside(got)
}

// testBodyOverLimit announces bodies over the limit and sends little of them: the
// refusal must not wait for the rest.
func testBodyOverLimit(t *testing.T, v *victim) {
	const terabyte = "1099511627776"
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 2000, strings.Repeat("x", 2000))
	auth := "Authorization: Bearer " + v.token + "\r\n"
	for _, test := range []struct{ name, url, request string }{
		{"default limit", v.public, "POST /neighbour HTTP/1.1\r\nHost: x\r\nContent-Length: " + terabyte + "\r\n\r\na few bytes"},
		{"limit of the manifest", v.public, "POST /narrow HTTP/1.1\r\nHost: x\r\nContent-Length: 1025\r\n\r\na few bytes"},
		{"chunked", v.public, "POST /narrow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk},
		{"asked for first", v.public, "POST /narrow HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1025\r\n\r\n"},
		{"module", v.admin, "POST /v1/plugins/bad/versions HTTP/1.1\r\nHost: localhost\r\n" + auth + "Content-Length: " + terabyte + "\r\n\r\n\x00asm"},
	} {
		v.row(t, test.name, func(*testing.T) {
			v.wantRefused(v.raw(test.url, test.request), http.StatusRequestEntityTooLarge, "over")
		})
	}
	v.row(t, "exactly the limit", func(t *testing.T) {
		if a := v.do("POST", "/narrow", strings.Repeat("x", 1024)); a.status != 200 || len(a.body) != 1024 {
			t.Errorf("got %v", a)
		}
	})
}
