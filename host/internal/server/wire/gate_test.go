package wire

import (
	"bufio"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

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
		"chunk size is no number":        {servertest.Request("POST", "/", "g\r\n", "Transfer-Encoding: chunked"), 400},
		"chunk size empty":               {servertest.Request("POST", "/", "\r\n", "Transfer-Encoding: chunked"), 400},
		"chunk size beyond 60 bits":      {servertest.Request("POST", "/", "1000000000000000\r\n", "Transfer-Encoding: chunked"), 400},
		"chunk size with bare LF":        {servertest.Request("POST", "/", "1\nx\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 400},
		"chunk longer than said":         {servertest.Request("POST", "/", "1\r\nxy\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 400},
		"chunk end with bare LF":         {servertest.Request("POST", "/", "1\r\nx\n0\r\n\r\n", "Transfer-Encoding: chunked"), 400},
		"chunked end with bare LF":       {servertest.Request("POST", "/", "0\r\n\n", "Transfer-Encoding: chunked"), 400},
		"chunk bad, head in one segment": {servertest.Request("POST", "/small", "1\r\nxz", "Transfer-Encoding: chunked"), 400},
		"chunk size and another":         {chunkedRequest("1 2\r\nx\r\n0\r\n\r\n"), 400},
		"extension without a semicolon":  {chunkedRequest("1 a=b\r\nx\r\n0\r\n\r\n"), 400},
		"extension without a name":       {chunkedRequest("1;=b\r\nx\r\n0\r\n\r\n"), 400},
		"extension without a value":      {chunkedRequest("1;a=\r\nx\r\n0\r\n\r\n"), 400},
		"extension with bare LF":         {chunkedRequest("1;a\nx\r\n0\r\n\r\n"), 400},
		"extension with bare CR":         {chunkedRequest("1;a\rb\r\nx\r\n0\r\n\r\n"), 400},
		"extension with NUL":             {chunkedRequest("1;a\x00\r\nx\r\n0\r\n\r\n"), 400},
		"quote over the line":            {chunkedRequest("1;a=\"\r\nx\r\n0\r\n\r\n\"\r\nx\r\n0\r\n\r\n"), 400},
		"quote with bare LF":             {chunkedRequest("1;a=\"b\nc\"\r\nx\r\n0\r\n\r\n"), 400},
		"escaped end of a line":          {chunkedRequest("1;a=\"\\\r\n\"\r\nx\r\n0\r\n\r\n"), 400},
		"quote outside a value":          {chunkedRequest("1;a\"b\"\r\nx\r\n0\r\n\r\n"), 400},
		"backslash outside quotes":       {chunkedRequest("1;a=\\\"b\"\r\nx\r\n0\r\n\r\n"), 400},
		"huge extension":                 {chunkedRequest("1;a=" + long + "\r\nx\r\n0\r\n\r\n"), 400},
		"many extensions":                {chunkedRequest(strings.Repeat("1;a=bbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\nx\r\n", 600)), 400},
		"endless white space":            {chunkedRequest("1" + strings.Repeat(" ", 40<<10)), 400},
		"trailer with bare LF":           {chunkedRequest("0\r\nA: b\n\r\n"), 400},
		"trailer with bare CR":           {chunkedRequest("0\r\nA: b\rc\r\n\r\n"), 400},
		"trailer with NUL":               {chunkedRequest("0\r\nA: b\x00\r\n\r\n"), 400},
		"trailer folded":                 {chunkedRequest("0\r\nA: b\r\n c\r\n\r\n"), 400},
		"first trailer folded":           {chunkedRequest("0\r\n A: b\r\n\r\n"), 400},
		"trailer that is a request":      {chunkedRequest("0\r\n" + servertest.Get("/smuggled")), 400},
		"trailer without a colon":        {chunkedRequest("0\r\nA\r\n\r\n"), 400},
		"trailer with a space in it":     {chunkedRequest("0\r\nA : b\r\n\r\n"), 400},
		"trailer without a name":         {chunkedRequest("0\r\n: b\r\n\r\n"), 400},
		"trailers end with bare LF":      {chunkedRequest("0\r\nA: b\r\n\n"), 400},
		"huge trailer":                   {chunkedRequest("0\r\nA: " + long + "\r\n\r\n"), 431},
		"101 trailers":                   {chunkedRequest("0\r\n" + strings.Repeat("A: b\r\n", 101) + "\r\n"), 431},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := edgeFor(t, Conns{})
			for _, first := range []string{"", servertest.Get("/first")} {
				servertest.CheckRefused(t, addr, first, tc.raw, tc.status)
			}
		})
	}
}

func chunkedRequest(body string) string {
	return servertest.Request("POST", "/", body, "Transfer-Encoding: chunked")
}

// A recipient ignores chunk extensions (RFC 9112 §7.1.1) and may drop trailer
// fields (§7.1.2). The next request on the connection is the next after them.
func TestExtensionsAndTrailersAreDropped(t *testing.T) {
	for name, body := range map[string]string{
		"extension":              "5;a=b\r\nhello\r\n0\r\n\r\n",
		"extension, no value":    "5;a\r\nhello\r\n0\r\n\r\n",
		"extensions":             "5;a;b=c;d=\"e\"\r\nhello\r\n0\r\n\r\n",
		"extension, white space": "5 ;\ta = b ; c\t\r\nhello\r\n0\r\n\r\n",
		"white space":            "5  \r\nhello\r\n0 \r\n\r\n",
		"quotes":                 "5;a=\"\\\";0\\\\\t\xff\"\r\nhello\r\n0\r\n\r\n",
		"signature":              "2;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\nhe\r\n3;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\nllo\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n",
		"extension of the last":  "5\r\nhello\r\n0;a=b\r\n\r\n",
		"trailer":                "5\r\nhello\r\n0\r\nDigest: sha-256=abc\r\n\r\n",
		"trailers":               "5\r\nhello\r\n0\r\nA:\r\na: \tb\xff \r\nC: d: e\r\n\r\n",
		"trailers that frame":    "5\r\nhello\r\n0\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\nHost: evil\r\n\r\n",
		"both":                   "1;a\r\nh\r\n4;b=\"c\"\r\nello\r\n0;d\r\nE: f\r\n\r\n",
		"100 trailers":           "5\r\nhello\r\n0\r\n" + strings.Repeat("A: b\r\n", 100) + "\r\n",
		"extension of 16 KB":     "5;a=" + strings.Repeat("a", 16000) + "\r\nhello\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const next = "next!"
			raw := chunkedRequest(body) + servertest.Request("POST", "/", next, "Content-Length: 5")
			c := servertest.Dial(t, edgeFor(t, Conns{}))
			servertest.Send(t, c, raw)
			r := bufio.NewReader(c)
			for _, want := range []string{"hello", next} {
				if got := servertest.Receive(t, r, "POST"); got.Text != want {
					t.Errorf("the body is %q, want %q", got.Text, want)
				}
			}
			want, _ := passedOn([]byte(raw))
			_, after, _ := strings.Cut(want, "\r\n\r\n")
			if passed, _, _ := strings.Cut(after, "POST"); strings.ContainsAny(passed, "; :\t") || !strings.HasSuffix(passed, "0\r\n\r\n") {
				t.Errorf("passed on %q, want no extension and no trailer", passed)
			}
			for i := 1; i < len(raw); i += 1 + len(raw)/200 {
				if got, r := passedOn([]byte(raw[:i]), []byte(raw[i:])); r != nil || got != want {
					t.Fatalf("cut at %d: passed on %q, refusal %v, want %q", i, got, r, want)
				}
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

func newTestGate() *gate {
	return &gate{refused: func(net.Addr, *Refusal, string) {}, open: new(atomic.Int64)}
}

// TestCuts cuts a sequence of requests at every pair of bytes: where the network
// cuts must not matter, and no read may reach over the end of a message.
func TestCuts(t *testing.T) {
	messages := []string{
		servertest.Request("POST", "/1", "3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
		servertest.Get("/2"), servertest.Request("POST", "/3", "hello", "Content-Length: 5"), servertest.Get("/4"),
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

// TestRefusalsSayWhich: which field, which limit, and never a value.
func TestRefusalsSayWhich(t *testing.T) {
	get := func(fields string) string { return "GET / HTTP/1.1\r\nHost: test\r\n" + fields + "\r\n" }
	for name, c := range map[string]struct{ raw, says string }{
		"control in a value":   {get("A: b\r\nX-Note: secret\x01\r\n"), `line 3 of the header: the value of "X-Note" has a control character`},
		"blank after the name": {get("X Note: secret\r\n"), `line 2 of the header: the name "X Note" is not a token directly followed by a colon`},
		"no colon":             {get("A: b\r\nsecret\r\n"), `line 3 of the header: the name "" is not a token`},
		"folded":               {get("X-Note: a\r\n secret\r\n"), `line 3 of the header: the field before, "X-Note", must not be folded`},
		"long target":          {"GET /" + strings.Repeat("a", 8<<10) + " HTTP/1.1\r\nHost: test\r\n\r\n", "the request target is over the limit of 8KiB"},
		"long cookie":          {get("A: b\r\nCookie: " + strings.Repeat("secret", 6<<10) + "\r\n"), `over the limit of 32KiB; the longest field, "Cookie", has `},
		"many fields":          {get(strings.Repeat("A: b\r\n", 100)), "more than 100 header fields"},
		"coding":               {get("Transfer-Encoding: gzip\r\n"), "Transfer-Encoding: "},
		"expectation":          {get("Expect: secret\r\n"), "Expect: "},
		"trailers":             {chunkedRequest("0\r\n" + strings.Repeat("A: b\r\n", 101) + "\r\n"), "over the limit of 16KiB or 100 fields"},
	} {
		_, r := passedOn([]byte(c.raw))
		if r == nil || !strings.Contains(r.Detail, c.says) || strings.Contains(r.Detail, "secret") {
			t.Errorf("%s: refused with %v, want it to say %q", name, r, c.says)
		}
	}
}
