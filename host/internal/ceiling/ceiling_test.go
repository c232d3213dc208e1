package ceiling

import (
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// Limits that the server's own do not leave room for are told, with both keys.
func TestCapsExceeded(t *testing.T) {
	const head = "manifest_version = 1\nname = \"a\"\n"
	caps := Caps{Memory: 64 << 20, BodyDisk: 20 << 20, DrainTimeout: 10 * time.Second}
	for text, want := range map[string][]string{
		"": nil,
		"[limits]\nmemory = \"64MiB\"\nrequest_body = \"15MiB\"\ndeadline = \"10s\"\n": nil,
		"[limits]\nmemory = \"128MiB\"\n":                                              {"limits.memory is 128MiB", "64MiB here (max_guest_memory)"},
		"[limits]\nrequest_body = \"17MiB\"\n":                                         {"request_body is 17MiB", "15MiB of disk here (three quarters of max_body_disk)"},
		"[[route]]\npattern = \"/\"\nrequest_body = \"64MiB\"\ndeadline = \"30s\"\n":   {"request_body is 64MiB", "deadline is 30s", "10s", "(drain_timeout)"},
	} {
		m, err := manifest.Parse([]byte(head+text), "f.toml", nil)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(caps.Exceeded(m), "\n")
		if (got == "") != (want == nil) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%q: got %q, want %q in it", text, got, part)
			}
		}
		if got := (Caps{}).Exceeded(m); got != nil {
			t.Errorf("%q: without caps: %q", text, got)
		}
	}
}
