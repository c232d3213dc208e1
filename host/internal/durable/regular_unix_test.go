//go:build unix

package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe that nobody writes would hold whoever opens it for ever.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("file"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"to pipe": "pipe", "to file": "file", "to none": "none"} {
		if err := os.Symlink(to, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]error{
		"file": nil, "to file": nil, "pipe": ErrNotRegular, "to pipe": ErrNotRegular, ".": ErrNotRegular,
		"none": fs.ErrNotExist, "to none": fs.ErrNotExist,
	} {
		got, err := ReadRegular(at(name), 4)
		if !errors.Is(err, want) || want == nil && string(got) != "text" {
			t.Errorf("%s: got %q, %v, want error %v", name, got, err, want)
		}
	}
	if got, err := ReadRegular(at("file"), 3); err == nil {
		t.Errorf("4 bytes of at most 3: got %q", got)
	}
}
