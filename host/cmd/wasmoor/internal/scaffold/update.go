package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// Update says what was done to a project's copy of the SDK.
type Update struct {
	Folder   string   // of the copy, relative to the project
	From, To Copy     // From is zero where there was none
	Changed  []string // sources that were added, removed or replaced, sorted
	Replaced bool     // go.mod has a line that names the copy now
	Go       string   // what go.mod asks for now, since the SDK does; "" = it did before
	Unvendor bool     // the copy in vendor, of an older wasmoor, is gone
	Vendored bool     // vendor has another SDK now: `go mod vendor` brings it there
}

// Nothing reports whether all was as it should be.
func (u *Update) Nothing() bool {
	return u.From == u.To && len(u.Changed) == 0 && !u.Replaced && u.Go == "" && !u.Unvendor
}

// Refusal is a reason of the project's why nothing was done.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// Refresh brings the copy of the SDK in the project in dir to that of this
// program, which is of the version that is passed. Of the author's it writes
// go.mod alone, and of that the line that names the copy, and the version of Go
// if the SDK needs a newer one. A copy with changes of the author's own is
// refused unless force is true. It may be called again after any error, which is
// a Refusal or the system's.
func Refresh(dir, program string, force bool) (*Update, error) {
	mod, err := openMod(dir)
	if err != nil {
		return nil, err
	}
	folder, err := copyFolder(mod)
	if err != nil {
		return nil, err
	}
	now := current(program)
	u := &Update{Folder: folder, To: now.Copy}
	target := filepath.Join(dir, filepath.FromSlash(folder))
	if err := u.compare(target, now, force); err != nil {
		return nil, err
	}
	if u.From != u.To || len(u.Changed) > 0 {
		if err := replaceFolder(target, now.files); err != nil {
			return nil, err
		}
	}
	if err := u.edit(mod, now.goVersion); err != nil {
		return nil, err
	}
	return u, u.tidyVendor(filepath.Join(dir, "vendor"), now)
}

// compare notes what changes in the folder of the copy.
func (u *Update) compare(target string, now *sdk, force bool) error {
	written, sources, err := readCopy(target)
	switch {
	case errors.Is(err, errNoCopy), errors.Is(err, fs.ErrNotExist) && exists(target):
		return Refusal(fmt.Sprintf("%s is not a copy of the SDK that wasmoor wrote; move it away, or name another folder in go.mod", u.Folder))
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case written.Digest != digestOf(sources) && !force:
		return Refusal(fmt.Sprintf("%s has changes of your own, which an update would drop; keep them elsewhere, then run it with --force", u.Folder))
	}
	u.From, u.Changed = written, differing(sources, now.files)
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// differing lists the sources that are not the same on both sides.
func differing(had, have map[string][]byte) []string {
	changed := map[string]bool{}
	for name, data := range have {
		if old, ok := had[name]; name != goMod && (!ok || !bytes.Equal(old, data)) {
			changed[name] = true
		}
	}
	for name := range had {
		if _, ok := have[name]; !ok {
			changed[name] = true
		}
	}
	return slices.Sorted(maps.Keys(changed))
}

// replaceFolder makes a folder that has these files and no others. An
// interruption loses nothing: the old or the new one is whole, perhaps under a
// hidden name, which the next update removes.
func replaceFolder(target string, files map[string][]byte) error {
	spare := filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+".new")
	old := filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+".old")
	for _, left := range []string{spare, old} {
		if err := os.RemoveAll(left); err != nil {
			return err
		}
	}
	if err := writeFiles(spare, files); err != nil {
		return errors.Join(err, os.RemoveAll(spare))
	}
	if err := os.Rename(target, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, os.RemoveAll(spare))
	}
	if err := os.Rename(spare, target); err != nil {
		return errors.Join(err, os.Rename(old, target), os.RemoveAll(spare))
	}
	return os.RemoveAll(old)
}

// mod is the go.mod of a project.
type mod struct {
	path   string
	file   *modfile.File
	edited bool
}

func openMod(dir string) (*mod, error) {
	m := &mod{path: filepath.Join(dir, goMod)}
	data, err := readSource(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Refusal(fmt.Sprintf("%s has no go.mod, so it is not a plugin project in Go; call it in the folder of one, or make one with `wasmoor new NAME`", dir))
	}
	if err != nil {
		return nil, err
	}
	if m.file, err = modfile.Parse(m.path, data, nil); err != nil {
		return nil, Refusal(err.Error())
	}
	return m, nil
}

// hasCopy reports whether the go.mod in dir names a copy of the SDK.
func hasCopy(dir string) bool {
	m, err := openMod(dir)
	return err == nil && slices.ContainsFunc(m.file.Replace, func(r *modfile.Replace) bool { return r.Old.Path == Module })
}

// copyFolder returns where a project has its copy, relative to it.
func copyFolder(m *mod) (string, error) {
	if m.file.Module != nil && m.file.Module.Mod.Path == Module {
		return "", Refusal("this is the SDK itself, and no project that has a copy of it")
	}
	if !slices.ContainsFunc(m.file.Require, func(r *modfile.Require) bool { return r.Mod.Path == Module }) {
		return "", Refusal(fmt.Sprintf("%s does not require %s; if the project is to use it, run first: go mod edit -require=%s@%s", m.path, Module, Module, noVersion))
	}
	for _, r := range m.file.Replace {
		switch {
		case r.Old.Path != Module:
		case r.New.Version == "" && filepath.IsLocal(filepath.FromSlash(r.New.Path)) && r.New.Path != ".":
			return strings.TrimPrefix(r.New.Path, "./"), nil
		default:
			return "", Refusal(fmt.Sprintf("%s replaces the SDK by %s, which is no folder of the project: it is yours to update; remove that line to have a copy", m.path, strings.TrimSpace(r.New.Path+" "+r.New.Version)))
		}
	}
	return Folder, nil
}

// edit has go.mod name the copy, and ask for the Go that it needs.
func (u *Update) edit(m *mod, goVersion string) error {
	named := slices.ContainsFunc(m.file.Replace, func(r *modfile.Replace) bool { return r.Old.Path == Module })
	if !named {
		if err := m.file.AddReplace(Module, "", "./"+u.Folder, ""); err != nil {
			return err
		}
		u.Replaced = true
	}
	if m.file.Go == nil || version.Compare("go"+m.file.Go.Version, "go"+goVersion) < 0 {
		if err := m.file.AddGoStmt(goVersion); err != nil {
			return err
		}
		u.Go = goVersion
	}
	if !u.Replaced && u.Go == "" && !m.edited {
		return nil
	}
	data, err := m.file.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(m.path, data, 0o644)
}
