package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// canary is sent behind every malformed request: it must never be served.
const canary = "GET /canary HTTP/1.1\r\nHost: test\r\n\r\n"

func TestMalformedRequests(t *testing.T) {
	long := strings.Repeat("a", 40<<10)
	for name, tc := range map[string]struct {
		raw    string
		status int
	}{
		"no version":                     {"GET /\r\nHost: test\r\n\r\n", 400},
		"empty line first":               {"\r\nGET / HTTP/1.1\r\nHost: test\r\n\r\n", 400},
		"two spaces":                     {"GET  / HTTP/1.1\r\nHost: test\r\n\r\n", 400},
		"space behind the version":       {"GET / HTTP/1.1 \r\nHost: test\r\n\r\n", 400},
		"tab between":                    {"GET\t/ HTTP/1.1\r\nHost: test\r\n\r\n", 400},
		"version 9.9":                    {"GET / HTTP/9.9\r\nHost: test\r\n\r\n", 400},
		"version 2.0":                    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
		"version in lower case":          {"GET / http/1.1\r\nHost: test\r\n\r\n", 400},
		"method is no token":             {"GE(T / HTTP/1.1\r\nHost: test\r\n\r\n", 400},
		"method too long":                {strings.Repeat("M", 33) + " / HTTP/1.1\r\nHost: test\r\n\r\n", 400},
		"TLS to a plain port":            {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
		"CONNECT":                        {"CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\n", 501},
		"TRACE":                          {"TRACE / HTTP/1.1\r\nHost: test\r\n\r\n", 501},
		"asterisk with GET":              {"GET * HTTP/1.1\r\nHost: test\r\n\r\n", 400},
		"target without a slash":         {"GET index.html HTTP/1.1\r\nHost: test\r\n\r\n", 400},
		"target with a fragment":         {"GET /a#b HTTP/1.1\r\nHost: test\r\n\r\n", 400},
		"target with NUL":                {"GET /a\x00b HTTP/1.1\r\nHost: test\r\n\r\n", 400},
		"target with DEL":                {"GET /a\x7fb HTTP/1.1\r\nHost: test\r\n\r\n", 400},
		"target of another scheme":       {"GET ftp://test/ HTTP/1.1\r\nHost: test\r\n\r\n", 400},
		"absolute target, other host":    {"GET http://evil/ HTTP/1.1\r\nHost: test\r\n\r\n", 400},
		"absolute target with user":      {"GET http://u@test/ HTTP/1.1\r\nHost: test\r\n\r\n", 400},
		"absolute target without host":   {"GET http:/// HTTP/1.1\r\nHost: test\r\n\r\n", 400},
		"target too long":                {"GET /" + strings.Repeat("a", 8<<10) + " HTTP/1.1\r\nHost: test\r\n\r\n", 414},
		"endless target":                 {"GET /" + long, 414},
		"header too long":                {"GET / HTTP/1.1\r\nHost: test\r\nA: " + long + "\r\n\r\n", 431},
		"endless header":                 {"GET / HTTP/1.1\r\nHost: test\r\nA: " + long, 431},
		"101 fields":                     {"GET / HTTP/1.1\r\nHost: test\r\n" + strings.Repeat("A: b\r\n", 100) + "\r\n", 431},
		"bare LF everywhere":             {"GET / HTTP/1.1\nHost: test\n\n", 400},
		"bare LF behind the line":        {"GET / HTTP/1.1\nHost: test\r\n\r\n", 400},
		"bare LF behind a field":         {"GET / HTTP/1.1\r\nHost: test\nA: b\r\n\r\n", 400},
		"bare LF at the end":             {"GET / HTTP/1.1\r\nHost: test\r\n\n", 400},
		"bare CR in a value":             {"GET / HTTP/1.1\r\nHost: test\r\nA: b\rC: d\r\n\r\n", 400},
		"NUL in a value":                 {"GET / HTTP/1.1\r\nHost: test\r\nA: b\x00c\r\n\r\n", 400},
		"control in a value":             {"GET / HTTP/1.1\r\nHost: test\r\nA: b\x1bc\r\n\r\n", 400},
		"NUL in a name":                  {"GET / HTTP/1.1\r\nHost: test\r\nA\x00: b\r\n\r\n", 400},
		"folded field":                   {"GET / HTTP/1.1\r\nHost: test\r\nA: b\r\n c\r\n\r\n", 400},
		"folded with a tab":              {"GET / HTTP/1.1\r\nHost: test\r\nA: b\r\n\tc\r\n\r\n", 400},
		"first field folded":             {"GET / HTTP/1.1\r\n Host: test\r\nHost: test\r\n\r\n", 400},
		"space before the colon":         {"GET / HTTP/1.1\r\nHost : test\r\n\r\n", 400},
		"field without a colon":          {"GET / HTTP/1.1\r\nHost: test\r\nA\r\n\r\n", 400},
		"field without a name":           {"GET / HTTP/1.1\r\nHost: test\r\n: b\r\n\r\n", 400},
		"no Host":                        {"GET / HTTP/1.1\r\n\r\n", 400},
		"empty Host":                     {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		"two Hosts":                      {"GET / HTTP/1.1\r\nHost: test\r\nHost: evil\r\n\r\n", 400},
		"two equal Hosts":                {"GET / HTTP/1.1\r\nHost: test\r\nhost: test\r\n\r\n", 400},
		"Host with a path":               {"GET / HTTP/1.1\r\nHost: test/a\r\n\r\n", 400},
		"Host with a user":               {"GET / HTTP/1.1\r\nHost: a@test\r\n\r\n", 400},
		"Host with a bad port":           {"GET / HTTP/1.1\r\nHost: test:8a\r\n\r\n", 400},
		"Host with a port too large":     {"GET / HTTP/1.1\r\nHost: test:65536\r\n\r\n", 400},
		"Host with a port of 6 digits":   {"GET / HTTP/1.1\r\nHost: test:000080\r\n\r\n", 400},
		"Host is no address":             {"GET / HTTP/1.1\r\nHost: [zz:::]\r\n\r\n", 400},
		"Host is an IPv4 in brackets":    {"GET / HTTP/1.1\r\nHost: [127.0.0.1]\r\n\r\n", 400},
		"Host is an open bracket":        {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
		"Host with two ports":            {"GET / HTTP/1.1\r\nHost: test:80:80\r\n\r\n", 400},
		"two lengths":                    {"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
		"two equal lengths":              {"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
		"list of lengths":                {"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3, 3\r\n\r\nabc", 400},
		"length with a plus":             {"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: +3\r\n\r\nabc", 400},
		"length below zero":              {"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: -3\r\n\r\nabc", 400},
		"length in hexadecimal":          {"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0x3\r\n\r\nabc", 400},
		"length beyond 64 bits":          {"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 18446744073709551619\r\n\r\nabc", 400},
		"empty length":                   {"POST / HTTP/1.1\r\nHost: test\r\nContent-Length:\r\n\r\n", 400},
		"length and coding":              {"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"coding and length":              {"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
		"coding in 1.0":                  {"POST / HTTP/1.0\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"unknown coding":                 {"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
		"identity coding":                {"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: identity\r\n\r\n", 400},
		"two codings":                    {"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
		"coding twice":                   {"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"coding with vertical tab":       {"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400},
		"unknown expectation":            {"POST / HTTP/1.1\r\nHost: test\r\nExpect: 200-maybe\r\nContent-Length: 1\r\n\r\n", 417},
		"chunk size is no number":        {request("POST", "/", "g\r\n", "Transfer-Encoding: chunked"), 400},
		"chunk size empty":               {request("POST", "/", "\r\n", "Transfer-Encoding: chunked"), 400},
		"chunk size beyond 60 bits":      {request("POST", "/", "1000000000000000\r\n", "Transfer-Encoding: chunked"), 400},
		"chunk extension":                {request("POST", "/", "1;a=b\r\nx\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 400},
		"chunk size with bare LF":        {request("POST", "/", "1\nx\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 400},
		"chunk longer than said":         {request("POST", "/", "1\r\nxy\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 400},
		"chunk end with bare LF":         {request("POST", "/", "1\r\nx\n0\r\n\r\n", "Transfer-Encoding: chunked"), 400},
		"trailer field":                  {request("POST", "/", "0\r\nA: b\r\n\r\n", "Transfer-Encoding: chunked"), 400},
		"chunked end with bare LF":       {request("POST", "/", "0\r\n\n", "Transfer-Encoding: chunked"), 400},
		"chunk bad, head in one segment": {request("POST", "/small", "1\r\nxz", "Transfer-Encoding: chunked"), 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := publicFor(t, echo)
			for _, first := range []string{"", get("/first")} {
				checkRefused(t, addr, first, tc.raw, tc.status)
			}
		})
	}
}

// checkRefused sends a good request (or none), then raw with a canary behind it,
// and wants one refusal and the end of the connection.
func checkRefused(t *testing.T, addr, first, raw string, status int) {
	t.Helper()
	c := dial(t, addr)
	// The server may stop reading at any byte.
	_, _ = io.WriteString(c, first+raw+canary)
	r := bufio.NewReader(c)
	if first != "" {
		if got := receive(t, r, "GET"); got.StatusCode != 200 {
			t.Fatalf("the good request before it: status %d", got.StatusCode)
		}
	}
	got := receive(t, r, "GET")
	if got.StatusCode != status {
		t.Errorf("status %d, want %d: %s", got.StatusCode, status, got.body)
	}
	if !got.Close {
		t.Error("the response does not say Connection: close")
	}
	checkProblem(t, got)
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("the connection went on with %q", rest)
	}
}

// checkProblem wants the body in the one shape of an error.
func checkProblem(t *testing.T, r response) problem {
	t.Helper()
	var p problem
	if got := r.Header.Get("Content-Type"); got != problemType {
		t.Errorf("content type %q", got)
	}
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("problem %q: %v", r.body, err)
	}
	if p.Status != r.StatusCode || p.Type != "urn:wasmoor:"+string(p.Code) || p.Code == "" || p.Title == "" || p.Detail == "" {
		t.Errorf("problem %+v of status %d is incomplete", p, r.StatusCode)
	}
	if p.RequestID == "" || p.RequestID != r.Header.Get("X-Request-Id") {
		t.Errorf("request id %q in the body, %q in the header", p.RequestID, r.Header.Get("X-Request-Id"))
	}
	return p
}

func TestWellFormedRequests(t *testing.T) {
	addr := publicFor(t, echo)
	for name, tc := range map[string]struct{ raw, want string }{
		"plain":                {get("/a"), "GET /a?\nhost: test\n\n"},
		"query":                {get("/a?b=%2f&c=//..\\"), "GET /a?b=%2f&c=//..\\\nhost: test\n\n"},
		"absolute target":      {"GET http://TEST/a?b HTTP/1.1\r\nHost: test\r\n\r\n", "GET /a?b\nhost: test\n\n"},
		"absolute, no path":    {"GET http://test?b HTTP/1.1\r\nHost: test\r\n\r\n", "GET /?b\nhost: test\n\n"},
		"1.0 without host":     {"GET /a HTTP/1.0\r\n\r\n", "GET /a?\n\n"},
		"IPv6 host":            {"GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET /a?\nhost: [::1]:80\n\n"},
		"any method":           {request("BREW", "/a", ""), "BREW /a?\nhost: test\n\n"},
		"raw UTF-8":            {get("/ä"), "GET /ä?\nhost: test\n\n"},
		"empty value":          {get("/a", "A:"), "GET /a?\nhost: test\na: \n\n"},
		"repeated, in order":   {get("/a", "B: 2", "A: 1", "b:3 ", "A:\t1"), "GET /a?\nhost: test\nb: 2\na: 1\nb: 3\na: 1\n\n"},
		"hop-by-hop dropped":   {get("/a", "Connection: X-Hop, keep-alive", "X-Hop: 1", "TE: trailers", "Keep-Alive: 5", "X: 2"), "GET /a?\nhost: test\nx: 2\n\n"},
		"body":                 {request("POST", "/a", "hello", "Content-Length: 5"), "POST /a?\nhost: test\n\nhello"},
		"body of one byte":     {request("POST", "/a", "x", "Content-Length: 1"), "POST /a?\nhost: test\n\nx"},
		"body with GET":        {request("GET", "/a", "hello", "Content-Length: 5"), "GET /a?\nhost: test\n\nhello"},
		"empty body":           {request("POST", "/a", "", "Content-Length: 0"), "POST /a?\nhost: test\n\n"},
		"chunked":              {request("POST", "/a", "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "Transfer-Encoding: Chunked"), "POST /a?\nhost: test\n\nabc0123456789"},
		"chunked, leading 0":   {request("POST", "/a", "003\r\nabc\r\n00\r\n\r\n", "Transfer-Encoding: chunked"), "POST /a?\nhost: test\n\nabc"},
		"chunked, empty":       {request("POST", "/a", "0\r\n\r\n", "Transfer-Encoding: chunked"), "POST /a?\nhost: test\n\n"},
		"multipart untouched":  {request("POST", "/a", "--x\r\n\r\n", "Content-Type: multipart/form-data; boundary=x", "Content-Length: 7"), "POST /a?\nhost: test\ncontent-type: multipart/form-data; boundary=x\n\n--x\r\n\r\n"},
		"100 fields":           {get("/a", strings.TrimSuffix(strings.Repeat("A: b\r\n", 99), "\r\n")), "GET /a?\nhost: test\n" + strings.Repeat("a: b\n", 99) + "\n"},
		"target at the limit":  {get("/" + strings.Repeat("a", 8<<10-1)), "GET /" + strings.Repeat("a", 8<<10-1) + "?\nhost: test\n\n"},
		"colon in a value":     {get("/a", "A: B:C"), "GET /a?\nhost: test\na: B:C\n\n"},
		"name kept in a value": {get("/a", "A: HOST"), "GET /a?\nhost: test\na: HOST\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := roundTrip(t, addr, tc.raw); got.StatusCode != 200 || got.body != tc.want {
				t.Errorf("%d %q\nwant 200 %q", got.StatusCode, got.body, tc.want)
			}
		})
	}
}

// pieces is a connection that delivers its input in the pieces given.
type pieces struct {
	net.Conn
	left []string
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.left[0])
	if p.left[0] = p.left[0][n:]; p.left[0] == "" {
		p.left = p.left[1:]
	}
	return n, nil
}

func (p *pieces) Write(b []byte) (int, error)      { return len(b), nil }
func (p *pieces) SetReadDeadline(time.Time) error  { return nil }
func (p *pieces) SetWriteDeadline(time.Time) error { return nil }
func (p *pieces) RemoteAddr() net.Addr             { return nil }

func newTestGate() *gate { return &gate{refused: func(net.Addr, *refusal, string) {}} }

// TestCuts cuts a sequence of requests at every pair of bytes: where the network
// cuts must not matter, and no read may reach over the end of a message.
func TestCuts(t *testing.T) {
	messages := []string{
		request("POST", "/1", "3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
		get("/2"), request("POST", "/3", "hello", "Content-Length: 5"), get("/4"),
	}
	all := strings.Join(messages, "")
	ends := map[int]bool{}
	end := 0
	for _, m := range messages {
		end += len(m)
		ends[end] = true
	}
	for _, size := range []int{1, 7, 64 << 10} { // of fasthttp's buffer
		for i := 1; i < len(all); i++ {
			for j := i + 1; j <= len(all); j += 1 + i%5 {
				checkCuts(t, []string{all[:i], all[i:j], all[j:]}, size, ends)
			}
		}
	}
}

func checkCuts(t *testing.T, cuts []string, size int, ends map[int]bool) {
	t.Helper()
	all := strings.Join(cuts, "")
	cuts = slices.DeleteFunc(cuts, func(s string) bool { return s == "" })
	c := &gateConn{Conn: &pieces{left: cuts}, gate: newTestGate()}
	buf := make([]byte, size)
	var got strings.Builder
	for {
		n, err := c.Read(buf)
		for i := got.Len() + 1; i < got.Len()+n; i++ {
			if ends[i] {
				t.Fatalf("cuts %q: a read reaches over the end of a message at %d", cuts, i)
			}
		}
		got.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if got.String() != all || c.refusal != nil {
		t.Fatalf("cuts %q: passed on %q, refusal %v", cuts, got.String(), c.refusal)
	}
}

func TestManyPipelined(t *testing.T) {
	addr := publicFor(t, echo)
	const n = 500
	c := dial(t, addr)
	go func() {
		var all strings.Builder
		for i := range n {
			all.WriteString(get(fmt.Sprintf("/%d", i)))
		}
		_, _ = io.WriteString(c, all.String())
	}()
	r := bufio.NewReader(c)
	for i := range n {
		want := fmt.Sprintf("GET /%d?\nhost: test\n\n", i)
		if got := receive(t, r, "GET"); got.body != want {
			t.Fatalf("response %d: %q", i, got.body)
		}
	}
}
