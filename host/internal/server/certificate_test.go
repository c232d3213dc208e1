package server

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// pair is where a certificate and its key lie.
type pair struct{ cert, key string }

func newPair(t *testing.T) pair {
	dir := t.TempDir()
	return pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// write makes a new certificate for a name, and replaces what was there.
func (p pair) write(t *testing.T, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, p.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	put(t, p.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// put replaces a file by one with another name and time.
func put(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

func commonName(t *testing.T, c *tls.Certificate) string {
	t.Helper()
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf.Subject.CommonName
}

func TestCertificateIsReloaded(t *testing.T) {
	files := newPair(t)
	if _, err := LoadCertificate(files.cert, files.key, nil); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("without files: %v, want code invalid", err)
	}
	files.write(t, "one")
	var log strings.Builder
	c, err := LoadCertificate(files.cert, files.key, slog.New(slog.NewTextHandler(&log, nil)))
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
	files.write(t, "two is longer")
	serves("within the second", "one", time.Second-1)
	serves("after it", "two is longer", 1)
	if !strings.Contains(log.String(), "reloaded") {
		t.Errorf("the log says %q", &log)
	}

	log.Reset()
	newPair := newPair(t)
	newPair.write(t, "three is longer still")
	data, err := os.ReadFile(newPair.cert)
	if err != nil {
		t.Fatal(err)
	}
	put(t, files.cert, data) // the key of another certificate
	serves("with the wrong key", "two is longer", time.Second)
	serves("with the wrong key, again", "two is longer", time.Second)
	if n := strings.Count(log.String(), "cannot be reloaded"); n != 1 {
		t.Errorf("the failure is logged %d times, want once:\n%s", n, &log)
	}
	if data, err = os.ReadFile(newPair.key); err != nil {
		t.Fatal(err)
	}
	put(t, files.key, data)
	serves("with the key that belongs to it", "three is longer still", time.Second)
	if err := os.Remove(files.cert); err != nil {
		t.Fatal(err)
	}
	serves("without the file", "three is longer still", time.Second)
}

// TestCertificateForAPerson: what an operator can mend is said.
func TestCertificateForAPerson(t *testing.T) {
	files := newPair(t)
	files.write(t, "one")
	var log strings.Builder
	c, err := LoadCertificate(files.cert, files.key, slog.New(slog.NewTextHandler(&log, nil)))
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
	put(t, files.key, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	if _, err := LoadCertificate(files.cert, files.key, nil); err == nil || !strings.Contains(err.Error(), "passphrase") {
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
		files := pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
		files.write(t, name)
		for _, file := range []string{files.cert, files.key} {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			put(t, file, append(data, strings.Repeat("\n", 4096-len(data))...))
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

// overTLS serves handle over TLS and returns the address.
func overTLS(t *testing.T, files pair, conns Conns, handle func(*invoke.Invocation) (dispatch.Result, error)) string {
	t.Helper()
	certificate, err := LoadCertificate(files.cert, files.key, nil)
	if err != nil {
		t.Fatal(err)
	}
	certificate.every = 0
	return publicFor(t, handle, func(c *PublicConfig) { c.Certificate, c.Conns = certificate, conns })
}

func handshake(t *testing.T, addr string, cfg *tls.Config) (*tls.Conn, error) {
	t.Helper()
	cfg.InsecureSkipVerify = true // the test looks at the certificate itself
	c := tls.Client(dial(t, addr), cfg)
	return c, c.Handshake()
}

func TestTLS(t *testing.T) {
	files := newPair(t)
	files.write(t, "one")
	addr := overTLS(t, files, Conns{}, func(inv *invoke.Invocation) (dispatch.Result, error) {
		inv.Reply.Body = append(inv.Reply.Body, inv.Request.Head.Scheme...)
		return dispatch.Result{}, nil
	})
	conn, err := handshake(t, addr, &tls.Config{NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	if state := conn.ConnectionState(); state.NegotiatedProtocol != "http/1.1" || state.Version != tls.VersionTLS13 {
		t.Errorf("negotiated %q and version %x", state.NegotiatedProtocol, state.Version)
	}
	ask := func() string {
		t.Helper()
		send(t, conn, get("/"))
		return receive(t, bufio.NewReader(conn), "GET").body
	}
	if got := ask(); got != "https" {
		t.Errorf("the guest sees the scheme %q", got)
	}
	files.write(t, "two is longer")
	again, err := handshake(t, addr, &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got := again.ConnectionState().PeerCertificates[0].Subject.CommonName; got != "two is longer" {
		t.Errorf("a new connection gets the certificate of %q", got)
	}
	if got := ask(); got != "https" { // the old connection lives on
		t.Errorf("the guest sees the scheme %q", got)
	}
	if _, err := handshake(t, addr, &tls.Config{MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	plain := dial(t, addr)
	send(t, plain, get("/"))
	if got := receive(t, bufio.NewReader(plain), "GET"); got.StatusCode != 400 || !strings.Contains(got.body, "speaks TLS") {
		t.Errorf("plain HTTP is answered with %d %q", got.StatusCode, got.body)
	}
	if got, err := io.ReadAll(plain); len(got) > 0 || err != nil {
		t.Errorf("and then with %q, %v", got, err)
	}
	noise := dial(t, addr)
	send(t, noise, "SSH-2.0-nobody\r\n")
	if got, _ := io.ReadAll(noise); strings.Contains(string(got), "HTTP/") { // an alert, or nothing
		t.Errorf("what is neither is answered with %q", got)
	}
	// The gate works as it does without TLS.
	broken, err := handshake(t, addr, &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	send(t, broken, "GET / HTTP/1.1\nHost: test\n\n")
	if got := receive(t, bufio.NewReader(broken), "GET"); got.StatusCode != 400 {
		t.Errorf("a malformed request: status %d, want 400", got.StatusCode)
	}
}

// Somebody over the maximum who never speaks TLS holds up nobody.
func TestTLSCrowd(t *testing.T) {
	files := newPair(t)
	files.write(t, "one")
	addr := overTLS(t, files, Conns{Max: 1}, reply(200, ""))
	first, err := handshake(t, addr, &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		silent := dial(t, addr)
		if _, err := silent.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a connection over the maximum: %v, want it closed", err)
		}
	}
	send(t, first, get("/"))
	if got := receive(t, bufio.NewReader(first), "GET"); got.StatusCode != 200 {
		t.Errorf("the first connection: status %d", got.StatusCode)
	}
}
