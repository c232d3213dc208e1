package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// built is what the servers of all tests have built of modules, in a data directory of
// its own. A server with a new data directory begins with it, as one that is started
// again does, so the tests compile one module once. Files are linked and never changed.
var built struct {
	mu  sync.Mutex
	dir string
	key []byte // that the artefacts are sealed with
}

const artefacts, artefactKey = "artefacts", "artefact.key"

// lend gives a data directory that is new what was built. Benchmarks build themselves.
func lend(t testing.TB, dir string) error {
	if _, benchmark := t.(*testing.B); benchmark {
		return nil
	}
	built.mu.Lock()
	defer built.mu.Unlock()
	if len(built.key) == 0 {
		return nil
	}
	key, err := os.OpenFile(filepath.Join(dir, artefactKey), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil // it has a key, or is none that a server could use
	}
	_, err = key.Write(built.key)
	return errors.Join(err, key.Close(), linkAll(filepath.Join(built.dir, artefacts), filepath.Join(dir, artefacts)))
}

// keep keeps what was built in a data directory whose server has ended, unless it is
// sealed with another key.
func keep(dir string) error {
	key, err := os.ReadFile(filepath.Join(dir, artefactKey))
	if err != nil {
		return nil // it has built nothing
	}
	built.mu.Lock()
	defer built.mu.Unlock()
	if len(built.key) == 0 {
		built.key = key
	}
	if string(key) != string(built.key) {
		return nil
	}
	return linkAll(filepath.Join(dir, artefacts), filepath.Join(built.dir, artefacts))
}

// linkAll links the artefacts in one directory that are not in another. Each appears
// there whole.
func linkAll(from, to string) error {
	list, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err, os.MkdirAll(to, 0o700)}
	for _, d := range list {
		if _, err := os.Lstat(filepath.Join(to, d.Name())); err == nil || strings.HasPrefix(d.Name(), "build-") {
			continue
		}
		errs = append(errs, linkTree(filepath.Join(from, d.Name()), filepath.Join(to, d.Name())))
	}
	return errors.Join(errs...)
}

func linkTree(from, to string) error {
	whole := to + ".part"
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(from, name)
		switch {
		case errors.Join(err, relErr) != nil:
			return errors.Join(err, relErr)
		case d.IsDir():
			return os.Mkdir(filepath.Join(whole, rel), 0o700)
		}
		return os.Link(name, filepath.Join(whole, rel))
	})
	if err != nil {
		return errors.Join(err, os.RemoveAll(whole))
	}
	return os.Rename(whole, to)
}
