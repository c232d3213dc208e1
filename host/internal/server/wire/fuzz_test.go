package wire

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// FuzzHead: what the gate lets through, fasthttp reads, with the same framing
// and the same host. Anything else would be a way to smuggle.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		servertest.Get("/"), servertest.Get("/a?b", "A: b"), servertest.Request("OPTIONS", "*", ""), "GET http://test/ HTTP/1.1\r\nHost: test\r\n\r\n",
		servertest.Request("POST", "/", "", "Content-Length: 5"), servertest.Request("POST", "/", "", "Transfer-Encoding: chunked"),
		"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\nHost: test\n\n", "GET / HTTP/1.1\r\nHost : test\r\n\r\n",
		servertest.Request("POST", "/", "", "Content-Length: 5", "Transfer-Encoding: chunked"), servertest.Get("/", "A: b\r\n c"),
		servertest.Request("POST", "/", "", "Expect: 100-continue"), servertest.Get("/", "Connection: close, x"), servertest.Get("/", "Trailer: a"),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, r := findHead(b, 0)
		if r != nil || n == 0 {
			return
		}
		want, r := judge(b[:n])
		if r != nil {
			return
		}
		var h fasthttp.RequestHeader
		br := bufio.NewReaderSize(bytes.NewReader(b[:n]), limit.RequestHead)
		if err := h.Read(br); err != nil {
			if strings.Contains(err.Error(), "forbidden trailer") { // refuses more than the gate: 400 as well
				return
			}
			t.Fatalf("the gate passes %q, fasthttp does not: %v", b[:n], err)
		}
		if br.Buffered() != 0 {
			t.Fatalf("%q: fasthttp ends the head %d bytes earlier", b[:n], br.Buffered())
		}
		got := h.ContentLength()
		if want.chunked != (got == chunkedLength) || !want.chunked && int64(max(got, 0)) != want.length {
			t.Fatalf("%q: the gate frames it %+v, fasthttp %d", b[:n], want, got)
		}
		if bytes.ContainsAny(h.RawHeaders(), "\x00") || bytes.Count(h.RawHeaders(), []byte{'\n'}) != bytes.Count(h.RawHeaders(), []byte("\r\n")) {
			t.Fatalf("%q: the header has a bare LF or NUL", b[:n])
		}
	})
}

// FuzzCuts: whatever arrives, in whatever pieces, the gate passes on the same of it
// and refuses it or not, for the same reason. Only how much of a malformed body has
// passed when it shows is the network's choice.
func FuzzCuts(f *testing.F) {
	all := servertest.Get("/1") + servertest.Request("POST", "/2", "3;a=\"b\"\r\nabc\r\n0 \r\nA: b\r\n\r\n", "Transfer-Encoding: chunked") + servertest.Request("POST", "/3", "hello", "Content-Length: 5")
	f.Add([]byte(all), uint16(3), uint16(50))
	f.Add([]byte(all+"GET / HTTP/1.1\n\n"), uint16(80), uint16(81))
	f.Add([]byte(servertest.Request("POST", "/", "1;a=\"\r\n", "Transfer-Encoding: chunked")), uint16(1), uint16(60))
	f.Add([]byte(servertest.Request("POST", "/", "0\r\nA: b\r\n\n", "Transfer-Encoding: chunked")), uint16(1), uint16(62))
	f.Fuzz(func(t *testing.T, b []byte, i, j uint16) {
		at := min(int(i), len(b))
		to := min(max(at, int(j)), len(b))
		whole, r1 := passedOn(b)
		cut, r2 := passedOn(b[:at], b[at:to], b[to:])
		if r1 != r2 || whole != cut && (r1 == nil || !inChunks(r1)) {
			t.Fatalf("whole: %q, %v\ncut at %d and %d: %q, %v", whole, r1, at, to, cut, r2)
		}
	})
}

func inChunks(r *Refusal) bool {
	return slices.Contains([]*Refusal{refuseChunk, refuseExtension, refuseExtensions, refuseTrailer, refuseTrailers}, r)
}

func passedOn(parts ...[]byte) (string, *Refusal) {
	var left []string
	for _, p := range parts {
		if len(p) > 0 {
			left = append(left, string(p))
		}
	}
	c := &gateConn{Conn: &pieces{left: left}, gate: newTestGate()}
	var out strings.Builder
	buf := make([]byte, limit.RequestHead)
	for {
		n, err := c.Read(buf)
		out.Write(buf[:n])
		if err != nil {
			return out.String(), c.refusal
		}
	}
}

// FuzzPath: a path that is accepted means the same to whoever decodes and cleans
// it first.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/a%2F..%2fb", "/%2F", "/a%2F%2Fb/c%2F", "/..%2F", "/", "/a/b/", "/a/../b", "/%2e%2E/", "/a%2fb", "/a//b", "/a%00", "/%252e", "/ä", "/..a/b..", "/a\\b", "/%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		slashes, r := CheckPath(path)
		if r != nil {
			return
		}
		if encoded := strings.Count(strings.ToLower(path), "%2f"); slashes != (encoded > 0) {
			t.Fatalf("%q has %d encoded slashes, and CheckPath says %v", path, encoded, slashes)
		}
		if slashes { // as its route takes them: a slash like others, but for what lies between two
			path = strings.NewReplacer("%2f", "/", "%2F", "/").Replace(path)
			for strings.Contains(path, "//") {
				path = strings.ReplaceAll(path, "//", "/")
			}
		}
		decoded, err := url.PathUnescape(path)
		if err != nil {
			t.Fatalf("%q is accepted and cannot be decoded: %v", path, err)
		}
		if strings.Count(decoded, "/") != strings.Count(path, "/") || strings.ContainsRune(decoded, '\\') {
			t.Fatalf("%q has other segments when decoded: %q", path, decoded)
		}
		for segment := range strings.SplitSeq(decoded[1:], "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q has a dot segment when decoded", path)
			}
		}
		if strings.Contains(decoded, "//") {
			t.Fatalf("%q has an empty segment when decoded", path)
		}
	})
}

// FuzzChunks: what is passed on of a chunked body ends, for fasthttp, where the gate
// ends it; and a parser that reads what arrived finds the same body.
func FuzzChunks(f *testing.F) {
	for _, seed := range []string{
		"0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "A\r\n0123456789\r\n000\r\n\r\nGET", "1;a\r\nx\r\n0\r\n\r\n", "0\r\nA: b\r\n\r\n", "1\nx",
		"1 ;\ta = \"\\\"b\" ;c\t\r\nx\r\n0;d=e\r\nA: b\r\nContent-Length: 3\r\n\r\nGET", "1;a=\"\r\nx\r\n0\r\n\r\n", "1 \r\nx\r\n0\r\n\r\n",
		"1;a\nx\r\n0\r\n\r\n", "1;a\rb\r\nx\r\n0\r\n\r\n", "0\r\nA: b\n\r\n", "0\r\n A: b\r\n\r\n", "0\r\nGET / HTTP/1.1\r\n\r\n", "1;=\r\nx\r\n0\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c chunks
		taken, passed, done, r := c.feed(slices.Clone(b))
		if r != nil || !done {
			return
		}
		kept := slices.Clone(b)
		_, _, _, _ = new(chunks).feed(kept)
		head := servertest.Request("POST", "/", "", "Transfer-Encoding: chunked")
		var req fasthttp.Request
		br := bufio.NewReader(strings.NewReader(head + string(kept[:passed])))
		if err := req.Read(br); err != nil {
			t.Fatalf("%q, passed on as %q: fasthttp: %v", b[:taken], kept[:passed], err)
		}
		if br.Buffered() != 0 {
			t.Fatalf("%q: fasthttp ends the body %d bytes earlier", b[:taken], br.Buffered())
		}
		other, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + string(b))))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(other.Body)
		if err == nil && !bytes.Equal(body, req.Body()) {
			t.Fatalf("%q: the body is %q to fasthttp, and %q to net/http", b[:taken], req.Body(), body)
		}
	})
}
