package certificate

import (
	"crypto/tls"
	"crypto/x509"
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
	if _, err := Load(files.Cert, files.Key, nil); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("without files: %v, want code invalid", err)
	}
	files.Write(t, "one")
	var log strings.Builder
	c, err := Load(files.Cert, files.Key, slog.New(slog.NewTextHandler(&log, nil)))
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
	c, err := Load(files.Cert, files.Key, slog.New(slog.NewTextHandler(&log, nil)))
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
	if _, err := Load(files.Cert, files.Key, nil); err == nil || !strings.Contains(err.Error(), "passphrase") {
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
	c, err := Load(filepath.Join(current, "cert.pem"), filepath.Join(current, "key.pem"), nil)
	if err != nil {
		t.Fatal(err)
	}
	turn("two")
	if got := commonName(t, c.get(time.Now().Add(time.Hour))); got != "two" {
		t.Errorf("the certificate is of %q, want that of the new directory", got)
	}
}

// TestANewConnectionGetsTheNewCertificate: and one that is open lives on.
func TestANewConnectionGetsTheNewCertificate(t *testing.T) {
	files := servertest.NewPair(t)
	files.Write(t, "one")
	c, err := Load(files.Cert, files.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.every = 0
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := c.Listen(plain)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()
	dial := func() *tls.Conn {
		t.Helper()
		conn := tls.Client(servertest.Dial(t, plain.Addr().String()), &tls.Config{InsecureSkipVerify: true}) // the test looks itself
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	first := dial()
	files.Write(t, "two is longer")
	if got := dial().ConnectionState().PeerCertificates[0].Subject.CommonName; got != "two is longer" {
		t.Errorf("a new connection gets the certificate of %q", got)
	}
	servertest.Send(t, first, "hello")
	if got, err := io.ReadAll(io.LimitReader(first, 5)); string(got) != "hello" || err != nil {
		t.Errorf("the first connection then says %q, %v", got, err)
	}
}
