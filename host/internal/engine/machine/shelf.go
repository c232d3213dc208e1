package machine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/tetratelabs/wazero"
)

// shelf is the directory in which wazero looks for machine code. It is empty
// but for what is being loaded, so that it cannot serve what nobody vouches for.
type shelf struct {
	root, dir string // dir is the one of this version of wazero, within root

	mu   sync.Mutex
	lent map[string]bool
	back sync.Cond // one of them came back
}

// newShelf returns an empty shelf, which only this process's user can read, and
// the cache that looks there. Remove it when the cache is closed.
func newShelf() (*shelf, wazero.CompilationCache, error) {
	root, err := os.MkdirTemp("", "wasmoor-code-")
	if err != nil {
		return nil, nil, err
	}
	cache, err := wazero.NewCompilationCacheWithDir(root)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(root))
	}
	dir, err := only(root)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(root))
	}
	s := &shelf{root: root, dir: filepath.Join(root, dir), lent: map[string]bool{}}
	s.back.L = &s.mu
	return s, cache, nil
}

func (s *shelf) remove() error { return os.RemoveAll(s.root) }

// lend makes a file of machine code available, until back is called. Nobody
// else gets it meanwhile: wazero v1.12.0 shows a module to who asks for the same
// one before it is whole.
func (s *shelf) lend(file string) (back func(), err error) {
	place := filepath.Join(s.dir, filepath.Base(file))
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.lent[place] {
		s.back.Wait()
	}
	if err := linkFile(file, place); err != nil {
		return nil, err
	}
	s.lent[place] = true
	return func() { s.takeBack(place) }, nil
}

func (s *shelf) takeBack(place string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = os.Remove(place) // wazero has, if the code was not its own; the rest goes with the shelf
	delete(s.lent, place)
	s.back.Broadcast()
}

// linkFile gives a file a second name, or copies it where the system makes no
// links.
func linkFile(file, place string) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	if os.Symlink(file, place) == nil {
		return nil
	}
	return copyFile(file, place)
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// only returns the name of the one entry of a directory.
func only(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(entries) != 1 {
		return "", fmt.Errorf("%d entries in %s, want one", len(entries), dir)
	}
	return entries[0].Name(), nil
}
