// Package scaffold writes the files of a new plugin project, which builds and
// passes its test without a network: it carries the SDK in its vendor folder.
// Only cmd/wasmoor imports it.
package scaffold

import (
	_ "embed" // the project's files are part of the binary
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

//go:generate go run ./gen

// sdkSources are the sources of abi and sdk.
//
//go:embed sdk.txtar
var sdkSources []byte

// projectFiles are the author's files, with {{name}} and the like in them.
//
//go:embed project.txtar
var projectFiles []byte

const sdkModule = "github.com/wasmoor/wasmoor"

// Project is what a new project is called.
type Project struct {
	Name    string // of the plugin
	Module  string // of the Go module
	Version string // of the SDK; one that is not a release stands for v0.0.0
}

// Files returns the files of the project by their path.
func (p Project) Files() map[string][]byte {
	archive := txtar.Parse(sdkSources)
	goVersion := goVersionOf(archive)
	values := strings.NewReplacer(
		"{{name}}", p.Name, "{{module}}", p.Module, "{{go}}", goVersion,
		"{{sdk}}", sdkModule, "{{version}}", sdkVersion(p.Version),
	)
	files := map[string][]byte{}
	for _, f := range txtar.Parse(projectFiles).Files {
		files[f.Name] = []byte(values.Replace(string(f.Data)))
	}
	packages := map[string]bool{}
	for _, f := range archive.Files {
		files["vendor/"+sdkModule+"/"+f.Name] = f.Data
		packages[path.Join(sdkModule, path.Dir(f.Name))] = true
	}
	files["vendor/modules.txt"] = modulesTxt(sdkVersion(p.Version), goVersion, packages)
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
	for name, data := range p.Files() {
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

func goVersionOf(archive *txtar.Archive) string {
	_, after, _ := strings.Cut(string(archive.Comment), "\ngo ")
	return strings.TrimSpace(after)
}

var release = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func sdkVersion(version string) string {
	if release.MatchString(version) {
		return version
	}
	return "v0.0.0"
}

// modulesTxt is what `go mod vendor` writes, which the go command compares with
// go.mod.
func modulesTxt(version, goVersion string, packages map[string]bool) []byte {
	var names []string
	for name := range packages {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Appendf(nil, "# %s %s\n## explicit; go %s\n%s\n", sdkModule, version, goVersion, strings.Join(names, "\n"))
}
