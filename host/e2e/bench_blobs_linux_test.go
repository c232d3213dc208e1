package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// BenchmarkBlobs sends half a GiB up to a plugin and down again, and next to each download
// has nginx, where it is installed, send a file of that size. It reports MB/s, their
// ratio, and by how much the server's memory grew.
func BenchmarkBlobs(b *testing.B) {
	const size = 512 << 20
	s := serve(b, b.TempDir(), "--max-body-disk", "2GiB")
	s.deploy("keeper", pack(b, goGuest(b, "testdata/blobguest"), "keeper", "[blobs]",
		"[[route]]", `pattern = "PUT /{name}"`, `request_body = "1GiB"`, `deadline = "60s"`, "[[route]]", `pattern = "GET /{name}"`))
	static := ""
	if _, err := exec.LookPath("nginx"); err == nil {
		static = nginx(b, size)
	}
	before := peak(b, s)
	var up, down, theirs time.Duration
	for b.Loop() {
		up += transferred(b, "PUT", s.public+"/keeper/large", io.LimitReader(&pseudo{}, size), size)
		down += transferred(b, "GET", s.public+"/keeper/large", nil, size)
		if static != "" {
			theirs += transferred(b, "GET", static, nil, size)
		}
	}
	rate := func(d time.Duration) float64 { return float64(b.N) * size / 1e6 / d.Seconds() }
	b.ReportMetric(rate(up), "up-MB/s")
	b.ReportMetric(rate(down), "down-MB/s")
	if static != "" {
		b.ReportMetric(rate(theirs), "nginx-MB/s")
		b.ReportMetric(theirs.Seconds()/down.Seconds(), "of-nginx")
	}
	b.ReportMetric(float64(peak(b, s)-before)/(1<<20), "MiB-grown")
}

// transferred sends a request of size bytes, or with an answer of as many, and returns how
// long it took.
func transferred(b *testing.B, method, url string, body io.Reader, size int64) time.Duration {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, url, body)
	if err != nil {
		b.Fatal(err)
	}
	if body != nil {
		req.ContentLength = size
	}
	start := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || body == nil && n != size {
		b.Fatalf("%s %s: status %d, %d bytes, %v", method, url, resp.StatusCode, n, err)
	}
	return time.Since(start)
}

// nginx serves a file of a size until the benchmark ends, and returns its URL.
func nginx(b *testing.B, size int64) string {
	b.Helper()
	dir := b.TempDir()
	file, err := os.Create(filepath.Join(dir, "large"))
	if err == nil {
		_, err = io.CopyN(file, &pseudo{}, size)
	}
	ln, lerr := net.Listen("tcp", "127.0.0.1:0")
	if err != nil || lerr != nil || file.Close() != nil || os.Chmod(dir, 0o755) != nil || ln.Close() != nil {
		b.Fatal(err, lerr)
	}
	conf := fmt.Sprintf("daemon off; pid %[1]s/pid; error_log %[1]s/log; worker_processes 1; events {} http { sendfile on; access_log off; server { listen %[2]s; root %[1]s; } }", dir, ln.Addr())
	if os.Geteuid() == 0 {
		conf = "user root; " + conf
	}
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(conf), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("nginx", "-p", dir, "-c", filepath.Join(dir, "conf"))
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT)
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
			_ = c.Close()
			return "http://" + ln.Addr().String() + "/large"
		}
		if time.Now().After(deadline) {
			b.Fatal("nginx does not listen")
		}
	}
}
