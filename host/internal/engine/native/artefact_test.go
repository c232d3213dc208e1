package native

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

var options = engine.Options{Memory: enginetest.Memory}

// built returns a directory with the artefact of a module.
func built(t *testing.T, e *Engine, module []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := e.Build(t.Context(), module, options, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func files(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			list = append(list, path)
		}
		return err
	})
	if err != nil || len(list) < 3 {
		t.Fatalf("files: %v, %v", list, err)
	}
	return list
}

func open(t *testing.T) *Engine {
	t.Helper()
	e := New(Config{Functions: capabilities.All(capabilities.Config{}).Native()})
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	return e
}

// TestDamagedArtefacts: what is missing, cut or of another module is built
// again, and neither compiled nor run where requests are served.
func TestDamagedArtefacts(t *testing.T) {
	e := open(t)
	whole, other := built(t, e, enginetest.Tiny()), built(t, e, enginetest.Echo())
	for name, damage := range map[string]func(file string) error{
		"missing": os.Remove,
		"empty":   func(file string) error { return os.Truncate(file, 0) },
		"cut": func(file string) error {
			info, err := os.Stat(file)
			if err != nil {
				return err
			}
			return os.Truncate(file, info.Size()/2)
		},
	} {
		for i := range files(t, whole) {
			dir := copyOf(t, whole)
			file := files(t, dir)[i]
			if info, err := os.Stat(file); err == nil && info.Size() == 0 && name != "missing" {
				continue // an empty image cannot be cut
			}
			if err := damage(file); err != nil {
				t.Fatal(err)
			}
			wantStale(t, e, dir, name+" "+filepath.Base(file))
		}
	}
	mixed := copyOf(t, whole)
	module, err := os.ReadFile(filepath.Join(other, "module.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(mixed, "module.wasm"), module, 0o600); err != nil {
		t.Fatal(err)
	}
	wantStale(t, e, mixed, "machine code of another module")
}

func wantStale(t *testing.T, e *Engine, dir, what string) {
	t.Helper()
	p, err := e.Load(t.Context(), dir, options)
	if err == nil {
		_ = p.Close(t.Context())
	}
	if fault.CodeOf(err) != fault.Invalid {
		t.Errorf("%s: got %v, want invalid", what, err)
	}
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// FuzzMeta: whatever its text says, an artefact is loaded or stale.
func FuzzMeta(f *testing.F) {
	e := New(Config{Functions: capabilities.All(capabilities.Config{}).Native()})
	f.Cleanup(func() { _ = e.Close(context.Background()) })
	dir := f.TempDir()
	if err := e.Build(context.Background(), enginetest.Canary(), options, dir); err != nil {
		f.Fatal(err)
	}
	file := filepath.Join(dir, "meta.json")
	text, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	for old, other := range map[string]string{
		`"memory":65536`: `"memory":-65536`, `"limit":1048576`: `"limit":9223372036854775807`,
		`"globals":[7]`: `"globals":[7,8,9]`, `{"format":1`: `{"format":1,"seeds":[4294967295,65500,65492]`,
		`}`: `,"fresh":"why","start":["nothing"]}`,
	} {
		f.Add(bytes.Replace(text, []byte(old), []byte(other), 1))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := e.Load(t.Context(), dir, options)
		if err != nil {
			if fault.CodeOf(err) != fault.Invalid {
				t.Fatal(err)
			}
			return
		}
		defer func() { _ = p.Close(t.Context()) }()
		if in, err := p.Instance(t.Context()); err == nil {
			_ = in.Handle(t.Context(), enginetest.Invocation("", nil, nil))
			_ = in.Reset()
			_ = in.Close(t.Context())
		}
	})
}

// TestLoadTogether: programs of the same and of different modules are loaded
// side by side, and closing one leaves the others.
func TestLoadTogether(t *testing.T) {
	e := open(t)
	dirs := []string{built(t, e, enginetest.Version("a")), built(t, e, enginetest.Version("b"))}
	for range 8 {
		for i, dir := range dirs {
			want := string(rune('a' + i))
			t.Run(want, func(t *testing.T) {
				t.Parallel()
				for range 10 {
					p, err := e.Load(t.Context(), dir, options)
					if err != nil {
						t.Fatal(err)
					}
					inv := enginetest.Invocation("", nil, nil)
					if err := enginetest.Handle(t.Context(), p, inv); err != nil || string(inv.Reply.Body) != want {
						t.Errorf("got %q, %v, want %q", inv.Reply.Body, err, want)
					}
					if err := p.Close(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}
