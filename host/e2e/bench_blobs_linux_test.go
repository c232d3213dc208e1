package e2e

import (
	"errors"
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

// BenchmarkBlobs sends half a GiB, or two with -args -soak, up to a plugin and down again.
// Next to each upload it writes a file of that size to the same disk and has it last, and
// next to each download it has nginx, where that is installed, send one. It reports MB/s,
// the ratios, and by how much the server's memory grew.
func BenchmarkBlobs(b *testing.B) {
	size := int64(often(512<<20, 2<<30))
	dir := b.TempDir()
	s := serve(b, dir, "--max-body-disk", "8GiB")
	file := filepath.Join(b.TempDir(), "keeper.wasm")
	module := pack(b, goGuest(b, "testdata/blobguest"), "keeper", "[blobs]", `bytes = "3GiB"`, `reason = "large files"`,
		"[[route]]", `pattern = "PUT /{name}"`, `request_body = "3GiB"`, `deadline = "60s"`, "[[route]]", `pattern = "GET /{name}"`)
	if err := os.WriteFile(file, module, 0o600); err != nil {
		b.Fatal(err)
	}
	s.mustCLI("", "deploy", file, "--grant")
	static := ""
	if _, err := exec.LookPath("nginx"); err == nil {
		static = nginx(b, size)
	}
	before := peak(b, s)
	var disk, up, down, theirs time.Duration
	for b.Loop() {
		disk += toDisk(b, filepath.Join(dir, "large"), size)
		up += transferred(b, "PUT", s.public+"/keeper/large", io.LimitReader(&pseudo{}, size), size)
		down += transferred(b, "GET", s.public+"/keeper/large", nil, size)
		if static != "" {
			theirs += transferred(b, "GET", static, nil, size)
		}
	}
	rate := func(d time.Duration) float64 { return float64(b.N) * float64(size) / 1e6 / d.Seconds() }
	b.ReportMetric(rate(up), "up-MB/s")
	b.ReportMetric(rate(disk), "disk-MB/s")
	b.ReportMetric(disk.Seconds()/up.Seconds(), "up-of-disk")
	b.ReportMetric(rate(down), "down-MB/s")
	if static != "" {
		b.ReportMetric(rate(theirs), "nginx-MB/s")
		b.ReportMetric(theirs.Seconds()/down.Seconds(), "of-nginx")
	}
	b.ReportMetric(float64(peak(b, s)-before)/(1<<20), "MiB-grown")
}

// toDisk writes a file that outlives a crash of the machine, and returns how long it took.
func toDisk(b *testing.B, path string, size int64) time.Duration {
	b.Helper()
	start := time.Now()
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.CopyN(file, &pseudo{}, size); err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		b.Fatal(err)
	}
	took := time.Since(start)
	if err := os.Remove(path); err != nil {
		b.Fatal(err)
	}
	return took
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
