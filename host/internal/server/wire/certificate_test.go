package wire

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

func commonName(t *testing.T, c *tls.Certificate) string {
	t.Helper()
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf.Subject.CommonName
}

func TestCertificateIsReloaded(t *testing.T) {
	files := servertest.NewPair(t)
	if _, err := LoadCertificate(files.Cert, files.Key, nil); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("without files: %v, want code invalid", err)
	}
	files.Write(t, "one")
	var log strings.Builder
	c, err := LoadCertificate(files.Cert, files.Key, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	serves := func(what, want string, after time.Duration) {
		t.Helper()
		now = now.Add(after)
		if got := commonName(t, c.get(now)); got != want {
			t.Errorf("%s: the certificate is of %q, want %q", what, got, want)
		}
	}
	serves("at first", "one", time.Hour)
	files.Write(t, "two is longer")
	serves("within the second", "one", time.Second-1)
	serves("after it", "two is longer", 1)
	if !strings.Contains(log.String(), "reloaded") {
		t.Errorf("the log says %q", &log)
	}

	log.Reset()
	newPair := servertest.NewPair(t)
	newPair.Write(t, "three is longer still")
	data, err := os.ReadFile(newPair.Cert)
	if err != nil {
		t.Fatal(err)
	}
	servertest.Put(t, files.Cert, data) // the key of another certificate
	serves("with the wrong key", "two is longer", time.Second)
	serves("with the wrong key, again", "two is longer", time.Second)
	if n := strings.Count(log.String(), "cannot be reloaded"); n != 1 {
		t.Errorf("the failure is logged %d times, want once:\n%s", n, &log)
	}
	if data, err = os.ReadFile(newPair.Key); err != nil {
		t.Fatal(err)
	}
	servertest.Put(t, files.Key, data)
	serves("with the key that belongs to it", "three is longer still", time.Second)
	if err := os.Remove(files.Cert); err != nil {
		t.Fatal(err)
	}
	serves("without the file", "three is longer still", time.Second)
}

// TestCertificateForAPerson: what an operator can mend is said.
func TestCertificateForAPerson(t *testing.T) {
	files := servertest.NewPair(t)
	files.Write(t, "one")
	var log strings.Builder
	c, err := LoadCertificate(files.Cert, files.Key, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if log.Len() > 0 {
		t.Errorf("of a good certificate the log says %s", &log)
	}
	for want, after := range map[string]time.Duration{"has expired": 2 * time.Hour, "not valid yet": -2 * time.Hour} {
		log.Reset()
		c.tellTime(c.current.Leaf, time.Now().Add(after))
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log says %q, want %q", &log, want)
		}
	}
	servertest.Put(t, files.Key, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	if _, err := LoadCertificate(files.Cert, files.Key, nil); err == nil || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("an encrypted key: %v", err)
	}
}

// TestCertificateBehindALink turns a link to another directory, whose files have
// the size and the time of those before: as a volume of Kubernetes is renewed,
// from a store that gives all files one time.
func TestCertificateBehindALink(t *testing.T) {
	root := t.TempDir()
	current := filepath.Join(root, "current")
	turn := func(name string) {
		t.Helper()
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		files := servertest.Pair{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
		files.Write(t, name)
		for _, file := range []string{files.Cert, files.Key} {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			servertest.Put(t, file, append(data, strings.Repeat("\n", 4096-len(data))...))
			if err := os.Chtimes(file, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(name, current+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(current+".new", current); err != nil {
			t.Fatal(err)
		}
	}
	turn("one")
	c, err := LoadCertificate(filepath.Join(current, "cert.pem"), filepath.Join(current, "key.pem"), nil)
	if err != nil {
		t.Fatal(err)
	}
	turn("two")
	if got := commonName(t, c.get(time.Now().Add(time.Hour))); got != "two" {
		t.Errorf("the certificate is of %q, want that of the new directory", got)
	}
}

// overTLS serves over TLS and returns the address.
func overTLS(t *testing.T, files servertest.Pair, conns Conns) string {
	t.Helper()
	certificate, err := LoadCertificate(files.Cert, files.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	certificate.every = 0
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return servertest.ListenOn(t, newTestEdge(conns), certificate.Listen(ln))
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
	ask := func() string {
		t.Helper()
		servertest.Send(t, conn, servertest.Request("POST", "/", "hello", "Content-Length: 5"))
		return servertest.Receive(t, bufio.NewReader(conn), "POST").Text
	}
	if got := ask(); got != "hello" {
		t.Errorf("the first connection is answered with %q", got)
	}
	files.Write(t, "two is longer")
	again, err := handshake(t, addr, &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got := again.ConnectionState().PeerCertificates[0].Subject.CommonName; got != "two is longer" {
		t.Errorf("a new connection gets the certificate of %q", got)
	}
	if got := ask(); got != "hello" { // the old connection lives on
		t.Errorf("the first connection is then answered with %q", got)
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
