//go:build asguest

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// These tests build AssemblyScript with npm, which loads the pinned compiler from
// the registry. The example has no library of this project: it was written from
// abi/SPEC.md alone.

const counterAS = "../../examples/counter-as"

// projectAS is examples/counter-as as a clone has it, in a folder of the test's own.
func projectAS(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "counter-as")
	for _, name := range []string{
		"package.json", "package-lock.json", "wasmoor.toml", "assembly/index.ts", "assembly/wasmoor.ts", "assembly/abi.ts", "assembly/tsconfig.json",
	} {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(filepath.Join(counterAS, name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o755)
		}
		if err == nil {
			err = os.WriteFile(path, data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestASCounter builds and deploys the example as its author would, and uses it.
func TestASCounter(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	s.mustCLI("", "deploy", projectAS(t))
	for name, test := range map[string]func(*testing.T, *server){
		"answers": answersAS, "additions do not conflict": raceAS, "a note ends": noteEndsAS,
		"large note": largeNoteAS, "pattern in the log": patternAS, "a list of two pages": pagesAS,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
	s.neutral(t, requests(), "GET", "/counter-as/nobody-was-here", "")
}

// answersAS sends requests in turn and looks at each whole answer.
func answersAS(t *testing.T, s *server) {
	long := strings.Repeat("n", 64)
	for _, step := range []struct {
		method, path, body string
		status             int
		want               string
		header, value      string
	}{
		{"GET", "/home", "", 404, "no such page\n", "", ""},
		{"POST", "/home", "", 204, "", "", ""},
		{"POST", "/home", "", 204, "", "", ""},
		{"GET", "/home", "", 200, "2\n", "Content-Type", "text/plain; charset=utf-8"},
		{"HEAD", "/home", "", 200, "", "Content-Length", "2"},
		{"HEAD", "/", "", 200, "", "Content-Type", "application/json"},
		{"POST", "/" + long, "", 204, "", "", ""},
		{"POST", "/" + long + "n", "", 404, "no such page\n", "", ""},
		{"POST", "/a.b", "", 404, "no such page\n", "", ""},
		{"POST", "/%C3%A9", "", 404, "no such page\n", "", ""},
		{"GET", "/?after=zzz", "", 200, "{\"pages\":{}}\n", "Content-Type", "application/json"},
		{"GET", "/?after=a/b", "", 400, "after must be the next of the page before\n", "", ""},
		{"GET", "/home/note", "", 404, "no such note\n", "", ""},
		{"PUT", "/home/note?ttl=600", "any \x00\xff bytes", 204, "", "", ""},
		{"GET", "/home/note", "", 200, "any \x00\xff bytes", "X-Content-Type-Options", "nosniff"},
		{"PUT", "/home/note", "", 204, "", "", ""},
		{"GET", "/home/note", "", 200, "", "", ""},
		{"PUT", "/home/note?ttl=0", "x", 400, "ttl must be whole seconds, from 1 to 366 days\n", "", ""},
		{"PUT", "/home/note?ttl=99999999", "x", 400, "ttl must be whole seconds, from 1 to 366 days\n", "", ""},
		{"PUT", "/home/note?ttl=-1", "x", 400, "ttl must be whole seconds, from 1 to 366 days\n", "", ""},
		{"PUT", "/home/note", strings.Repeat("x", 16<<10+1), 413, "the note is too large\n", "", ""},
		{"GET", "/home/other", "", 404, "no such page\n", "", ""},
		{"GET", "/home/note/", "", 404, "no such page\n", "", ""},
		{"POST", "/", "", 405, "method not allowed\n", "Allow", "GET, HEAD"},
		{"DELETE", "/home", "", 405, "method not allowed\n", "Allow", "GET, HEAD, POST"},
		{"POST", "/home/note", "", 405, "method not allowed\n", "Allow", "GET, HEAD, PUT"},
		{"GET", "/home", "", 200, "2\n", "", ""},
	} {
		a := s.do(step.method, "/counter-as"+step.path, step.body)
		if a.status != step.status || a.body != step.want {
			t.Errorf("%s %s: got %v, want %d %q", step.method, step.path, a, step.status, step.want)
		}
		if step.header != "" && a.header.Get(step.header) != step.value {
			t.Errorf("%s %s: %s is %q, want %q", step.method, step.path, step.header, a.header.Get(step.header), step.value)
		}
	}
}

// raceAS: views at a time are all counted.
func raceAS(t *testing.T, s *server) {
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if a, err := s.try(context.Background(), "POST", "/counter-as/race", ""); err != nil || a.status != 204 {
				t.Errorf("got %v, %v", a, err)
			}
		})
	}
	wg.Wait()
	if a := s.get("/counter-as/race"); a.body != "32\n" {
		t.Errorf("got %v, want 32", a)
	}
}

// noteEndsAS: the time to live reaches the host in its unit.
func noteEndsAS(t *testing.T, s *server) {
	s.do("PUT", "/counter-as/short/note?ttl=1", "soon gone")
	s.do("PUT", "/counter-as/long/note?ttl=600", "here")
	eventuallyAS(t, "the note is gone", func() bool { return s.get("/counter-as/short/note").status == 404 })
	if a := s.get("/counter-as/long/note"); a.body != "here" {
		t.Errorf("the other note: %v", a)
	}
}

// largeNoteAS: what exceeds the guest's first buffer is read by a second call.
func largeNoteAS(t *testing.T, s *server) {
	for _, size := range []int{4095, 4096, 4097, 16 << 10} {
		note := strings.Repeat("n", size-1) + "."
		s.do("PUT", "/counter-as/large/note", note)
		if a := s.get("/counter-as/large/note"); a.status != 200 || a.body != note {
			t.Errorf("%d bytes: got %d with %d bytes", size, a.status, len(a.body))
		}
	}
	long := "/counter-as/large/note?" + strings.Repeat("q", 6000)
	if a := s.get(long); a.status != 200 {
		t.Errorf("a request head of more than 4096 bytes: %v", a)
	}
}

// patternAS: the guest's router tells the log what matched.
func patternAS(t *testing.T, s *server) {
	s.do("PUT", "/counter-as/logged/note", "x")
	eventuallyAS(t, "the log has the pattern", func() bool {
		return strings.Contains(s.log.String(), "PUT /{page}/note")
	})
}

// pagesAS lists more pages than one answer holds.
func pagesAS(t *testing.T, s *server) {
	for i := range 102 {
		s.do("POST", "/counter-as/zz-"+strings.Repeat("p", 50)+string(rune('A'+i/26))+string(rune('a'+i%26)), "")
	}
	first := s.get("/counter-as/?after=zz")
	last := "zz-" + strings.Repeat("p", 50) + "Dv" // the 100th
	if n := strings.Count(first.body, `":1`); n != 100 || !strings.HasSuffix(first.body, `},"next":"`+last+"\"}\n") {
		t.Errorf("the first page has %d entries: %v", n, first)
	}
	want := strings.ReplaceAll("{\"pages\":{\"PDw\":1,\"PDx\":1}}\n", "P", "zz-"+strings.Repeat("p", 50))
	if second := s.get("/counter-as/?after=" + last); second.body != want {
		t.Errorf("the second page: got %v, want %q", second, want)
	}
}

// eventuallyAS waits for what comes without an event to wait for.
func eventuallyAS(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute it is not so that %s", what)
		}
	}
}

// replaceAS puts sources of testdata into a project.
func replaceAS(t *testing.T, dir, from string, names ...string) {
	t.Helper()
	for _, name := range names {
		source, err := os.ReadFile(filepath.Join("testdata", from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "assembly", name), source, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestASFrozen has a guest in AssemblyScript draw a token at its top level.
func TestASFrozen(t *testing.T) {
	t.Parallel()
	dir := projectAS(t)
	replaceAS(t, dir, "frozen/as", "index.ts")
	s := serve(t, t.TempDir(), "--log-level", "error")
	s.differs(t, dir, "counter-as", 100, "random bytes")
}

// TestASScripts has a guest in AssemblyScript make the calls of the scripts.
func TestASScripts(t *testing.T) {
	t.Parallel()
	dir := projectAS(t)
	replaceAS(t, dir, "scripts-as", "index.ts", "calls.ts")
	text, err := os.ReadFile(filepath.Join(dir, manifest.FileName))
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Parse(text, manifest.FileName, capabilities.Sections())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", m.Build.Command)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	module, err := os.ReadFile(filepath.Join(dir, m.Build.Output))
	if err != nil {
		t.Fatal(err)
	}
	runGuestScripts(t, module)
}
