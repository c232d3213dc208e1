package scaffold

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// Written says what making a project did with what was there before.
type Written struct {
	Module string   // of the project
	GoMod  bool     // go.mod was there and has the SDK now
	Go     string   // what that go.mod asks for now; "" = it did before
	Kept   []string // files that were there and stayed as they were
}

// optional are files that a project does without: an author's own stay in their
// place. Any other file that is there is a reason to make nothing.
var optional = []string{"README.md", ".gitignore"}

// Write makes the project in dir, which may exist and hold other files. It
// overwrites nothing: a go.mod that is there gets the SDK, and stays the
// author's in everything else. Errors are a Refusal, after which nothing has
// changed, or the system's.
func (p Project) Write(dir string) (*Written, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, Refusal(dir + " is a file, and a project is a folder: choose another name")
	}
	files := p.files()
	mod, err := openMod(dir)
	if _, refused := errors.AsType[Refusal](err); err != nil && (!refused || exists(filepath.Join(dir, goMod))) {
		return nil, err
	}
	w := &Written{}
	if err := p.check(dir, files, w); err != nil {
		return nil, err
	}
	if mod != nil {
		if err := p.join(mod, w); err != nil {
			return nil, err
		}
		delete(files, goMod)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return w, writeFiles(dir, files)
}

// check refuses a folder in which the project would overwrite something, or
// would not compile, and takes out of files what stays as it is.
func (p Project) check(dir string, files map[string][]byte, w *Written) error {
	var taken []string
	if exists(filepath.Join(dir, Folder)) {
		taken = append(taken, Folder)
	}
	for _, name := range names(files) {
		switch {
		case name == goMod || strings.HasPrefix(name, Folder+"/") || !exists(filepath.Join(dir, filepath.FromSlash(name))):
		case slices.Contains(optional, name):
			w.Kept = append(w.Kept, name)
			delete(files, name)
		default:
			taken = append(taken, name)
		}
	}
	if len(taken) > 0 {
		return Refusal(fmt.Sprintf("%s has %s already, which the project would overwrite: move it away, or make the project in another folder",
			dir, strings.Join(taken, ", ")))
	}
	others, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err == nil && len(others) > 0 {
		return Refusal(fmt.Sprintf("%s has Go files of its own, like %s: a plugin is a package main of its own, so make it in another folder, which may be below this one; to make a plugin of the program that is there, see `A program that you have` in sdk/NETHTTP.md",
			dir, filepath.Base(others[0])))
	}
	return err
}

// join adds the SDK to the go.mod that is there.
func (p Project) join(m *mod, w *Written) error {
	if m.file.Module == nil {
		return Refusal(m.path + " has no module line; write one, or remove the file")
	}
	w.Module, w.GoMod = m.file.Module.Mod.Path, true
	if p.Module != "" && p.Module != w.Module {
		return Refusal(fmt.Sprintf("%s is of the module %s, and not of %s; leave --module out", m.path, w.Module, p.Module))
	}
	if !slices.ContainsFunc(m.file.Require, func(r *modfile.Require) bool { return r.Mod.Path == Module }) {
		m.edited = true
		if err := m.file.AddRequire(Module, noVersion); err != nil {
			return err
		}
	}
	folder, err := copyFolder(m)
	if err == nil && folder != Folder {
		err = Refusal(fmt.Sprintf("%s replaces the SDK by the folder %s; remove that line, for the project has its copy in %s", m.path, folder, Folder))
	}
	if err != nil {
		return err
	}
	u := Update{Folder: folder}
	err = u.edit(m, current(p.Version).goVersion)
	w.Go = u.Go
	return err
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
