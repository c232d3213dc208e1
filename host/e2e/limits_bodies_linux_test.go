package e2e

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestBodiesOfAnySize: a body of 256 MiB goes up to a plugin, as a blob, and down again, and
// the server's memory grows by no part of it that grows with it.
func TestBodiesOfAnySize(t *testing.T) {
	const size, growth = 256 << 20, 64 << 20
	s := serve(t, t.TempDir(), "--max-body-disk", "1GiB")
	s.deploy("keeper", pack(t, goGuest(t, "testdata/blobguest"), "keeper", "[blobs]",
		"[[route]]", `pattern = "PUT /{name}"`, `request_body = "1GiB"`, `deadline = "60s"`, "[[route]]", `pattern = "GET /{name}"`))
	if got := s.do("PUT", "/keeper/warm", strings.Repeat("a", 2<<20)); got.status != http.StatusOK {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	if got := s.get("/keeper/warm"); got.status != http.StatusOK || len(got.body) != 2<<20 {
		t.Fatalf("status %d with %d bytes", got.status, len(got.body))
	}
	before := peak(t, s)
	sum := sha256.New()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", s.public+"/keeper/large", io.TeeReader(io.LimitReader(&pseudo{}, size), sum))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = size
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("up: status %d: %s", resp.StatusCode, text)
	}
	resp, err = http.Get(s.public + "/keeper/large")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	back := sha256.New()
	n, err := io.Copy(back, resp.Body)
	if n != size || err != nil || string(back.Sum(nil)) != string(sum.Sum(nil)) || resp.Header.Get("ETag") != fmt.Sprintf(`"%x"`, sum.Sum(nil)) {
		t.Errorf("down: %d bytes, %v, with the tag %s, want that of %x", n, err, resp.Header.Get("ETag"), sum.Sum(nil))
	}
	if grown := peak(t, s) - before; grown > growth {
		t.Errorf("the memory grew by %d KiB, at most %d are allowed", grown>>10, growth>>10)
	} else {
		t.Logf("the memory grew by %d KiB", grown>>10)
	}
}

// pseudo is bytes that do not repeat soon.
type pseudo struct{ state uint64 }

func (p *pseudo) Read(b []byte) (int, error) {
	for i := range b {
		p.state = p.state*6364136223846793005 + 1442695040888963407
		b[i] = byte(p.state >> 56)
	}
	return len(b), nil
}

// peak is the most memory that the server has had, in bytes.
func peak(t testing.TB, s *server) int {
	t.Helper()
	return number(readLines(t, fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid)), "VmHWM:") << 10
}
