package badger

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// TestMarker opens a store whose folder was emptied, lost or exchanged.
func TestMarker(t *testing.T) {
	base := t.TempDir()
	cfg := Config{Dir: filepath.Join(base, "store"), Marker: filepath.Join(base, "store.id"), Reserve: -1}
	s := open(t, cfg)
	wantCode(t, "set", set(s, "k", "v"), "")
	closeStore(t, s)

	aside := filepath.Join(base, "aside")
	if err := os.Rename(cfg.Dir, aside); err != nil {
		t.Fatal(err)
	}
	refuses := func(what string) {
		t.Helper()
		_, err := Open(cfg)
		wantCode(t, what, err, fault.Invalid)
		if !strings.Contains(err.Error(), cfg.Marker) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refuses("Open without the folder")
	refuses("Open with an empty folder")
	if err := os.RemoveAll(cfg.Dir); err != nil {
		t.Fatal(err)
	}
	closeStore(t, open(t, Config{Dir: cfg.Dir}))
	refuses("Open with another store's folder")
	if err := errors.Join(os.RemoveAll(cfg.Dir), os.Rename(aside, cfg.Dir)); err != nil {
		t.Fatal(err)
	}
	s = open(t, cfg)
	if v, _ := get(t, s, "k"); v != "v" {
		t.Errorf("with its folder again it holds %q", v)
	}
	closeStore(t, s)
	if err := errors.Join(os.RemoveAll(cfg.Dir), os.Remove(cfg.Marker)); err != nil {
		t.Fatal(err)
	}
	open(t, cfg) // as the message says
}

// TestFolderGoesWhileServing takes the folder away from under a store.
func TestFolderGoesWhileServing(t *testing.T) {
	for name, take := range map[string]func(dir string) error{
		"deleted":   os.RemoveAll,
		"moved":     func(dir string) error { return os.Rename(dir, dir+"-moved") },
		"exchanged": func(dir string) error { return errors.Join(os.Rename(dir, dir+"-moved"), os.Mkdir(dir, 0o700)) },
		"without a MANIFEST": func(dir string) error {
			return os.Remove(filepath.Join(dir, "MANIFEST"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			s, err := Open(Config{Dir: dir, Reserve: -1, MinFree: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := os.MkdirAll(dir, 0o700); err != nil { // or Badger's goroutines try for ever
					t.Error(err)
				}
				_ = s.Close() // its lock is gone, too
			}()
			wantCode(t, "set", set(s, "k", "v"), "")
			if err := take(dir); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "somebody to notice", func() bool { return s.Health() != nil })
			wantCode(t, "Health", s.Health(), fault.Unavailable)
			wantCode(t, "set", set(s, "k", "w"), fault.Unavailable)
		})
	}
}
