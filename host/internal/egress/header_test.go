package egress

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/egress/egresstest"
)

// heads serves answers, and tells the bytes of each request's head and body.
func heads(t *testing.T) (origin string, seen func() string) {
	t.Helper()
	got := make(chan string, 8)
	addr := egresstest.Serve(t, func(conn net.Conn) {
		buf, n := make([]byte, 64<<10), 0
		for {
			for !strings.Contains(string(buf[:n]), "\r\n\r\n") {
				more, err := conn.Read(buf[n:])
				if err != nil {
					return
				}
				n += more
			}
			got <- string(buf[:n])
			n = 0
			if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
				return
			}
		}
	})
	return "http://" + addr.String(), func() string { return <-got }
}

// TestFieldsGoOutAsGiven on a connection that is used again, also by calls that
// give none, and also where a head is larger than the buffer of net/http.
func TestFieldsGoOutAsGiven(t *testing.T) {
	origin, seen := heads(t)
	c := client(t, nil, origin)
	host := strings.TrimPrefix(origin, "http://")
	large := strings.Repeat("v", 9000)
	for _, tc := range []struct {
		given []abi.Pair
		want  string // between host and the host's own fields
	}{
		{
			[]abi.Pair{{Name: "x-Zulu", Value: "1"}, {Name: "SOAPAction", Value: "a b"}, {Name: "x-alpha", Value: "2"}, {Name: "X-ZULU", Value: " 3 "}, {Name: "accept-encoding", Value: "br"}},
			"x-Zulu: 1\r\nSOAPAction: a b\r\nx-alpha: 2\r\nX-ZULU: 3\r\naccept-encoding: br\r\n",
		},
		{nil, ""},
		{[]abi.Pair{{Name: "b", Value: large}, {Name: "user-agent", Value: "me"}, {Name: "a", Value: ""}}, "b: " + large + "\r\nuser-agent: me\r\na: \r\n"},
	} {
		got := do(t, c, abi.HTTPRequest{URL: origin + "/p", Headers: tc.given}, "")
		if got.head.Status != 200 {
			t.Fatalf("got %+v", got)
		}
		head := seen()
		if want := "GET /p HTTP/1.1\r\nHost: " + host + "\r\n" + tc.want; !strings.HasPrefix(head, want) || !strings.HasSuffix(head, "\r\n\r\n") ||
			strings.Count(head, "\r\n\r\n") != 1 || strings.Count(strings.ToLower(head), "user-agent: ") != 1 || strings.Count(head, "X-Request-Id: r1") != 1 {
			t.Errorf("sent %q, want it to begin with %q", head, want)
		}
	}
}

// TestFieldsOfTheConnection: what is harmless is left out, so that the header of a
// request may be passed on.
func TestFieldsOfTheConnection(t *testing.T) {
	origin, seen := heads(t)
	c := client(t, nil, origin)
	host := strings.TrimPrefix(origin, "http://")
	for _, f := range []abi.Pair{
		{Name: "Content-Length", Value: "4"},
		{Name: "content-length", Value: "4, 4"},
		{Name: "content-length", Value: "0004"},
		{Name: "Connection", Value: "keep-alive"},
		{Name: "connection", Value: "close"},
		{Name: "Connection", Value: "Keep-Alive, X-Gone, TE"},
		{Name: "Keep-Alive", Value: "timeout=5"},
		{Name: "TE", Value: "trailers"},
		{Name: "te", Value: "gzip;q=0.5"},
		{Name: "Trailer", Value: "x"},
		{Name: "Proxy-Connection", Value: "keep-alive"},
		{Name: "Transfer-Encoding", Value: "chunked"},
		{Name: "transfer-encoding", Value: "Chunked"},
		{Name: "Upgrade", Value: "h2c"},
		{Name: "Host", Value: host},
		{Name: "host", Value: "plugin.example"},
		{Name: "Expect", Value: "100-continue"},
	} {
		s := c.Session(Trace{Host: "plugin.example"}, kept(t))
		handle, status, why := s.Open(&abi.HTTPRequest{Method: "POST", URL: origin + "/", Headers: []abi.Pair{f, {Name: "X-Stays", Value: "1"}}})
		if status != abi.OK {
			t.Errorf("%s: %v, %s", f, status, why)
			continue
		}
		s.Write(handle, []byte("body"))
		if n, _, _ := s.Send(t.Context(), []uint32{handle}); n != 1 {
			t.Errorf("%s: %+v", f, s.Reason(handle))
			continue
		}
		s.Close()
		head := seen()
		lines := strings.Split(head, "\r\n")
		for _, line := range lines[2:] { // the host's own host
			name, value, _ := strings.Cut(line, ":")
			if strings.EqualFold(name, f.Name) && line != "Content-Length: 4" {
				t.Errorf("%s went out as %s", f, value)
			}
		}
		if lines[1] != "Host: "+host || !strings.Contains(head, "X-Stays: 1") || !strings.Contains(head, "Content-Length: 4\r\n") {
			t.Errorf("%s: sent %q", f, head)
		}
	}
	gone := do(t, c, abi.HTTPRequest{URL: origin, Headers: []abi.Pair{{Name: "x-gone", Value: "1"}, {Name: "connection", Value: "close, X-Gone"}}}, "")
	if head := seen(); gone.head.Status != 200 || strings.Contains(head, "gone") {
		t.Errorf("a field that connection names: %+v, %q", gone, head)
	}
}

// TestARefusedFieldIsNamed with what it says.
func TestARefusedFieldIsNamed(t *testing.T) {
	s := client(t, nil, "http://a.example").Session(Trace{Host: "plugin.example"}, kept(t))
	defer s.Close()
	for _, f := range []abi.Pair{
		{Name: "Host", Value: "b.example"},
		{Name: "host", Value: "a.example:81"},
		{Name: "host", Value: ""},
		{Name: "Transfer-Encoding", Value: "gzip, chunked"},
		{Name: "Upgrade", Value: "websocket"},
		{Name: "Expect", Value: "202-accepted"},
		{Name: "Proxy-Authorization", Value: "Basic eA=="},
		{Name: "X-Bad", Value: "a\x00"},
	} {
		_, status, why := s.Open(&abi.HTTPRequest{URL: "http://a.example/", Headers: []abi.Pair{{Name: "x", Value: "y"}, f}})
		if status != abi.Invalid || !strings.Contains(why, f.Name) {
			t.Errorf("%s: %v, %q", f, status, why)
		}
	}
}

// TestALengthThatIsNotTheBodys: the call fails when it would be sent, and the
// service hears nothing of it.
func TestALengthThatIsNotTheBodys(t *testing.T) {
	origin := upstream(t, func(http.ResponseWriter, *http.Request) { t.Error("a request came") })
	c := client(t, nil, origin)
	for _, length := range []string{"3", "5", "", "+4", "-4", "4.0", "4, 5", "4,", "99999999999999999999", "0x4"} {
		got := do(t, c, abi.HTTPRequest{Method: "POST", URL: origin, Headers: []abi.Pair{{Name: "Content-Length", Value: length}}}, "body")
		if want := fmt.Sprintf("the header \"content-length\" says %q, and the body has 4 bytes", length); got.status() != abi.Invalid || got.head.Reason != want {
			t.Errorf("%q: %v %q, want %q", length, got.status(), got.head.Reason, want)
		}
	}
}
