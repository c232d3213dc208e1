package e2e

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// stalling reads until it has seen a text, and then not before it is released.
type stalling struct {
	io.ReadCloser
	until    string
	seen     bool
	released chan struct{}
}

func (s *stalling) Read(b []byte) (int, error) {
	if s.seen {
		<-s.released
	}
	n, err := s.ReadCloser.Read(b[:min(len(b), 256)])
	s.seen = s.seen || strings.Contains(string(b[:n]), s.until)
	return n, err
}

// TestAStalledLog: while nobody reads the log, everything is answered; once somebody
// does, the log says how much it has lost.
func TestAStalledLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(binary, "serve", "--data", dir, "--public", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	s := &server{t: t, dir: dir, cmd: cmd, log: &output{}, exited: make(chan struct{})}
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := endsWithTest(cmd).Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	stderr := &stalling{ReadCloser: pipe, until: "deploy DIR", released: make(chan struct{})}
	ready := make(chan struct{})
	go s.watch(bufio.NewReader(stderr), ready)
	if err := s.await(ready); err != nil {
		t.Fatal(err)
	}
	path := "/" + strings.Repeat("x", 7000)
	for range 1000 { // 7 MB of log
		if a := s.get(path); a.status != 404 {
			t.Fatalf("with a stalled log: %v", a)
		}
	}
	if a, err := send(t.Context(), "GET", s.admin+"/livez", "", nil); err != nil || a.status != 200 {
		t.Fatalf("/livez of the admin API with a stalled log: %v, %v", a, err)
	}
	close(stderr.released)
	const told = "log lines were dropped"
	if until(t.Context(), func() bool { return strings.Contains(s.log.String(), told) }) != nil {
		t.Errorf("the log does not say what it has lost:\n%.2000s", s.log)
	}
	start := time.Now()
	s.stop()
	t.Logf("stopped in %s", time.Since(start))
}
