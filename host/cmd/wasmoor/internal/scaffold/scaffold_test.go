package scaffold

import (
	"testing"

	"golang.org/x/mod/modfile"
	modpath "golang.org/x/mod/module"
)

// TestModulePaths: whatever name a plugin may have, Go takes its module.
func TestModulePaths(t *testing.T) {
	for name, want := range map[string]string{"shop": "example/shop", "fmt": "example/fmt", "con": "example/con-plugin", "lpt1": "example/lpt1-plugin"} {
		files := Project{Name: name, Template: readTemplate("hello")}.files()
		got := modfile.ModulePath(files["go.mod"])
		if err := modpath.CheckImportPath(got); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}
