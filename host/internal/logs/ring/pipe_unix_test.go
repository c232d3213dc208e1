//go:build unix

package ring_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/logs/ring"
)

// Nobody waits for the other end of a pipe.
func TestPipeInPlaceOfAFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "shop"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"current", "previous"} {
		if err := syscall.Mkfifo(filepath.Join(dir, "shop", name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, closeIt := open(t, ring.Config{Dir: dir})
	want(t, "what is read", read(t, f.Ring("shop"), ring.Query{}).Lines)
	f.Ring("shop").Append(line(1))
	closeIt()
	again, _ := open(t, ring.Config{Dir: dir})
	want(t, "after a line", read(t, again.Ring("shop"), ring.Query{}).Lines, "line 1")
}
