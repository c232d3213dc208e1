package public

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

func openBlobs(t *testing.T) *blob.Store {
	t.Helper()
	s, err := blob.OpenStore(blob.Config{Dir: filepath.Join(t.TempDir(), "blobs")})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answering answers with a blob of some text. held reports whether it is held: a sweep
// leaves it then.
func answering(t *testing.T, text string, status int, headers ...abi.Pair) (handle func(*invoke.Invocation) (dispatch.Result, error), held func() bool) {
	t.Helper()
	s := openBlobs(t)
	handle = func(inv *invoke.Invocation) (dispatch.Result, error) {
		kept, err := s.Put(t.Context(), blob.Account{}, strings.NewReader(text), int64(len(text)))
		if err != nil {
			return dispatch.Result{}, err
		}
		inv.Reply.Status, inv.Reply.Headers = status, append(inv.Reply.Headers, headers...)
		inv.Reply.Blob = &blob.Answer{Held: kept, Type: "text/plain", Disposition: `attachment; filename="a.txt"`, Created: 1_900_000_000_500}
		return dispatch.Result{Attempts: 1, Outcome: trace.Committed}, nil
	}
	none := func(func(blob.Digest, error) bool) {}
	return handle, func() bool {
		swept, err := s.Sweep(t.Context(), none, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return swept.Blobs > 0
	}
}

func TestBlob(t *testing.T) {
	text := strings.Repeat("0123456789", 10_000)
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(text)))
	const at = "Sun, 17 Mar 2030 17:46:40 GMT"
	whole := map[string]string{
		"Content-Type": "text/plain", "ETag": tag, "Last-Modified": at, "Accept-Ranges": "bytes",
		"Content-Disposition": `attachment; filename="a.txt"`, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox", "Content-Length": "100000",
	}
	handle, held := answering(t, text, 200)
	addr := publicFor(t, handle)
	for name, c := range map[string]struct {
		method string
		send   []string
		status int
		text   string
		header map[string]string
	}{
		"whole":           {"GET", nil, 200, text, whole},
		"head":            {"HEAD", []string{"Range: bytes=0-1"}, 200, "", whole},
		"of a POST":       {"POST", []string{"Range: bytes=0-1", "If-None-Match: " + tag, "Content-Length: 0"}, 200, text, map[string]string{"ETag": "", "Content-Type": "text/plain"}},
		"has it":          {"GET", []string{"If-None-Match: " + tag}, 304, "", map[string]string{"ETag": tag, "Content-Type": "", "Content-Disposition": "", "Content-Length": ""}},
		"part":            {"GET", []string{"Range: bytes=5-9"}, 206, "56789", map[string]string{"Content-Range": "bytes 5-9/100000", "Content-Length": "5", "ETag": tag}},
		"not there":       {"GET", []string{"Range: bytes=100000-"}, 416, "", map[string]string{"Content-Range": "bytes */100000", "Content-Type": "application/problem+json"}},
		"not as expected": {"GET", []string{`If-Match: "other"`}, 412, "", map[string]string{"Content-Type": "application/problem+json"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := servertest.RoundTrip(t, addr, servertest.Request(c.method, "/", "", c.send...))
			if got.StatusCode != c.status || c.status < 400 && got.Text != c.text {
				t.Errorf("status %d: %.80q", got.StatusCode, got.Text)
			}
			for name, want := range c.header {
				if value := got.Header.Get(name); value != want {
					t.Errorf("%s: %q, want %q", name, value, want)
				}
			}
			if c.status >= 400 {
				servertest.CheckProblem(t, got)
			}
			waitFor(t, "the hold to end", func() bool { return !held() })
		})
	}
	got := servertest.RoundTrip(t, addr, servertest.Request("GET", "/", "", "Range: bytes=0-1,-1"))
	if !strings.HasPrefix(got.Header.Get("Content-Type"), "multipart/byteranges; boundary=") || strings.Count(got.Text, "\r\nContent-Range: bytes ") != 2 {
		t.Errorf("several parts: %d %v: %q", got.StatusCode, got.Header, got.Text)
	}
}

// TestBlobOfTheGuest: what the guest says wins, and its status is the answer's.
func TestBlobOfTheGuest(t *testing.T) {
	handle, _ := answering(t, "text", 200, abi.Pair{Name: "content-type", Value: "image/png"}, abi.Pair{Name: "etag", Value: `W/"own"`}, abi.Pair{Name: "last-modified", Value: "Tue, 01 Jan 2030 00:00:00 GMT"}, abi.Pair{Name: "x-content-type-options", Value: "none"}, abi.Pair{Name: "content-security-policy", Value: "default-src 'none'"})
	addr := publicFor(t, handle)
	got := servertest.RoundTrip(t, addr, servertest.Get("/"))
	for name, want := range map[string]string{"Content-Type": "image/png", "ETag": `W/"own"`, "Last-Modified": "Tue, 01 Jan 2030 00:00:00 GMT", "X-Content-Type-Options": "none", "Content-Security-Policy": "default-src 'none'"} {
		if values := got.Header.Values(name); len(values) != 1 || values[0] != want {
			t.Errorf("%s: %q, want %q", name, values, want)
		}
	}
	if got := servertest.RoundTrip(t, addr, servertest.Request("GET", "/", "", `If-None-Match: "own"`)); got.StatusCode != 304 {
		t.Errorf("its own tag: status %d", got.StatusCode)
	}
	handle, held := answering(t, "gone", 404)
	addr = publicFor(t, handle)
	if got := servertest.RoundTrip(t, addr, servertest.Request("GET", "/", "", "Range: bytes=0-1", "If-None-Match: *")); got.StatusCode != 404 || got.Text != "gone" || got.Header.Get("Accept-Ranges") != "" {
		t.Errorf("another status: %d %v: %q", got.StatusCode, got.Header, got.Text)
	}
	waitFor(t, "the hold to end", func() bool { return !held() })
	handle, held = answering(t, "none", 204)
	if got := servertest.RoundTrip(t, publicFor(t, handle), servertest.Get("/")); got.StatusCode != 204 {
		t.Errorf("a status without a body: %d", got.StatusCode)
	}
	waitFor(t, "the hold to end", func() bool { return !held() })
}

// TestBlobWhoseClientLeaves: a blob is held while it is sent, and no longer.
func TestBlobWhoseClientLeaves(t *testing.T) {
	handle, held := answering(t, strings.Repeat("0", 64<<20), 200)
	c := servertest.Dial(t, publicFor(t, handle))
	servertest.Send(t, c, servertest.Get("/"))
	if _, err := io.ReadFull(c, make([]byte, 1<<20)); err != nil || !held() {
		t.Errorf("while it is sent: held %v, %v", held(), err)
	}
	_ = c.Close()
	waitFor(t, "the hold to end", func() bool { return !held() })
}

// TestBlobThatIsNotSent: a failure after the handler gives the blob up.
func TestBlobThatIsNotSent(t *testing.T) {
	answer, held := answering(t, "text", 200)
	addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
		if _, err := answer(inv); err != nil {
			return dispatch.Result{}, err
		}
		panic("a bug in the host")
	})
	if got := servertest.RoundTrip(t, addr, servertest.Get("/")); got.StatusCode != 500 {
		t.Errorf("status %d", got.StatusCode)
	}
	waitFor(t, "the hold to end", func() bool { return !held() })
}

// TestLargeBlob sends a blob of many parts, on a connection that goes on after it.
func TestLargeBlob(t *testing.T) {
	text := pattern(5<<20 + 4321)
	handle, _ := answering(t, text, 200)
	var asked atomic.Int64
	addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
		asked.Add(1)
		return handle(inv)
	})
	c := servertest.Dial(t, addr)
	r := bufio.NewReader(c)
	for range 3 {
		servertest.Send(t, c, servertest.Get("/"))
		if got := servertest.Receive(t, r, "GET"); got.Text != text {
			t.Fatalf("status %d, %d bytes", got.StatusCode, len(got.Text))
		}
	}
	if asked.Load() != 3 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}
