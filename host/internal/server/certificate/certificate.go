// Package certificate is the certificate of a listener, read from files again when
// they are replaced. Packages host and server/public import it.
package certificate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Certificate is a certificate from files, which may be replaced while it is in
// use: handshakes get the new one within a second. Methods are safe for
// concurrent use.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	every             time.Duration // between two looks at the files

	mu      sync.Mutex
	current *tls.Certificate
	files   [2]os.FileInfo // what current was made of; nil = not there
	looked  time.Time
	failure string // what was logged last, "" after a success
}

// maxFile is what a file of a certificate or a key may have, in bytes.
const maxFile = 1 << 20

// isSame reports whether a file is the one it was, with what it held: another
// one in its place may have its time and size, as where a link now leads to
// another directory in which all files have one time.
func isSame(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// Load reads a certificate, with the chain after it, and its key, in
// PEM. log, which is told of every reload, may be nil. The error is Invalid and
// names the files.
func Load(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log, every: time.Second}
	if err := c.load(); err != nil {
		return nil, err
	}
	c.looked = time.Now()
	return c, nil
}

// Use takes the certificate from other files from now on. The error is Invalid; then
// the one before stays.
func (c *Certificate) Use(certFile, keyFile string) error {
	next, err := Load(certFile, keyFile, c.log)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.certFile, c.keyFile, c.current, c.files = next.certFile, next.keyFile, next.current, next.files
	return nil
}

// Listen returns a listener that speaks TLS with the certificate on ln. Only
// HTTP/1.1 is spoken.
func (c *Certificate) Listen(ln net.Listener) net.Listener {
	return tls.NewListener(ln, &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.get(time.Now()), nil
		},
	})
}

// get returns the certificate, after looking whether the files have changed.
// What cannot be read leaves the one in use, and is tried again: the two files
// are not replaced at the same moment.
func (c *Certificate) get(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.looked) < c.every {
		return c.current
	}
	c.looked = now
	if found := c.state(); isSame(found[0], c.files[0]) && isSame(found[1], c.files[1]) {
		return c.current
	}
	switch err := c.load(); {
	case err == nil:
		c.log.Info("the certificate has been reloaded", "file", c.certFile)
		c.failure = ""
	case err.Error() != c.failure:
		c.log.Error("the certificate cannot be reloaded; the one before stays in use", "file", c.certFile, "error", err)
		c.failure = err.Error()
	}
	return c.current
}

// load reads the files. Their state is taken before, so that what changes
// meanwhile is seen as a change.
func (c *Certificate) load() error {
	state := c.state()
	pair, key, err := c.read()
	if err != nil && bytes.Contains(key, []byte("ENCRYPTED")) {
		err = errors.New("the key is encrypted, and nobody is there to type its passphrase; write it without: openssl pkey -in KEY -out NEWKEY")
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, "load certificate", fmt.Sprintf(
			"cannot use the certificate %q with the key %q", c.certFile, c.keyFile), err)
	}
	c.current, c.files = &pair, state
	c.tellTime(pair.Leaf, time.Now())
	return nil
}

// tellTime warns of a certificate that clients refuse now. It is used all the
// same: one that is renewed late is better than none.
func (c *Certificate) tellTime(leaf *x509.Certificate, now time.Time) {
	switch {
	case now.After(leaf.NotAfter):
		c.log.Warn("the certificate has expired; clients refuse it until its files are replaced", "file", c.certFile, "expired", leaf.NotAfter)
	case now.Before(leaf.NotBefore):
		c.log.Warn("the certificate is not valid yet; clients refuse it until then", "file", c.certFile, "from", leaf.NotBefore)
	}
}

// read reads the files, of which none may be a pipe: a handshake waits for them.
func (c *Certificate) read() (pair tls.Certificate, key []byte, err error) {
	cert, err := durable.ReadRegular(c.certFile, maxFile)
	if err != nil {
		return pair, nil, err
	}
	if key, err = durable.ReadRegular(c.keyFile, maxFile); err != nil {
		return pair, nil, err
	}
	pair, err = tls.X509KeyPair(cert, key)
	return pair, key, err
}

func (c *Certificate) state() (files [2]os.FileInfo) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			files[i] = info
		}
	}
	return files
}
