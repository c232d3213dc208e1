package sdk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// emptyGuest is a module that does nothing: the floor the toolchain sets.
const emptyGuest = `package main

//go:wasmexport wasmoor_handle
func handle() int32 { return 0 }

func main() {}
`

// TestGuestSize keeps the core of the SDK from growing by an import: fmt alone
// costs 40 % of an empty guest, time 14 %.
func TestGuestSize(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "main.go")
	if err := os.WriteFile(empty, []byte(emptyGuest), 0o600); err != nil {
		t.Fatal(err)
	}
	floor := guestSize(t, dir, empty)
	for _, c := range []struct {
		guest   string
		percent int64 // above the floor
	}{
		{"../examples/hello", 10},
		{"./testdata/router", 22},
		{"./testdata/json", 17},
	} {
		size := guestSize(t, dir, c.guest)
		t.Logf("%s: %d bytes, an empty guest has %d", c.guest, size, floor)
		if most := floor + floor*c.percent/100; size > most {
			t.Errorf("%s has %d bytes, more than %d (%d %% above an empty guest)", c.guest, size, most, c.percent)
		}
	}
}

// guestSize builds a guest as authors do and returns its size.
func guestSize(t *testing.T, dir, pkg string) int64 {
	t.Helper()
	out := filepath.Join(dir, "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, text)
	}
	info, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
