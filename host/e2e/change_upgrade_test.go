package e2e

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// TestUpgrade opens the data folder that every former format left
// (testdata/upgrade/README.md): it is whole, serves the same, says the same of
// itself, and goes back and forth between its versions.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for format := 1; format < badger.Format; format++ {
		if _, err := os.Stat(fmt.Sprintf("testdata/upgrade/format%d.tar.gz", format)); err != nil {
			t.Errorf("no data folder of a former format is kept: %v", err)
		}
	}
	archives, err := filepath.Glob("testdata/upgrade/*.tar.gz")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, archive := range archives {
		name := strings.TrimSuffix(archive, ".tar.gz")
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			upgraded(t, name)
		})
	}
}

func upgraded(t *testing.T, name string) {
	dir := t.TempDir()
	unpack(t, name+".tar.gz", dir)
	wantClean(t, dir)
	s := serve(t, dir)
	s.saysWhat(t, name+".json")
	s.wants(t, map[string]string{
		"GET /notes/":         "notes 2: moin",
		"GET /notes/plain":    "stays",
		"GET /notes/long":     "for a hundred years",
		"GET /notes/twice":    "last",
		"GET /notes/operator": "by the operator",
		"GET /count/":         "4",
	})
	s.wantsStatus(t, http.StatusNotFound, "/notes/short", "/notes/removed", "/gone/", "/purged/")
	s.repeatsAsk(t)

	s.mustCLI("", "rollback", "notes")
	s.wants(t, map[string]string{"GET /notes/": "notes 1: moin", "GET /notes/plain": "stays", "GET /count/": "5"})
	s.mustCLI("", "activate", "notes", "2")
	s.wants(t, map[string]string{"GET /notes/": "notes 2: moin", "PUT /notes/new": "", "GET /count/": "6"})
	s.returns(t, dir)
	s.stop()

	wantClean(t, dir)
	s = serve(t, dir)
	s.wants(t, map[string]string{"GET /notes/": "notes 2: moin", "GET /notes/new": "new", "GET /count/": "7", "GET /gone/plain": "kept"})
}

// unpack extracts an archive of folders and files.
func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for entries := tar.NewReader(zipped); ; {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		unpackEntry(t, filepath.Join(dir, filepath.FromSlash(entry.Name)), entry, entries)
	}
}

func unpackEntry(t *testing.T, to string, entry *tar.Header, content io.Reader) {
	t.Helper()
	if entry.Typeflag == tar.TypeDir {
		if err := os.MkdirAll(to, 0o700); err != nil {
			t.Fatal(err)
		}
		return
	}
	data, err := io.ReadAll(content)
	if err := errors.Join(err, os.WriteFile(to, data, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// wantClean verifies a data folder that no server has open.
func wantClean(t *testing.T, dir string) {
	t.Helper()
	if stdout, stderr, code := (&server{t: t}).cli("verify", "--data", dir); code != 0 {
		t.Errorf("wasmoor verify: exit code %d\n%s%s", code, stdout, stderr)
	}
}

// saysWhat wants from the command line all that the former version said: it may
// say more.
func (s *server) saysWhat(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var said map[string]any
	if err := json.Unmarshal(data, &said); err != nil {
		t.Fatal(err)
	}
	for command, want := range said {
		var got any
		out := s.mustCLI("", append(strings.Fields(command), "--json")...)
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		if where := lacks(got, want, command); where != "" {
			t.Errorf("%s\n%s", where, out)
		}
	}
}

// lacks says where got has not all that want has; "" = it has.
func lacks(got, want any, at string) string {
	switch want := want.(type) {
	case map[string]any:
		got, _ := got.(map[string]any)
		for key, w := range want {
			if where := lacks(got[key], w, at+"."+key); where != "" {
				return where
			}
		}
		return ""
	case []any:
		got, _ := got.([]any)
		if len(got) != len(want) {
			return fmt.Sprintf("%s: got %d, want %d", at, len(got), len(want))
		}
		for i, w := range want {
			if where := lacks(got[i], w, fmt.Sprintf("%s[%d]", at, i)); where != "" {
				return where
			}
		}
		return ""
	}
	if list, ok := got.([]any); ok && len(list) == 1 { // mounts were text
		got = list[0]
	}
	if got != want {
		return fmt.Sprintf("%s: got %v, want %v", at, got, want)
	}
	return ""
}

// wants sends requests whose body is the last element of their path.
func (s *server) wants(t *testing.T, answers map[string]string) {
	t.Helper()
	for request, want := range answers {
		method, path, _ := strings.Cut(request, " ")
		if a := s.do(method, path, filepath.Base(path)); a.status >= 300 || a.body != want {
			t.Errorf("%s: got %v, want %q", request, a, want)
		}
	}
}

func (s *server) wantsStatus(t *testing.T, status int, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if a := s.get(path); a.status != status {
			t.Errorf("%s: got %v, want %d", path, a, status)
		}
	}
}

// repeatsAsk repeats a request of the former version under its key. Its answer is
// kept for a week, after which the request runs: two ran before.
func (s *server) repeatsAsk(t *testing.T) {
	t.Helper()
	var events []struct{ Time time.Time }
	if err := json.Unmarshal([]byte(s.mustCLI("", "audit", "--json")), &events); err != nil {
		t.Fatal(err)
	}
	want := map[bool]string{true: "1", false: "3"}[time.Since(events[0].Time) < 7*24*time.Hour]
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.public+"/notes/count", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Idempotency-Key", "one")
	if a, err := roundTrip(req); err != nil || a.status != 200 || a.body != want {
		t.Errorf("a repeat of %v: got %v, %v, want %q", events[0].Time, a, err, want)
	}
}

// returns deploys what was deleted, whose data comes back, and what was purged,
// whose data does not.
func (s *server) returns(t *testing.T, dir string) {
	t.Helper()
	var versions []struct{ Digest string }
	if err := json.Unmarshal([]byte(s.mustCLI("", "versions", "gone", "--json")), &versions); err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(dir, "modules", strings.TrimPrefix(versions[0].Digest, "sha256:")+".wasm")
	for _, name := range []string{"gone", "purged"} {
		s.mustCLI("", "deploy", module, "--name", name)
	}
	s.wants(t, map[string]string{"GET /gone/plain": "kept"})
	s.wantsStatus(t, http.StatusNotFound, "/purged/plain")
}
