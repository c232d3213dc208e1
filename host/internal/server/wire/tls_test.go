package wire

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/server/certificate"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// overTLS serves over TLS and returns the address.
func overTLS(t *testing.T, files servertest.Pair, conns Conns) string {
	t.Helper()
	c, err := certificate.Load(files.Cert, files.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return servertest.ListenOn(t, newTestEdge(conns), c.Listen(ln))
}

func handshake(t *testing.T, addr string, cfg *tls.Config) (*tls.Conn, error) {
	t.Helper()
	cfg.InsecureSkipVerify = true // the test looks at the certificate itself
	c := tls.Client(servertest.Dial(t, addr), cfg)
	return c, c.Handshake()
}

func TestTLS(t *testing.T) {
	files := servertest.NewPair(t)
	files.Write(t, "one")
	addr := overTLS(t, files, Conns{})
	conn, err := handshake(t, addr, &tls.Config{NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	if state := conn.ConnectionState(); state.NegotiatedProtocol != "http/1.1" || state.Version != tls.VersionTLS13 {
		t.Errorf("negotiated %q and version %x", state.NegotiatedProtocol, state.Version)
	}
	servertest.Send(t, conn, servertest.Request("POST", "/", "hello", "Content-Length: 5"))
	if got := servertest.Receive(t, bufio.NewReader(conn), "POST").Text; got != "hello" {
		t.Errorf("the first connection is answered with %q", got)
	}
	if _, err := handshake(t, addr, &tls.Config{MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	plain := servertest.Dial(t, addr)
	servertest.Send(t, plain, servertest.Get("/"))
	if got := servertest.Receive(t, bufio.NewReader(plain), "GET"); got.StatusCode != 400 || !strings.Contains(got.Text, "speaks TLS") {
		t.Errorf("plain HTTP is answered with %d %q", got.StatusCode, got.Text)
	}
	if got, err := io.ReadAll(plain); len(got) > 0 || err != nil {
		t.Errorf("and then with %q, %v", got, err)
	}
	noise := servertest.Dial(t, addr)
	servertest.Send(t, noise, "SSH-2.0-nobody\r\n")
	if got, _ := io.ReadAll(noise); strings.Contains(string(got), "HTTP/") { // an alert, or nothing
		t.Errorf("what is neither is answered with %q", got)
	}
	// The gate works as it does without TLS.
	broken, err := handshake(t, addr, &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	servertest.Send(t, broken, "GET / HTTP/1.1\nHost: test\n\n")
	if got := servertest.Receive(t, bufio.NewReader(broken), "GET"); got.StatusCode != 400 {
		t.Errorf("a malformed request: status %d, want 400", got.StatusCode)
	}
}

// Somebody over the maximum who never speaks TLS holds up nobody.
func TestTLSCrowd(t *testing.T) {
	files := servertest.NewPair(t)
	files.Write(t, "one")
	addr := overTLS(t, files, Conns{Max: 1})
	first, err := handshake(t, addr, &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		silent := servertest.Dial(t, addr)
		if _, err := silent.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a connection over the maximum: %v, want it closed", err)
		}
	}
	servertest.Send(t, first, servertest.Get("/"))
	if got := servertest.Receive(t, bufio.NewReader(first), "GET"); got.StatusCode != 200 {
		t.Errorf("the first connection: status %d", got.StatusCode)
	}
}
