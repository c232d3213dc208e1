package scaffold

import (
	"go/version"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// JoinWorkspace finds the go.work that holds for a project, and returns the
// command that makes it fit the project, "" if there is none or it fits already.
// The go command knows of no other modules than those of the workspace, and takes
// one folder for the SDK of all.
func JoinWorkspace(dir string) (file, command string, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return "", "", err
	}
	for above := dir; ; above = filepath.Dir(above) {
		file = filepath.Join(above, "go.work")
		if data, err := os.ReadFile(file); err == nil {
			command, err = join(file, data, dir)
			return file, command, err
		}
		if above == filepath.Dir(above) {
			return "", "", nil
		}
	}
}

func join(file string, data []byte, dir string) (string, error) {
	work, err := modfile.ParseWork(file, data, nil)
	if err != nil {
		return "", err
	}
	name, err := filepath.Rel(filepath.Dir(file), dir)
	if err != nil {
		return "", err
	}
	var commands []string
	named, others := false, false
	for _, use := range work.Use {
		other := filepath.Join(filepath.Dir(file), filepath.FromSlash(use.Path))
		named = named || other == dir
		others = others || other != dir && hasCopy(other)
	}
	switch {
	case !named:
		commands = append(commands, "go work use ./"+filepath.ToSlash(name))
	case isOlder(work, dir):
		commands = append(commands, "go work use") // takes the newest go line of all
	}
	replaced := slices.ContainsFunc(work.Replace, func(r *modfile.Replace) bool { return r.Old.Path == Module })
	if others && !(named && replaced) {
		commands = append(commands, "go work edit -replace "+Module+"=./"+filepath.ToSlash(filepath.Join(name, Folder)))
	}
	return strings.Join(commands, " && "), nil
}

// isOlder reports whether a workspace asks for an older Go than the module in dir.
func isOlder(work *modfile.WorkFile, dir string) bool {
	m, err := openMod(dir)
	return err == nil && m.file.Go != nil && (work.Go == nil || version.Compare("go"+work.Go.Version, "go"+m.file.Go.Version) < 0)
}
