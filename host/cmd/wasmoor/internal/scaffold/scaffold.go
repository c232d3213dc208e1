// Package scaffold writes the files of a new plugin project, and keeps the copy
// of the SDK that a project has. The copy is a module of its own in a folder of
// the project, which go.mod replaces the SDK by: the project builds without a
// network, and the go command can add what else it needs. Only cmd/wasmoor
// imports it.
package scaffold

import (
	"embed" // the project's files are part of the binary
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
	modpath "golang.org/x/mod/module"
)

//go:generate go run ./gen

// templates are the author's files, with {{name}} and the like in them:
// common.txtar has those of every project, the others are one template each. The
// comment of a template is what it makes, and on the next line how `wasmoor call`
// tries it.
//
//go:embed templates
var templates embed.FS

const (
	templateFolder = "templates"
	common         = "common"

	// DefaultTemplate is that of a project whose author names none.
	DefaultTemplate = "hello"
)

// Template is what a new project starts with.
type Template struct {
	Name  string
	About string // what it makes

	call  string // arguments of `wasmoor call` that try it
	files []txtar.File
}

// Templates returns all, sorted by name.
func Templates() []Template {
	entries, err := fs.ReadDir(templates, templateFolder)
	if err != nil {
		panic(err) // it is part of the binary
	}
	var list []Template
	for _, entry := range entries {
		if name := strings.TrimSuffix(entry.Name(), ".txtar"); name != common {
			list = append(list, readTemplate(name))
		}
	}
	return list
}

func readTemplate(name string) Template {
	data, err := templates.ReadFile(path.Join(templateFolder, name+".txtar"))
	if err != nil {
		panic(err) // it is part of the binary
	}
	archive := txtar.Parse(data)
	about, call, _ := strings.Cut(strings.TrimSpace(string(archive.Comment)), "\n")
	return Template{Name: name, About: about, call: call, files: archive.Files}
}

// Project is a new project.
type Project struct {
	Name     string // of the plugin
	Module   string // of the Go module; "" = that of the go.mod that is there, or example/NAME
	Version  string // of the program that makes it
	Template Template
}

// files returns the author's files and those of the SDK by their paths in the
// project.
func (p Project) files() map[string][]byte {
	sdk := current(p.Version)
	module := p.Module
	if module == "" {
		module = "example/" + p.Name // which Go keeps free: a plugin may be called like a package of its library
		if modpath.CheckImportPath(module) != nil {
			module += "-plugin" // Windows has no such file, e.g. con
		}
	}
	values := strings.NewReplacer(
		"{{name}}", p.Name, "{{module}}", module, "{{go}}", sdk.goVersion,
		"{{sdk}}", Module, "{{version}}", noVersion, "{{folder}}", Folder,
		"{{about}}", p.Template.About, "{{call}}", p.Template.call,
	)
	files := map[string][]byte{}
	for _, f := range slices.Concat(readTemplate(common).files, p.Template.files) {
		files[f.Name] = []byte(values.Replace(string(f.Data)))
	}
	for name, data := range sdk.files {
		files[path.Join(Folder, name)] = data
	}
	return files
}

// names returns the paths of files, sorted.
func names(files map[string][]byte) []string { return slices.Sorted(maps.Keys(files)) }
