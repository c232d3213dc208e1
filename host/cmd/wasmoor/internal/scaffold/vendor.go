package scaffold

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tidyVendor removes the copy that an older wasmoor put into vendor, where it is
// all there is, and notes whether the go command would find another SDK there.
func (u *Update) tidyVendor(vendor string, now *sdk) error {
	list, err := readSource(filepath.Join(vendor, modulesTxt))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	switch ours, others, named := vendored(string(list)); {
	case !ours:
		return nil
	case named:
		u.Vendored, err = stale(filepath.Join(vendor, filepath.FromSlash(Module)), now)
		return err
	case others:
		u.Vendored = true
		return nil
	}
	u.Unvendor = true
	return unvendor(vendor)
}

const modulesTxt = "modules.txt"

// vendored says of a list of vendored modules whether the SDK is there, and other
// modules, and whether go.mod named a copy of the SDK when they were vendored.
func vendored(list string) (ours, others, named bool) {
	for line := range strings.Lines(list) {
		module, ok := strings.CutPrefix(line, "# ")
		switch {
		case !ok:
		case strings.HasPrefix(module, Module+" "):
			ours, named = true, named || strings.Contains(module, " => ")
		default:
			others = true
		}
	}
	return ours, others, named
}

// stale reports whether a vendored SDK has other sources than now.
func stale(dir string, now *sdk) (bool, error) {
	sources, err := sourcesIn(dir)
	for name, data := range sources {
		if !bytes.Equal(data, now.files[name]) {
			return true, err
		}
	}
	return false, err
}

// unvendor removes the SDK from vendor, and what is empty then.
func unvendor(vendor string) error {
	sdk := filepath.Join(vendor, filepath.FromSlash(Module))
	if err := errors.Join(os.RemoveAll(sdk), os.Remove(filepath.Join(vendor, modulesTxt))); err != nil {
		return err
	}
	for dir := filepath.Dir(sdk); len(dir) >= len(vendor); dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			return nil // something else is in it
		}
	}
	return nil
}
