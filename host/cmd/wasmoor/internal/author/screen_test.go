package author

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
)

// logsOf returns the loggers of a host whose records a screen shows, with what that
// writes to the standard output and error.
func logsOf(several, asJSON bool) (s *devScreen, log, guest *slog.Logger, stdout, stderr *bytes.Buffer) {
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	p := &Commands{Program: &cli.Program{Terminal: term.New(func(string) string { return "" }, strings.NewReader(""), stdout, stderr, func() {})}}
	p.AsJSON = asJSON
	s = newScreen(p, several)
	var cfg host.Config
	takeRecords(&cfg, s.take)
	return s, cfg.Log, cfg.GuestLog.With("plugin", "shop"), stdout, stderr
}

func ended(log *slog.Logger, id string, status int) { endedAfter(log, id, status, 1) }

func endedAfter(log *slog.Logger, id string, status, attempts int) {
	log.Info("request", "method", "GET", "path", "/x\x1b", "status", status, "ms", 1.5, "request_id", id, "plugin", "shop", "outcome", "none", "attempts", attempts)
}

func TestLinesStandBelowTheirRequest(t *testing.T) {
	s, log, guest, _, stderr := logsOf(false, false)
	guest.Info("a\tb\nsecond \x1b[31m\u202e", "request_id", "1")
	guest.Info("of another", "request_id", "2")
	guest.Error("panic: boom", "request_id", "1", slog.Group("guest", "stack", "main.f main.go:1\nmain.g main.go:2", "n", "1"))
	guest.Warn("alone")
	if got := s.failure("1"); got != "panic: boom\nstack: main.f main.go:1\nmain.g main.go:2\nn: 1" {
		t.Errorf("the client is told %q", got)
	}
	endedAfter(log, "1", 502, 2)
	var lines []string
	for line := range strings.Lines(stderr.String()) {
		if len(line) > 12 && line[2] == ':' {
			line = "TIME" + line[12:]
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	want := []string{
		"TIME  outside of a request", "    warn  alone",
		"TIME  GET    /x\uFFFD                              502    1.5 ms  none  2 attempts",
		"    info  a\tb", `          second \x1b[31m\u202e`,
		`    error panic: boom n="1"`, "          stack:", "            main.f main.go:1", "            main.g main.go:2",
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if len(s.lines) != 1 {
		t.Errorf("lines of %d requests are held, want those of one", len(s.lines))
	}
}

func TestAFloodIsHeldWithinBounds(t *testing.T) {
	s, log, guest, _, stderr := logsOf(false, false)
	for range heldLines + 10 {
		guest.Info("line", "request_id", "1")
	}
	ended(log, "1", 200)
	if n := strings.Count(stderr.String(), "info  line"); n != heldLines || !strings.Contains(stderr.String(), "further lines were dropped") || len(s.lines) != 0 {
		t.Errorf("%d lines are shown, want %d and a note", n, heldLines)
	}
}

func TestSeveralPluginsAreNamed(t *testing.T) {
	s, log, guest, _, stderr := logsOf(true, false)
	guest.Info("one", "request_id", "1")
	ended(log, "1", 200)
	s.failed("shop", io.EOF, "main.go:1: wrong\nmain.go:2: worse\n", true)
	for line := range strings.Lines(stderr.String()) {
		if !strings.HasPrefix(line, "shop       | ") {
			t.Errorf("a line does not name its plugin: %q", line)
		}
	}
}

func TestEventsAreLinesOfJSON(t *testing.T) {
	s, log, guest, stdout, stderr := logsOf(true, true)
	guest.Info("a\nb", "request_id", "1")
	ended(log, "1", 200)
	s.failed("shop", io.EOF, "output", false)
	var events []devEvent
	for d := json.NewDecoder(stdout); d.More(); {
		var e devEvent
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	if len(events) != 2 || stderr.Len() > 0 {
		t.Fatalf("got %+v and %q", events, stderr)
	}
	if e := events[0]; e.Event != "request" || e.RequestID != "1" || len(e.Logs) != 1 || e.Logs[0].Message != "a\nb" || e.Millis != 1.5 {
		t.Errorf("got %+v", e)
	}
	if e := events[1]; e.Event != "failed" || e.Error != "EOF" || e.Output != "output" || e.Time.After(time.Now()) {
		t.Errorf("got %+v", e)
	}
}

func TestWhatIsNotServedYet(t *testing.T) {
	var s loopState
	s.set("/shop", "building")
	for path, want := range map[string]string{"/shop": "building", "/shop/a": "building", "/shopping": "", "/": ""} {
		if got := s.unserved(path, false); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
		if got := s.unserved(path, true); got != "building" {
			t.Errorf("%s of the only plugin: got %q", path, got)
		}
	}
	s.set("/shop", "")
	s.set("/shop", "failed: later") // the version before serves
	if got := s.unserved("/shop/a", true); got != "" {
		t.Errorf("a plugin that serves: got %q", got)
	}
}

// TestAFailureIsToldOnce: the guest's line has what the request's error says, and
// more.
func TestAFailureIsToldOnce(t *testing.T) {
	_, log, guest, _, stderr := logsOf(false, false)
	for id, line := range map[string]string{"1": "out of memory", "2": "something else"} {
		guest.Error(line, "request_id", id)
		log.Error("request", "status", 502, "request_id", id, "error", "handle: out of memory: in main.f")
	}
	if got := strings.Count(stderr.String(), "out of memory"); got != 2 {
		t.Errorf("it is told %d times, want once for each request:\n%s", got, stderr)
	}
}
