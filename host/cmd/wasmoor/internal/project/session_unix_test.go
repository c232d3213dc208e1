//go:build !windows

package project

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestASessionIsFound from its folder and those below, while it answers. On Windows folders
// have no modes, so nothing is kept.
func TestASessionIsFound(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	dir := t.TempDir()
	below := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(below, 0o700); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	want := Session{Server: "http://" + ln.Addr().String(), TokenFile: "token"}
	first := KeepSession([]string{dir}, Session{Server: "http://127.0.0.1:1"})
	forget := KeepSession([]string{dir}, want)
	first() // another session in the same folder ends
	for _, from := range []string{dir, below} {
		if got, ok := NearestSession(from); !ok || got != want {
			t.Errorf("from %s: got %+v, %v", from, got, ok)
		}
	}
	if got, ok := NearestSession(filepath.Dir(dir)); ok {
		t.Errorf("above: got %+v", got)
	}
	killed := exec.Command("sleep", "60")
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	file, err := sessionFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	setPID := func(pid int) {
		t.Helper()
		data, err := json.Marshal(keptSession{want, pid})
		if err == nil {
			err = os.WriteFile(file, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	setPID(killed.Process.Pid)
	if _, ok := NearestSession(dir); !ok {
		t.Error("the session of a process that runs is not found")
	}
	_ = killed.Process.Kill()
	_ = killed.Wait()
	if _, ok := NearestSession(dir); ok {
		t.Error("the session of a process that was killed is found: its token would go to whoever has the port")
	}
	setPID(os.Getpid())
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if got, ok := NearestSession(dir); ok {
		t.Errorf("one that does not answer is found: %+v", got)
	}
	forget()
	if _, err := os.Stat(file); err == nil {
		t.Error("the session is not forgotten")
	}
}
