package restoring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

var now = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

func begin(t *testing.T, dir string) *Restore {
	t.Helper()
	r, err := Begin(dir, "/backups/x", now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func write(t *testing.T, path ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(path...), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestARestoreIsWholeOrRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	r := begin(t, dir)
	write(t, dir, "modules")
	if _, err := Begin(dir, "x", now); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "another process") {
		t.Errorf("two at once: %v", err)
	}
	r.Close() // as a kill does
	err := Check(dir)
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "begun at 2026-11-29T08:00:00Z from /backups/x") {
		t.Errorf("half a restore: %v", err)
	}
	r = begin(t, dir)
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("begun again, the folder holds %v, %v", files, err)
	}
	write(t, dir, "store")
	if err := r.Done(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if err := Check(dir); err != nil {
		t.Error(err)
	}
	if _, err := Begin(dir, "x", now); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "not empty: it holds store") {
		t.Errorf("over data: %v", err)
	}
}

func TestAFileSystemOfItsOwnIsEmpty(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := begin(t, dir)
	r.Close()
	begin(t, dir)
	if _, err := os.Stat(filepath.Join(dir, "lost+found")); err != nil {
		t.Error(err)
	}
}
