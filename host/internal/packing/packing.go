// Package packing puts a manifest, and the files that it names, into a module. The command
// line does it before it uploads one.
package packing

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability/sql"
	"github.com/wasmoor/wasmoor/host/internal/database"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// Extism returns module with a manifest of Extism's own format translated to
// one of ours: a plugin of that name, with a route POST /EXPORT for each function
// that Extism would call. Nothing the manifest names is fetched or read. Errors
// are Invalid faults.
func Extism(module, text []byte, name string) ([]byte, error) {
	m, err := wasmbin.Read(module)
	if err != nil {
		return nil, err
	}
	ours, err := manifest.FromExtism(text, module, name, extismExports(m), capabilities.Sections())
	if err != nil {
		return nil, err
	}
	return Pack(module, ours, "")
}

// extismExports returns the functions of a module that have the type of a
// plugin's and are not there for its toolchain alone. A command has main only.
func extismExports(m *wasmbin.Module) (names []string) {
	command := false
	for _, e := range m.Exports {
		switch {
		case e.Kind != wasmbin.Function || len(e.Type.Params) > 0 || len(e.Type.Results) > 1:
		case e.Name == "_start":
			command = true
		case forToolchain(e.Name) || pathSpecial.MatchString(e.Name):
		default:
			names = append(names, e.Name)
		}
	}
	if len(names) == 0 && command {
		return []string{"_start"}
	}
	return names
}

// pathSpecial finds what means something else in a route's pattern.
var pathSpecial = regexp.MustCompile(`[^A-Za-z0-9._~-]|^\.\.?$`)

// forToolchain reports whether an export is what compilers add: TinyGo's
// scheduler and the runtimes of Emscripten and GHC.
func forToolchain(name string) bool {
	return slices.ContainsFunc([]string{"_", "asyncify_", "emscripten_", "hs_"}, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	})
}

// Pack returns module with the manifest text (TOML or JSON) in its custom section, and the
// migrations that it names, which lie in a folder, in another; in place of those that are
// there. All are checked; errors are Invalid faults, NotFound (a folder that the manifest
// names) and Unavailable (it cannot be read).
func Pack(module, text []byte, folder string) ([]byte, error) {
	m, err := manifest.Parse(text, manifest.FileName, capabilities.Sections())
	if err != nil {
		return nil, err
	}
	if module, err = wasmbin.WithCustomSection(module, abi.ManifestSection, text); err != nil {
		return nil, err
	}
	of := map[string]database.Files{}
	for _, d := range sql.Of(m) {
		if d.Migrations == "" {
			continue
		}
		if of[d.Name], err = migrations(filepath.Join(folder, filepath.FromSlash(d.Migrations))); err != nil {
			return nil, err
		}
	}
	if len(of) == 0 {
		return module, nil
	}
	return wasmbin.WithCustomSection(module, abi.MigrationsSection, database.Section(of))
}

// migrations reads the files of a folder whose names end in .sql.
func migrations(folder string) (files database.Files, err error) {
	entries, err := os.ReadDir(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(fault.NotFound, "migrations", fmt.Sprintf("there is no folder %s, which the manifest names; make it, with files like 001_users.sql", folder))
	case err != nil:
		return nil, fault.Wrap(fault.Unavailable, "migrations", "cannot read the folder "+folder, err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".sql" {
			continue
		}
		file := filepath.Join(folder, e.Name())
		if info, err := e.Info(); err != nil || !info.Mode().IsRegular() || info.Size() > database.MaxMigrations {
			return nil, fault.Wrap(fault.Invalid, "migrations", fmt.Sprintf("%s is no file of at most %d bytes", file, database.MaxMigrations), err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, "migrations", "cannot read "+file, err)
		}
		files = append(files, abi.Pair{Name: e.Name(), Value: string(text)})
	}
	if len(files) == 0 {
		return nil, fault.New(fault.Invalid, "migrations", fmt.Sprintf("%s has no files like 001_users.sql", folder))
	}
	_, err = database.Parse(files)
	return files, err
}
