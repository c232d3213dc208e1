package durable

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"first", "", "third"} {
		if err := Replace(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("read %q, %v; want %q", got, err, text)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want mode 0600", info, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{filepath.Join(dir, "folder"), filepath.Join(dir, "nowhere", "file")} {
		if err := Replace(bad, nil); err == nil {
			t.Errorf("%s was replaced", bad)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("what failed left %v, %v", files, err)
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for i, want := range []bool{true, false} {
		if made, err := Create(path, []byte{byte(i)}); err != nil || made != want {
			t.Errorf("call %d: %t, %v; want %t", i, made, err, want)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "\x00" {
		t.Errorf("read %q, %v; the first call's data is gone", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want mode 0600", info, err)
	}
	if made, err := Create(filepath.Join(dir, "nowhere", "file"), nil); err == nil || made {
		t.Errorf("a file in no folder: %t, %v", made, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("Create left %v, %v", files, err)
	}
}
