package e2e

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretsInLogs: whatever a plugin's code says of its secret, neither the log of the
// server, nor the plugin's, nor what the server remembers of requests has it.
func TestSecretsInLogs(t *testing.T) {
	t.Parallel()
	const key = `sk/live+ZvQxJkW"&=~`
	dir := t.TempDir()
	s := serve(t, dir, "--outbound-allow-networks", "127.0.0.1/32")
	module := pack(t, goGuest(t, "testdata/leakguest"), "leak", allowing("http://127.0.0.1:1"), "[config]\napi_key = { secret = true }")
	s.deploy("leak", module)
	s.mustCLI(key, "secret", "set", "leak", "api_key", "-")
	var shown strings.Builder
	for _, path := range []string{"/log", "/print", "/error", "/panic", "/call"} {
		got := s.get("/leak" + path)
		shown.WriteString(got.body)
		id := got.header.Get("X-Request-Id")
		out := s.mustCLI("", "logs", "leak", "--request", id, "--json")
		if !strings.Contains(out, "[redacted api_key]") {
			t.Errorf("%s: the plugin's log has %s", path, out)
		}
		shown.WriteString(out + s.mustCLI("", "trace", id) + s.mustCLI("", "trace", id, "--json"))
	}
	shown.WriteString(s.mustCLI("", "show", "leak") + s.mustCLI("", "show", "leak", "--json") + s.mustCLI("", "audit", "--json"))
	s.stop()
	shown.WriteString(s.log.String())
	err := filepath.WalkDir(filepath.Join(dir, "logs"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		shown.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{
		key, `sk/live+ZvQxJkW\"&=~`, `sk/live+ZvQxJkW\\\"&=~`, url.QueryEscape(key), url.PathEscape(key), "ZvQxJkW",
		base64.StdEncoding.EncodeToString([]byte(key)), base64.StdEncoding.EncodeToString([]byte("user:" + key))[8:20],
	} {
		if at := strings.Index(shown.String(), form); at >= 0 {
			t.Errorf("%q is shown: %q", form, shown.String()[max(at-200, 0):min(at+100, shown.Len())])
		}
	}
	if n := strings.Count(shown.String(), "[redacted api_key]"); n < 20 {
		t.Errorf("%d places are redacted", n)
	}
}
