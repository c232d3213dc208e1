//go:build unix

package certificate

import (
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// A handshake that waited for a pipe would hold all others.
func TestAPipeIsNoCertificate(t *testing.T) {
	for _, what := range []string{"cert", "key"} {
		files := servertest.NewPair(t)
		files.Write(t, "one")
		var log strings.Builder
		c, err := Load(files.Cert, files.Key, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		name := map[string]string{"cert": files.Cert, "key": files.Key}[what]
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := commonName(t, c.get(time.Now().Add(time.Hour))); got != "one" || !strings.Contains(log.String(), "regular file") {
			t.Errorf("%s: the certificate is of %q, and the log says %s", what, got, &log)
		}
		if err := c.Use(files.Cert, files.Key); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: a reload: %v", what, err)
		}
	}
}
