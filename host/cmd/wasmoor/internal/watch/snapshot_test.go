package watch_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/watch"
)

// folder is a watched folder whose files a test changes.
type folder struct {
	t *testing.T
	w *watch.Watcher
	string
}

func newFolder(t *testing.T) *folder {
	dir := t.TempDir()
	w, err := watch.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return &folder{t, w, dir}
}

func (f *folder) put(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.string, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) remove(name string) {
	f.t.Helper()
	if err := os.Remove(filepath.Join(f.string, name)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) scan(last watch.Snapshot) watch.Snapshot {
	return f.w.Scan(func(string) bool { return true }, last)
}

func TestChanged(t *testing.T) {
	tests := map[string]struct {
		change func(*folder)
		want   string
	}{
		"nothing":      {func(*folder) {}, ""},
		"content":      {func(f *folder) { f.put("a.go", "two") }, "a.go"},
		"new":          {func(f *folder) { f.put("b.go", "two") }, "b.go"},
		"gone":         {func(f *folder) { f.remove("a.go") }, "a.go"},
		"came, went":   {func(f *folder) { f.put("tmp", "x"); f.remove("tmp") }, ""},
		"hidden":       {func(f *folder) { f.put(".a.go.swp", "x") }, ""},
		"only touched": {func(f *folder) { touch(f.t, filepath.Join(f.string, "a.go")) }, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			f.put("a.go", "one")
			before := f.scan(nil)
			tt.change(f)
			if got := before.Changed(f.scan(before)); got != tt.want {
				t.Errorf("Changed = %q, want %q", got, tt.want)
			}
		})
	}
}

func touch(t *testing.T, file string) {
	t.Helper()
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(file, later, later); err != nil {
		t.Fatal(err)
	}
}

func TestBuilt(t *testing.T) {
	tests := map[string]struct {
		build func(f *folder, number string)
		named bool
		want  []string // stale after each build
	}{
		"nothing":                {func(*folder, string) {}, false, []string{"", ""}},
		"source edited":          {func(f *folder, n string) { f.put("a.go", n) }, true, []string{"a.go", "a.go"}},
		"leaves a file":          {func(f *folder, n string) { f.put("out", n) }, false, []string{"", ""}},
		"generates a source":     {func(f *folder, _ string) { f.put("gen.go", "same") }, true, []string{"gen.go", ""}},
		"writes a file it had":   {func(f *folder, n string) { f.put("a.go", n) }, false, []string{"a.go", "", ""}},
		"same content as it was": {func(f *folder, _ string) { f.put("a.go", "one") }, false, []string{"", ""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			f.put("a.go", "one")
			var last watch.Snapshot
			for i, want := range tt.want {
				saw := f.scan(last)
				tt.build(f, "build number "+string(rune('1'+i)))
				last = f.scan(saw)
				if got := saw.Built(last, tt.named); got != want {
					t.Errorf("after build %d: Built = %q, want %q", i+1, got, want)
				}
			}
		})
	}
}

// What a build left may go by itself, and counts when the author edits it.
func TestWhatABuildLeft(t *testing.T) {
	f := newFolder(t)
	saw := f.scan(nil)
	f.put("left", "x")
	after := f.scan(saw)
	if got := saw.Built(after, false); got != "" {
		t.Fatalf("Built = %q, want nothing", got)
	}
	f.put("left", "edited")
	if got := after.Changed(f.scan(after)); got != "left" {
		t.Errorf("Changed after an edit = %q, want left", got)
	}
	f.remove("left")
	if got := after.Changed(f.scan(after)); got != "" {
		t.Errorf("Changed after it went = %q, want nothing", got)
	}
}
