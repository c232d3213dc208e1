package folder_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/folder"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// TestFolder goes through the life of a file: it is deployed when it has settled, once
// for each content; what is refused is said once, what cannot be now is tried again.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	var deployed []string
	known, fails := map[plugin.Digest]bool{plugin.DigestOf([]byte("old")): true}, map[string]error{
		"bad":  fault.New(fault.Invalid, "", "no module"),
		"busy": fault.New(fault.Unavailable, "", "no memory"),
	}
	f := folder.New(folder.Config{
		Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Known: func(_ context.Context, name string, d plugin.Digest) (bool, error) {
			return name == "kept" && known[d], nil
		},
		Deploy: func(_ context.Context, up deploy.Upload) (deploy.Changed, error) {
			if up.By != folder.By || up.Grant {
				t.Errorf("deployed by %q, grant %v", up.By, up.Grant)
			}
			deployed = append(deployed, up.Name+"="+string(up.Module))
			return deploy.Changed{Version: 1, Activated: true}, fails[string(up.Module)]
		},
	})
	at := time.Now()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Second)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	looks := func(n int, want ...string) {
		t.Helper()
		deployed = nil
		for range n {
			f.Look(t.Context())
		}
		if got := strings.Join(deployed, " "); got != strings.Join(want, " ") {
			t.Errorf("deployed %q, want %q", got, want)
		}
	}
	write("shop.wasm", "one")
	write("kept.wasm", "old") // a version from before: perhaps another serves since
	write("notes.txt", "no module")
	write(".shop.wasm", "a copy under way")
	if err := os.Mkdir(filepath.Join(dir, "d.wasm"), 0o700); err != nil {
		t.Fatal(err)
	}
	looks(1) // it may still be written
	looks(3, "shop=one")
	write("shop.wasm", "one") // touched
	looks(3)
	write("other.wasm", "old") // a version of another plugin
	looks(3, "other=old")
	write("shop.wasm", "bad")
	looks(4, "shop=bad")
	if n := strings.Count(log.String(), "no module"); n != 1 {
		t.Errorf("a refusal was said %d times:\n%s", n, log.String())
	}
	write("shop.wasm", "one")
	write("kept.wasm", "new")
	looks(3, "kept=new", "shop=one")
	write("kept.wasm", "busy")
	looks(4, "kept=busy", "kept=busy", "kept=busy")
	if n := strings.Count(log.String(), "no memory"); n != 1 {
		t.Errorf("what waits was said %d times", n)
	}
	delete(fails, "busy")
	looks(2, "kept=busy")
	if err := os.Remove(filepath.Join(dir, "shop.wasm")); err != nil {
		t.Fatal(err)
	}
	looks(2)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	looks(3)
	if n := strings.Count(log.String(), "cannot be read whole"); n != 1 {
		t.Errorf("a folder that is gone was said %d times", n)
	}
}
