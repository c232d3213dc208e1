package watch_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/watch"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		glob, name string
		want       bool
	}{
		{"main.go", "main.go", true},
		{"main.go", "a/main.go", false},
		{"*.go", "main.go", true},
		{"*.go", "a/main.go", false},
		{"**/*.go", "main.go", true},
		{"**/*.go", "a/b/main.go", true},
		{"**/*.go", "a/b/main.rs", false},
		{"src/**", "src/a/b", true},
		{"src/**", "src", true},
		{"src/**", "other/a", false},
		{"src/**/x/*.c", "src/x/a.c", true},
		{"src/**/x/*.c", "src/a/x/y/x/a.c", true},
		{"src/**/x/*.c", "src/a/a.c", false},
		{"**", "anything/at/all", true},
		{"[", "[", false},
		{"", "a", false},
	}
	for _, tt := range tests {
		if got := watch.Match(tt.glob, tt.name); got != tt.want {
			t.Errorf("Match(%q, %q) = %v, want %v", tt.glob, tt.name, got, tt.want)
		}
	}
}

// next waits for a change in another goroutine, so that the test may write.
func next(t *testing.T, w *watch.Watcher, matters func(string) bool) <-chan string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	got := make(chan string, 1)
	go func() {
		name, err := w.Wait(ctx, matters)
		if err != nil {
			name = "error: " + err.Error()
		}
		got <- name
	}()
	return got
}

func write(t *testing.T, elements ...string) {
	t.Helper()
	file := filepath.Join(elements...)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWait(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a", "old.go")
	write(t, dir, "node_modules", "x", "y.go")
	w, err := watch.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	goFiles := func(name string) bool { return strings.HasSuffix(name, ".go") }

	got := next(t, w, goFiles)
	write(t, dir, "out.wasm")                  // does not matter
	write(t, dir, ".git", "index.go")          // hidden
	write(t, dir, "node_modules", "x", "y.go") // of a tool
	write(t, dir, "a", "old.go")
	if name := <-got; name != "a/old.go" {
		t.Fatalf("first change = %q, want a/old.go", name)
	}

	got = next(t, w, goFiles)
	write(t, dir, "new", "b.go") // the folder and its file come together
	if name := <-got; name != "new/b.go" {
		t.Fatalf("file of a new folder = %q, want new/b.go", name)
	}
	got = next(t, w, goFiles)
	write(t, dir, "new", "c.go")
	if name := <-got; name != "new/c.go" && name != "new/b.go" { // b.go may be reported late
		t.Fatalf("change in a new folder = %q, want new/c.go", name)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	w, err := watch.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Wait(ctx, func(string) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait = %v, want %v", err, context.Canceled)
	}
}

func TestNewOfNothing(t *testing.T) {
	if _, err := watch.New(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("New of a folder that is not there = nil error")
	}
}
