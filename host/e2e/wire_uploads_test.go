package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestUploads sends an upload in parts by tus, over cut connections and kills of the
// server, to a guest that answers with what it is sent.
func TestUploads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir)
	s.deploy("echo", pack(t, enginetest.Echo(), "echo", "[limits]", `response_body = "64MiB"`, `deadline = "60s"`,
		"[[upload]]", `pattern = "POST /files"`, `request = "POST /files/done"`, `max = "50MiB"`))
	body := make([]byte, 48<<20)
	for i := range body {
		body[i] = byte(i * i >> 7)
	}
	if got := tus(t, "POST", s.public+"/echo/files", nil, "Upload-Length", fmt.Sprint(51<<20)); got.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("over the most: status %d", got.StatusCode)
	}
	if got := tus(t, "POST", s.public+"/echo/files/done", nil, "Upload-Length", "1"); got.StatusCode != http.StatusNotFound {
		t.Errorf("the request that gets what came: status %d", got.StatusCode)
	}
	got := tus(t, "POST", s.public+"/echo/files", nil, "Upload-Length", fmt.Sprint(len(body)))
	path := got.Header.Get("Location")
	if got.StatusCode != http.StatusCreated || !strings.HasPrefix(path, "/echo/files/") {
		t.Fatalf("status %d, %v", got.StatusCode, got.Header)
	}
	at := 0
	for i, end := range []string{"a cut", "a kill", "a cut", "a kill"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.public, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		part := body[at:min(at+9<<20, len(body))]
		if i == 1 { // more than is lost at most
			part = body[at:min(at+34<<20, len(body))]
		}
		if _, err := fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: %s\r\nTus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: %d\r\nContent-Length: %d\r\n\r\n%s",
			path, strings.TrimPrefix(s.public, "http://"), at, len(body)-at, part); err != nil {
			t.Fatal(err)
		}
		public := s.public
		if end == "a kill" {
			s.kill()
			s = serve(t, dir, "--public", strings.TrimPrefix(public, "http://")) // the upload is of its host
		}
		_ = conn.Close()
		next := offset(t, s.public+path)
		if next < at || next > at+len(part) {
			t.Fatalf("after %s: at %d, was at %d and %d more came", end, next, at, len(part))
		}
		at = next
	}
	if at == 0 {
		t.Error("nothing of what was sent is left")
	}
	last := tus(t, "PATCH", s.public+path, body[at:], "Upload-Offset", strconv.Itoa(at))
	answer, err := io.ReadAll(last.Body)
	if last.StatusCode != http.StatusOK || err != nil || sha256.Sum256(answer) != sha256.Sum256(body) {
		t.Errorf("the answer: status %d with %d bytes, %v", last.StatusCode, len(answer), err)
	}
	s.kill()
	s = serve(t, dir, "--public", strings.TrimPrefix(s.public, "http://"))
	if at := offset(t, s.public+path); at != len(body) {
		t.Errorf("when it is over: at %d", at)
	}
	if got := tus(t, "PATCH", s.public+path, nil, "Upload-Offset", fmt.Sprint(len(body))); got.StatusCode != http.StatusNoContent {
		t.Errorf("asked again: status %d", got.StatusCode)
	}
}

func offset(t *testing.T, url string) int {
	t.Helper()
	got := tus(t, "HEAD", url, nil)
	at, err := strconv.Atoi(got.Header.Get("Upload-Offset"))
	if got.StatusCode != http.StatusOK || err != nil {
		t.Fatalf("status %d, %v", got.StatusCode, got.Header)
	}
	return at
}

// tus sends a request as clients of that protocol do.
func tus(t *testing.T, method, url string, body []byte, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	if method == "PATCH" {
		req.Header.Set("Content-Type", "application/offset+octet-stream")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}
