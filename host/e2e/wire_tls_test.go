package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// issue writes a certificate for the loopback address, and its key, into dir,
// and returns a pool that trusts it.
func issue(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool = x509.NewCertPool()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool.AppendCertsFromPEM(text)
	for name, data := range map[string][]byte{cert: text, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, pool
}

// TestTLS renews the certificate of a running server.
func TestTLS(t *testing.T) {
	t.Parallel()
	files := t.TempDir()
	cert, key, first := issue(t, files)
	s := serve(t, t.TempDir(), "--tls-cert", cert, "--tls-key", key, "--trusted-proxies", "127.0.0.0/8")
	if !strings.HasPrefix(s.public, "https://") {
		t.Fatalf("it serves at %s", s.public)
	}
	s.deploy("hello", pack(t, enginetest.Tiny(), "hello"))
	told, err := exec.Command(binary, "activate", "hello", "1", "--server", s.admin, "--token-file", filepath.Join(s.dir, "admin.token")).Output()
	if got, want := string(told), s.public+"/hello/\n"; err != nil || got != want {
		t.Errorf("the command tells that it answers at %q, %v, want %q", got, err, want)
	}
	ask := func(pool *x509.CertPool) error {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}
		req, err := http.NewRequestWithContext(context.Background(), "GET", s.public+"/hello/", nil)
		if err != nil {
			return err
		}
		req.Header.Set("X-Forwarded-For", "203.0.113.9")
		res, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 {
			t.Errorf("answered %d %q, %v", res.StatusCode, body, err)
		}
		return nil
	}
	if err := ask(first); err != nil {
		t.Fatal(err)
	}
	_, _, second := issue(t, files)
	for deadline := time.Now().Add(time.Minute); ; <-time.After(50 * time.Millisecond) {
		err := ask(second)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the new certificate is not served: %v", err)
		}
	}
	if err := ask(first); err == nil {
		t.Error("the old certificate is served too")
	}
	s.stop()
	if log := s.log.String(); !strings.Contains(log, "203.0.113.9") {
		t.Errorf("the log does not name the client:\n%s", log)
	}
}
