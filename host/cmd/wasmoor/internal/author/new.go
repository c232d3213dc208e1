package author

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	modpath "golang.org/x/mod/module"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/scaffold"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/spelling"
)

// NewCommand returns `wasmoor new`.
func (p *Commands) NewCommand() *cobra.Command {
	var module, template string
	cmd := p.Does(&cobra.Command{
		Use:   "new NAME",
		Short: "Make a plugin project in Go that builds offline",
		Long: `New makes the folder NAME with a plugin, its manifest and its test. The project
carries the SDK in its folder ` + scaffold.Folder + `, so it needs Go and no network. NAME
may be a path; its last element names the plugin. The folder may exist, as "."
does: New overwrites nothing in it, and adds the SDK to a go.mod that is there.

Templates:
` + listTemplates(),
		Example: `  wasmoor new hello && cd hello && wasmoor dev
  wasmoor new todo --template api
  wasmoor new shop --module example.org/shop`,
		Args: cli.Takes("NAME"),
	}, func(_ *cobra.Command, args []string) error {
		return p.newProject(args[0], module, template)
	})
	cmd.Flags().StringVar(&module, "module", "", "path of the Go module (default example/NAME)")
	cmd.Flags().StringVar(&template, "template", scaffold.DefaultTemplate, "what the plugin does at first: "+strings.Join(templateNames(), ", "))
	return cmd
}

func listTemplates() string {
	var b strings.Builder
	for _, t := range scaffold.Templates() {
		fmt.Fprintf(&b, "  %-8s %s\n", t.Name, t.About)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func templateNames() (names []string) {
	for _, t := range scaffold.Templates() {
		names = append(names, t.Name)
	}
	return names
}

func (p *Commands) newProject(dir, module, template string) error {
	project := scaffold.Project{Module: module, Version: host.Version()}
	var err error
	if project.Template, err = findTemplate(template); err != nil {
		return err
	}
	if project.Name, err = pluginName(dir); err != nil {
		return err
	}
	if module != "" && (modpath.CheckImportPath(module) != nil || module == scaffold.Module || strings.HasPrefix(module, scaffold.Module+"/")) {
		return cli.Usage("--module %q is not a path for a module of yours; write e.g. example.org/%s", module, project.Name)
	}
	written, err := project.Write(dir)
	if err != nil {
		return refusedOr("make the project", err)
	}
	p.noteNew(dir, project.Name, written)
	return p.noteWorkspace(dir)
}

func findTemplate(name string) (t scaffold.Template, err error) {
	for _, t := range scaffold.Templates() {
		if t.Name == name {
			return t, nil
		}
	}
	hint := ""
	if near := spelling.Nearest(name, templateNames()); near != "" {
		hint = fmt.Sprintf("did you mean %q? ", near)
	}
	return t, cli.Usage("there is no template %q; %sthe templates are:\n%s", name, hint, listTemplates())
}

// pluginName returns what a plugin in a folder is called. A folder that is there
// keeps its name, whatever that is, and the plugin gets the nearest one.
func pluginName(dir string) (string, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return "", cli.FileError("make the project", err)
	}
	name := filepath.Base(path)
	if dir == "" {
		name = ""
	}
	refused := plugin.CheckName(name)
	if refused == nil {
		return name, nil
	}
	near := nearName(name)
	_, err = os.Stat(path)
	switch {
	case near == "":
		return "", cli.Usage("%s; write e.g. wasmoor new guestbook", fault.MessageOf(refused))
	case err == nil:
		return near, nil
	}
	return "", cli.Usage("%s; write e.g. wasmoor new %s", fault.MessageOf(refused), filepath.Join(filepath.Dir(dir), near))
}

// nearName returns the name of a plugin that is nearest to text, "" without one.
func nearName(text string) string {
	name := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			return c
		case c >= 'A' && c <= 'Z':
			return c - 'A' + 'a'
		case c < 0x80 && c != '\'' && c != '"':
			return '-'
		}
		return -1
	}, text)
	name = strings.Join(strings.FieldsFunc(name, func(c rune) bool { return c == '-' }), "-")
	name = strings.TrimRight(name[:min(len(name), 63)], "-")
	if plugin.CheckName(name) != nil {
		return ""
	}
	return name
}

// noteNew says what was made, and what of the author's was kept or changed.
func (p *Commands) noteNew(dir, name string, w *scaffold.Written) {
	if w.GoMod {
		asks := ""
		if w.Go != "" {
			asks = ", and asks for Go " + w.Go
		}
		p.Note("go.mod, of the module %s, has the SDK now%s", w.Module, asks)
	}
	if len(w.Kept) > 0 {
		ignore := ""
		if slices.Contains(w.Kept, ".gitignore") {
			ignore = "; git has to ignore *.wasm and wasmoor.dev.env"
		}
		p.Note("kept your %s%s", strings.Join(w.Kept, " and "), ignore)
	}
	if filepath.Clean(dir) == "." {
		p.Note("made the plugin %s; next: wasmoor dev", name)
		return
	}
	p.Note("made %s; next: cd %s && wasmoor dev", dir, dir)
}

// noteWorkspace says what the go command wants where a go.work holds for a new
// project.
func (p *Commands) noteWorkspace(dir string) error {
	if p.Getenv("GOWORK") == "off" {
		return nil
	}
	file, command, err := scaffold.JoinWorkspace(dir)
	if err != nil {
		return fault.Wrap(fault.Invalid, "read the workspace", "", err)
	}
	if command != "" {
		p.Note("the go command wants %s to fit the project; in its folder run: %s", file, command)
	}
	return nil
}
