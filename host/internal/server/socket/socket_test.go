package socket

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	ln, err := Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v; want mode 0660", info, err)
	}
	if _, err := Listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "a process listens on") {
		t.Errorf("a second listener: %v", err)
	}
	_ = ln.Close() // as a process that was killed leaves it
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	again, err := Listen("unix:" + path)
	if err != nil {
		t.Fatalf("a socket that nobody listens on: %v", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	_ = again.Close()

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen("unix:" + file); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("a file: %v", err)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "data" {
		t.Errorf("the file has %q, %v", data, err)
	}
}

func TestCheck(t *testing.T) {
	for addr, good := range map[string]bool{
		"127.0.0.1:8080": true, ":80": true, "unix:/run/a.sock": true, "unix:a": true,
		"": false, "unix:": false, "8080": false, "unix:" + strings.Repeat("a", maxPath+1): false,
	} {
		if err := Check(addr); (err == nil) != good {
			t.Errorf("%q: %v", addr, err)
		}
	}
}
