// Package scaffold writes the files of a new plugin project, and keeps the copy
// of the SDK that a project has. The copy is a module of its own in a folder of
// the project, which go.mod replaces the SDK by: the project builds without a
// network, and the go command can add what else it needs. Only cmd/wasmoor
// imports it.
package scaffold

import (
	_ "embed" // the project's files are part of the binary
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

//go:generate go run ./gen

// projectFiles are the author's files, with {{name}} and the like in them.
//
//go:embed project.txtar
var projectFiles []byte

// Project holds the names of a new project.
type Project struct {
	Name    string // of the plugin
	Module  string // of the Go module
	Version string // of the program that makes it
}

// Files returns the files of the project by their path.
func (p Project) Files() map[string][]byte {
	sdk := current(p.Version)
	values := strings.NewReplacer(
		"{{name}}", p.Name, "{{module}}", p.Module, "{{go}}", sdk.goVersion,
		"{{sdk}}", Module, "{{version}}", noVersion, "{{folder}}", Folder,
	)
	files := map[string][]byte{}
	for _, f := range txtar.Parse(projectFiles).Files {
		files[f.Name] = []byte(values.Replace(string(f.Data)))
	}
	for name, data := range sdk.files {
		files[Folder+"/"+name] = data
	}
	return files
}

// Write makes the project in dir, which must not exist or be empty.
func (p Project) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		if err == nil {
			err = &os.PathError{Op: "new", Path: dir, Err: os.ErrExist}
		}
		return err
	}
	return writeFiles(dir, p.Files())
}

// writeFiles writes files by their slash-separated path in dir.
func writeFiles(dir string, files map[string][]byte) error {
	for name, data := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
