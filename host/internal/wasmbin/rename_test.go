package wasmbin

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// toTest points the imports of env at a module with a long name.
func toTest(module, name string) (newModule, newName string) {
	if module == "env" {
		return strings.Repeat("long", 50), name + "2"
	}
	return module, name
}

func unchanged(module, name string) (newModule, newName string) { return module, name }

func TestRenameImports(t *testing.T) {
	before, err := Read([]byte(guest()))
	if err != nil {
		t.Fatal(err)
	}
	out, err := RenameImports([]byte(guest()), toTest)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Read(out)
	if err != nil {
		t.Fatal(err)
	}
	for i := range before.Imports {
		before.Imports[i].Module, before.Imports[i].Name = toTest(before.Imports[i].Module, before.Imports[i].Name)
	}
	if diff := cmp.Diff(before.Imports, after.Imports); diff != "" {
		t.Errorf("imports (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before.Exports, after.Exports); diff != "" {
		t.Errorf("exports (-want +got):\n%s", diff)
	}
}

func TestRenameImportsLeavesTheRest(t *testing.T) {
	for name, module := range map[string]string{"guest": guest(), "no imports": header} {
		t.Run(name, func(t *testing.T) {
			got, err := RenameImports([]byte(module), unchanged)
			if err != nil || string(got) != module {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestRenameExports(t *testing.T) {
	before, err := Read([]byte(guest()))
	if err != nil {
		t.Fatal(err)
	}
	longer := func(name string) string { return name + strings.Repeat("+", 200) }
	out, err := RenameExports([]byte(guest()), longer)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Read(out)
	if err != nil {
		t.Fatal(err)
	}
	for i := range before.Exports {
		before.Exports[i].Name = longer(before.Exports[i].Name)
	}
	if diff := cmp.Diff(before.Exports, after.Exports); diff != "" {
		t.Errorf("exports (-want +got):\n%s", diff)
	}
	for name, module := range map[string]string{
		"count": header + section(idExport, huge), "cut short": header + section(idExport, "\x01\x01f"),
		"rest": header + section(idExport, vec(text("f")+"\x00\x00")+"\x00"),
	} {
		if _, err := RenameExports([]byte(module), longer); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: got %v, want %s", name, err, fault.Invalid)
		}
	}
}

func TestRenameImportsRefuses(t *testing.T) {
	for name, module := range map[string]string{
		"no module":    "text",
		"count":        header + section(idImport, huge),
		"cut short":    header + section(idImport, "\x01\x03env"),
		"unknown kind": header + section(idImport, vec(text("env")+text("f")+"\x07\x00")),
		"rest":         header + section(idImport, vec(text("env")+text("f")+"\x00\x00")+"\x00"),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := RenameImports([]byte(module), unchanged); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("got %v, want %s", err, fault.Invalid)
			}
		})
	}
}

// FuzzRenameImports: there and back is the same module, and a module that Read
// takes can be renamed.
func FuzzRenameImports(f *testing.F) {
	f.Add([]byte(guest()))
	f.Add([]byte(header))
	f.Add([]byte(header + section(idImport, vec(text("env")+text("f")+"\x00\x00"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, readErr := Read(b)
		out, err := RenameImports(b, func(module, name string) (string, string) { return module + "+", name + "+" })
		if err != nil {
			if readErr == nil || fault.CodeOf(err) != fault.Invalid {
				t.Fatalf("got %v, and Read %v", err, readErr)
			}
			return
		}
		again, err := RenameImports(out, func(module, name string) (string, string) {
			return strings.TrimSuffix(module, "+"), strings.TrimSuffix(name, "+")
		})
		if err != nil {
			t.Fatal(err)
		}
		if readErr != nil {
			return
		}
		if exports, err := RenameExports(b, func(name string) string { return name }); err != nil || !sameExports(exports, m) {
			t.Fatalf("%v: the exports are others", err)
		}
		canonical, err := RenameImports(b, unchanged)
		if err != nil || !bytes.Equal(again, canonical) {
			t.Fatalf("%v: there and back changed the module", err)
		}
		if back, err := Read(again); err != nil || !cmp.Equal(back.Imports, m.Imports) {
			t.Fatalf("%v: the imports are %v", err, back.Imports)
		}
	})
}

func sameExports(b []byte, m *Module) bool {
	again, err := Read(b)
	return err == nil && cmp.Equal(again.Exports, m.Exports)
}
