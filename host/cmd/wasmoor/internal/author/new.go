package author

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	modpath "golang.org/x/mod/module"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/scaffold"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// NewCommand returns `wasmoor new`.
func (p *Commands) NewCommand() *cobra.Command {
	var module string
	cmd := p.Does(&cobra.Command{
		Use:   "new NAME",
		Short: "Make a plugin project in Go that builds offline",
		Long: `New makes the folder NAME with a plugin, its manifest and its test. The project
carries the SDK in its folder ` + scaffold.Folder + `, so it needs Go and no network. NAME
may be a path; its last element names the plugin.`,
		Example: `  wasmoor new hello && cd hello && wasmoor dev
  wasmoor new shop --module example.org/shop`,
		Args: cli.Takes("NAME"),
	}, func(_ *cobra.Command, args []string) error {
		return p.newProject(args[0], module)
	})
	cmd.Flags().StringVar(&module, "module", "", "path of the Go module (default example/NAME)")
	return cmd
}

func (p *Commands) newProject(dir, module string) error {
	name := filepath.Base(filepath.Clean(dir))
	if err := plugin.CheckName(name); err != nil {
		return cli.Usage("%s", fault.MessageOf(err))
	}
	if module == "" {
		module = "example/" + name // which Go keeps free: a plugin may be called like a package of its library
	}
	if modpath.CheckImportPath(module) != nil || module == scaffold.Module || strings.HasPrefix(module, scaffold.Module+"/") {
		return cli.Usage("--module %q is not a path for a module of yours; write e.g. example.org/%s", module, name)
	}
	project := scaffold.Project{Name: name, Module: module, Version: host.Version()}
	if err := project.Write(dir); err != nil {
		if errors.Is(err, os.ErrExist) {
			return fault.New(fault.Conflict, "", dir+" exists already and is not empty; nothing was changed")
		}
		return cli.FileError("make the project", err)
	}
	p.Note("made %s; next: cd %s && wasmoor dev", dir, dir)
	return p.noteWorkspace(dir)
}

// noteWorkspace says what the go command wants where a go.work holds for a new
// project: it knows of no other modules than those that are named there.
func (p *Commands) noteWorkspace(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil || p.Getenv("GOWORK") == "off" {
		return err
	}
	for above := filepath.Dir(dir); ; above = filepath.Dir(above) {
		file := filepath.Join(above, "go.work")
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			name, err := filepath.Rel(above, dir)
			p.Note("%s does not name the project, as the go command wants; in its folder run: go work use %s", file, name)
			return err
		}
		if above == filepath.Dir(above) {
			return nil
		}
	}
}
