package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// follower is a running `wasmoor logs --follow --json`.
type follower struct {
	cmd *exec.Cmd

	mu    sync.Mutex
	lines []adminapi.LogLine
	notes []string
}

// follow starts a follower of a plugin, which is ended with the test.
func (s *server) follow(name string, flags ...string) *follower {
	s.t.Helper()
	f := &follower{cmd: exec.Command(binary, append([]string{"logs", name, "--follow", "--json"}, flags...)...)}
	f.cmd.Env = append(os.Environ(), "WASMOOR_SERVER="+s.admin, "WASMOOR_TOKEN="+s.token)
	stdout, err := f.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	stderr, err := f.cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := endsWithTest(f.cmd).Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = f.cmd.Process.Kill(); _ = f.cmd.Wait() })
	go f.scan(bufio.NewScanner(stdout), func(text string) {
		var line adminapi.LogLine
		if json.Unmarshal([]byte(text), &line) == nil {
			f.lines = append(f.lines, line)
		}
	})
	go f.scan(bufio.NewScanner(stderr), func(text string) { f.notes = append(f.notes, text) })
	return f
}

func (f *follower) scan(s *bufio.Scanner, take func(string)) {
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		f.mu.Lock()
		take(s.Text())
		f.mu.Unlock()
	}
}

// sees waits until a line of the request has come.
func (f *follower) sees(t *testing.T, request string) {
	t.Helper()
	if until(t.Context(), func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return slices.ContainsFunc(f.lines, func(l adminapi.LogLine) bool { return l.RequestID == request })
	}) != nil {
		t.Fatalf("no line of request %s came; notes: %q", request, f.notes)
	}
}

// TestLogs: the lines of a plugin outlive the process, also one that is killed; who
// follows them sees each once, and that the server was gone; a flood has its bytes, is
// told, and takes nothing from a neighbour.
func TestLogs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir)
	s.deploy("chatty", enginetest.Chatty("a line "+strings.Repeat("x", 200)))
	s.deploy("trap", enginetest.Trap())
	admin, public := strings.TrimPrefix(s.admin, "http://"), strings.TrimPrefix(s.public, "http://")
	f := s.follow("chatty")
	s.say("chatty", "1", "first")
	f.sees(t, "first")
	s.keeps(dir, "chatty", "first") // so that a kill does not lose it
	s.kill()
	s = serve(t, dir, "--admin", admin, "--public", public)
	s.say("chatty", "1", "second")
	f.sees(t, "second")
	if out := s.mustCLI("", "logs", "chatty", "--request", "first"); strings.Count(out, "\n") != 1 || !strings.Contains(out, "first a line xx") {
		t.Errorf("after a kill the log has: %q", out)
	}
	s.checkFailures()
	s.flood()
	if until(t.Context(), func() bool { return f.dropped() > 50_000 }) != nil {
		t.Errorf("the follower has seen %d lines and knows of %d that were dropped", len(f.lines), f.dropped())
	}
	f.check(t)
	s.checkBounded(dir)
	if err := f.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if state, err := f.cmd.Process.Wait(); err != nil || state.ExitCode() != 0 {
		t.Errorf("Ctrl-C ends the follower with %v, %v", state, err)
	}
}

// keeps waits until a text is in the files of a plugin's ring.
func (s *server) keeps(dir, name, text string) {
	s.t.Helper()
	if until(s.t.Context(), func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "logs", name, "current"))
		return err == nil && strings.Contains(string(data), text)
	}) != nil {
		s.t.Fatalf("the ring of %s does not have %q", name, text)
	}
}

// say has a plugin log lines in a request with an id.
func (s *server) say(name, lines, id string) {
	s.t.Helper()
	req, err := http.NewRequest("POST", s.public+"/"+name+"/", strings.NewReader(lines))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-Request-Id", id)
	if a, err := roundTrip(req); err != nil || a.status != 200 && a.status < 500 {
		s.t.Fatalf("%v, %v\n%s", a, err, s.log)
	}
}

// checkFailures: the reason that a client is not told is found by the request's id.
func (s *server) checkFailures() {
	s.t.Helper()
	for name, tt := range map[string]struct {
		guest  []byte
		status string
		why    string
		lines  []string // of the manifest
	}{
		"trap":     {enginetest.Trap(), "502", "trap", nil},
		"failed":   {enginetest.Fail(), "502", "reported failure", nil},
		"status":   {enginetest.BadStatus(99), "502", "status 99", nil},
		"endless":  {enginetest.Loop(), "504", "ran out of time", []string{"[limits]", `deadline = "100ms"`}},
		"withheld": {enginetest.Counter(), "502", "[kv]", nil},
	} {
		if name != "trap" {
			s.deploy(name, pack(s.t, tt.guest, name, tt.lines...))
		}
		id := "failing-" + name
		s.say(name, "", id)
		out := s.mustCLI("", "logs", name, "--request", id, "--level", "warn")
		if !strings.Contains(out, "POST /"+name+"/: "+tt.status) || !strings.Contains(out, tt.why) || !strings.Contains(out, " v1 "+id+" ") {
			s.t.Errorf("%s: a failed request is told as %q", name, out)
		}
	}
}

// flood logs 100,000 lines while a neighbour answers.
func (s *server) flood() {
	var done sync.WaitGroup
	for range 2 {
		done.Go(func() {
			for range 50 {
				s.say("chatty", "1000", "flood")
			}
		})
	}
	for range 50 {
		if a := s.get("/trap/"); a.status != 502 {
			s.t.Errorf("a neighbour of the flood: %v", a)
		}
	}
	done.Wait()
}

// checkBounded: the rings have their bytes, and what a query finds says what is gone.
func (s *server) checkBounded(dir string) {
	s.t.Helper()
	var size int64
	err := filepath.WalkDir(filepath.Join(dir, "logs", "chatty"), func(_ string, e fs.DirEntry, err error) error {
		if info, infoErr := e.Info(); infoErr == nil && !e.IsDir() {
			size += info.Size()
		}
		return err
	})
	if err != nil || size == 0 || size > 1<<20 {
		s.t.Errorf("the lines of a flood take %d bytes on disk, %v", size, err)
	}
	if out := s.mustCLI("", "logs", "chatty"); !strings.Contains(out, " lines were dropped between ") {
		s.t.Errorf("the log does not say what was dropped: %.300q", out)
	}
}

func (f *follower) dropped() (n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.lines {
		n += l.Dropped
	}
	return n
}

// check compares what came with what was logged: each line once or told as dropped.
func (f *follower) check(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := map[string]bool{}
	for _, l := range f.lines {
		if seen[l.Cursor] {
			t.Errorf("the line at %s came twice", l.Cursor)
		}
		seen[l.Cursor] = true
	}
	if text := fmt.Sprint(f.notes); !strings.Contains(text, "the server is gone") || !strings.Contains(text, "the server is back") {
		t.Errorf("the follower does not tell of the restart: %s", text)
	}
}
