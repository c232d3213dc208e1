//go:build unix

package server

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
)

// logsTo returns the commands of a run with that standard error.
func logsTo(stderr io.Writer) *Commands {
	p := &cli.Program{Terminal: term.New(func(string) string { return "" }, strings.NewReader(""), io.Discard, stderr, func() {})}
	return New(p, remote.New(p))
}

// A standard error that nobody reads holds up neither who logs nor the end.
func TestStalledLog(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close() // ends the write that hangs
	p, s := logsTo(w), defaultSettings()
	l, err := p.openLog(&s)
	if err != nil {
		t.Fatal(err)
	}
	for range 20_000 {
		s.Host.Log.Info("host")
		s.Host.GuestLog.Info("plugin")
		s.Host.AccessLog.Info("request")
	}
	start := time.Now()
	l.close()
	if took := time.Since(start); took > flushTimeout+10*time.Second {
		t.Errorf("close took %s", took)
	}
	p.Complain("the end") // goes nowhere, and returns
}

// The access log has a file of its own, at any level, which is opened anew at
// SIGHUP; the rest goes to the standard error.
func TestAccessLogFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.log")
	var out strings.Builder
	s := defaultSettings()
	s.AccessLogFile, s.LogLevel = file, "warn"
	l, err := logsTo(&out).openLog(&s)
	if err != nil {
		t.Fatal(err)
	}
	s.Host.AccessLog.Info("request", "n", 1)
	waitFor(t, func() bool { return strings.Contains(read(file), `"n":1`) })
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { _, err := os.Stat(file); return err == nil })
	s.Host.AccessLog.Info("request", "n", 2)
	s.Host.GuestLog.Info("guest")
	s.Host.Log.Warn("host")
	l.close()
	var record map[string]any
	if err := json.Unmarshal([]byte(read(file)), &record); err != nil || record["n"] != 2.0 {
		t.Errorf("after the rotation the file holds %q: %v", read(file), err)
	}
	if strings.Count(read(file+".1"), "\n") != 1 {
		t.Errorf("the file before holds %q", read(file+".1"))
	}
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"host"`) {
		t.Errorf("standard error has %q, want the host's warning", got)
	}
}

func TestAccessLogFileErrors(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"no folder": filepath.Join(t.TempDir(), "none", "x"), "folder": t.TempDir(), "pipe without a reader": fifo} {
		s := defaultSettings()
		s.AccessLogFile = file
		if _, err := logsTo(io.Discard).openLog(&s); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: error %v, want one that names the file", name, err)
		}
	}
}

func read(file string) string {
	b, _ := os.ReadFile(file)
	return string(b)
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
	}
}

// A file of the access log has the form that its readers know.
func TestAccessLogFormat(t *testing.T) {
	for format, want := range map[string]string{
		"json": `"path":"/a"`, "text": "path=/a", "common": `"GET /a HTTP/1.1" 200 -`, "combined": `"GET /a HTTP/1.1" 200 - "-" "curl"`,
	} {
		file := filepath.Join(t.TempDir(), "access.log")
		s := defaultSettings()
		s.AccessLogFile, s.AccessLogFormat = file, format
		l, err := logsTo(io.Discard).openLog(&s)
		if err != nil {
			t.Fatal(err)
		}
		s.Host.AccessLog.Info("request", "method", "GET", "path", "/a", "status", 200, "user_agent", "curl")
		l.close()
		if got := read(file); !strings.Contains(got, want) || strings.Count(got, "\n") != 1 || s.Host.AccessLogAgents != (format == "combined") {
			t.Errorf("%s: %s", format, got)
		}
	}
	for format, file := range map[string]string{"xml": filepath.Join(t.TempDir(), "x"), "common": ""} {
		s := defaultSettings()
		s.AccessLogFile, s.AccessLogFormat = file, format
		if _, err := logsTo(io.Discard).openLog(&s); err == nil || !strings.Contains(err.Error(), "access_log_format") {
			t.Errorf("%s: %v", format, err)
		}
	}
}
