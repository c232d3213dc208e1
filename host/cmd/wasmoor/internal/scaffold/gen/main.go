// Command gen writes the sources of sdk and abi, which `wasmoor new` puts into a
// project, into one text archive. go generate runs it.
package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// moduleRoot is seen from the folder of package scaffold, where go generate runs
// the command.
const moduleRoot = "../../../../.."

func main() {
	log.SetFlags(0)
	archive, err := bundle(os.DirFS(moduleRoot))
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("sdk.txtar", archive, 0o644); err != nil {
		log.Fatal(err)
	}
}

var goLine = regexp.MustCompile(`(?m)^go (\S+)$`)

// bundle returns the archive: the packages of sdk and abi that guests and their
// tests import, without tests of their own. Its comment holds the Go version
// they need.
func bundle(root fs.FS) ([]byte, error) {
	mod, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		return nil, err
	}
	version := goLine.FindSubmatch(mod)
	if version == nil {
		return nil, fmt.Errorf("go.mod has no go line")
	}
	archive := &txtar.Archive{Comment: fmt.Appendf(nil,
		"Sources of abi and sdk for `wasmoor new`, written by go generate. DO NOT EDIT.\ngo %s\n", version[1])}
	for _, top := range []string{"abi", "sdk"} {
		if err := addTree(archive, root, top); err != nil {
			return nil, err
		}
	}
	out := txtar.Format(archive)
	if got := len(txtar.Parse(out).Files); got != len(archive.Files) {
		return nil, fmt.Errorf("a source has a line that looks like a file marker: %d files became %d", len(archive.Files), got)
	}
	return out, nil
}

func addTree(archive *txtar.Archive, root fs.FS, top string) error {
	return fs.WalkDir(root, top, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "abitest"): // for tests of our own
			return filepath.SkipDir
		case entry.IsDir() || path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		data, err := fs.ReadFile(root, file)
		if err != nil {
			return err
		}
		if bytes.Contains(data, []byte("\npackage main\n")) || bytes.HasPrefix(data, []byte("package main\n")) {
			return nil // a tool, or an example of another language's SDK
		}
		archive.Files = append(archive.Files, txtar.File{Name: file, Data: data})
		return nil
	})
}
