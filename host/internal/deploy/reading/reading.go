// Package reading reads what a module says of itself, besides its code. Package deploy asks
// it.
package reading

import (
	"fmt"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/sql"
	"github.com/wasmoor/wasmoor/host/internal/database"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// Manifest returns the manifest in a module's custom section and its text,
// or the default one and no text where there is none.
func Manifest(module []byte, name string, sections []manifest.Section) (*manifest.Manifest, []byte, error) {
	text, ok, err := wasmbin.CustomSection(module, abi.ManifestSection)
	switch {
	case err != nil:
		return nil, nil, err
	case ok:
		m, err := manifest.Parse(text, manifest.FileName, sections)
		return m, text, err
	case name == "":
		return nil, nil, fault.New(fault.Invalid, "", "the module carries no manifest and no name was given; pack one with `wasmoor pack`, or name the plugin, on the command line with --name")
	}
	return manifest.Default(name), nil, nil
}

// Check refuses a module that does not carry the migrations that its manifest names.
func Check(m *manifest.Manifest, module []byte) error {
	of, err := database.Read(module)
	if err != nil {
		return err
	}
	for _, d := range sql.Of(m) {
		if d.Migrations != "" && len(of[d.Name]) == 0 {
			return fault.New(fault.Invalid, "", fmt.Sprintf(
				"the manifest names the folder %q of migrations of database %q, and the module carries none of it; deploy the project's folder, or pack the module with wasmoor pack",
				d.Migrations, d.Name))
		}
	}
	return nil
}

// Unasked says what a module imports that its manifest does not ask for.
func Unasked(list capability.List, module []byte, m *manifest.Manifest) []string {
	imports := map[[2]string]bool{}
	all, _ := wasmbin.Imports(module) // it was built
	for _, i := range all {
		imports[[2]string{i.Module, i.Name}] = true
	}
	return list.Unasked(m, func(module, name string) bool { return imports[[2]string{module, name}] })
}
