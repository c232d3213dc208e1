package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestLargeBodies sends bodies that do not fit into the memory for them to a
// guest that answers with them, and kills the server within one.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir, "--max-body-memory", "2MiB", "--max-body-disk", "28MiB") // of which one plugin has three quarters
	s.deploy("echo", pack(t, enginetest.Echo(), "echo", "[limits]", `request_body = "32MiB"`, `response_body = "32MiB"`, `deadline = "60s"`))
	body := bytes.Repeat([]byte("0123456789abcde\n"), 20<<20/16)
	for range 2 { // the disk of the first is given back
		if status, answer := post(t, s.public+"/echo/", body); status != http.StatusOK || !bytes.Equal(answer, body) {
			t.Fatalf("20 MiB: status %d with %d bytes", status, len(answer))
		}
	}
	if status, answer := post(t, s.public+"/echo/", append(body, make([]byte, 5<<20)...)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("over the disk for all bodies: status %d: %.200s", status, answer)
	}

	conn, err := net.Dial("tcp", strings.TrimPrefix(s.public, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST /echo/ HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:16<<20]); err != nil {
		t.Fatal(err)
	}
	s.kill()
	spool := filepath.Join(dir, "spool")
	if err := os.WriteFile(filepath.Join(spool, "body-1"), []byte("left where open files keep their names"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = serve(t, dir)
	if entries, err := os.ReadDir(spool); err != nil || len(entries) > 0 {
		t.Errorf("after a kill and a start: %v, %v", entries, err)
	}
	if status, answer := post(t, s.public+"/echo/", body); status != http.StatusOK || !bytes.Equal(answer, body) {
		t.Errorf("after a kill and a start: status %d with %d bytes", status, len(answer))
	}
}

func post(t *testing.T, url string, body []byte) (status int, answer []byte) {
	t.Helper()
	// Of unknown length, so that it is sent in chunks.
	resp, err := http.Post(url, "application/octet-stream", io.MultiReader(bytes.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}
