package archtest

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var quoted = regexp.MustCompile("`([^`]+)`")

// names returns what stands in backquotes.
func names(text string) map[string]bool {
	set := map[string]bool{}
	for _, found := range quoted.FindAllStringSubmatch(text, -1) {
		set[found[1]] = true
	}
	return set
}

// room is a row of the table of rooms: the packages that it is about, and what it says
// of them.
type room struct{ packages, words map[string]bool }

// has reports whether the row tells of a package: it names it, or the folder that it
// lies in with a star, or says its name, whole or below that of another, of this one.
func (r room) has(name string) bool {
	if r.packages[name] || r.words[name] || r.packages[path.Dir(name)+"/*"] {
		return true
	}
	for top := range r.packages {
		if below, ok := strings.CutPrefix(name, top+"/"); ok && r.words[below] {
			return true
		}
	}
	return false
}

func rooms(t *testing.T, root string) (list []room) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "host/docs/ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| room | what it holds |")
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		if cells := strings.SplitN(line, "|", 4); len(cells) == 4 {
			list = append(list, room{names(cells[1]), names(cells[2])})
		}
	}
	return list
}

// TestEveryPackageHasARoom: whoever looks for a package in ARCHITECTURE.md finds it,
// and finds none that is gone.
func TestEveryPackageHasARoom(t *testing.T) {
	root, pkgs := tree(t)
	list := rooms(t, root)
	exist := map[string]bool{}
	for dir, p := range pkgs {
		if !anyUnder(dir, "host", "abi", "sdk") || len(p.files) == 0 || p.helper() {
			continue
		}
		name := strings.TrimPrefix(dir, "host/internal/")
		exist[name] = true
		found := false
		for _, r := range list {
			found = found || r.has(name)
		}
		if !found {
			t.Errorf("%s has no row in ARCHITECTURE.md's table of rooms", dir)
		}
	}
	for _, r := range list {
		for name := range r.packages {
			if !exist[name] && path.Base(name) != "*" {
				t.Errorf("ARCHITECTURE.md has a room %s, which does not exist", name)
			}
		}
	}
}
