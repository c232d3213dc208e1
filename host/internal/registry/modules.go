package registry

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// modules is a directory of modules by digest: HEX.wasm, mode 0600. A file
// under its name is whole: it is written under another, synced and renamed.
type modules struct {
	dir     string
	syncDir func(dir string) error // makes renames and removals in it durable
}

const (
	moduleSuffix = ".wasm"
	newSuffix    = ".new" // a file being written; one found at Open is of a crash
)

func openModules(dir string) (*modules, error) {
	m := &modules{dir: dir, syncDir: durable.SyncDir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, m.broken("make the directory of modules", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, m.broken("close the directory of modules to others", err)
	}
	return m, nil
}

func (m *modules) broken(op string, err error) error {
	return fault.Wrap(fault.Internal, op, m.dir, err)
}

func (m *modules) path(d plugin.Digest) string {
	return filepath.Join(m.dir, d.Hex()+moduleSuffix)
}

// write makes the module's file durable and reports whether it was not there.
// A file that is damaged is replaced.
func (m *modules) write(d plugin.Digest, module []byte) (written bool, err error) {
	if _, err := m.read(d); err == nil {
		// Whoever wrote it may have failed to make its name durable.
		if err := m.syncDir(m.dir); err != nil {
			return false, m.broken("write a module", err)
		}
		return false, nil
	}
	if err := m.replace(d, module); err != nil {
		return false, m.broken("write a module", err)
	}
	return true, nil
}

func (m *modules) replace(d plugin.Digest, module []byte) error {
	f, err := os.CreateTemp(m.dir, d.Short()+"-*"+newSuffix) // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(module)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), m.path(d))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return m.syncDir(m.dir)
}

func (m *modules) read(d plugin.Digest) ([]byte, error) {
	const op = "read a module"
	if _, err := plugin.ParseDigest(string(d)); err != nil {
		return nil, err
	}
	f, err := os.Open(m.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, op, fmt.Sprintf("no module has digest %s", d))
	}
	if err != nil {
		return nil, m.broken(op, err)
	}
	defer func() { _ = f.Close() }() // only read
	module, err := io.ReadAll(io.LimitReader(f, limit.Module+1))
	if err != nil {
		return nil, m.broken(op, err)
	}
	if plugin.DigestOf(module) != d {
		return nil, fault.New(fault.Internal, op, fmt.Sprintf(
			"the file %s is damaged: its content is not that of its digest; restore it from a backup, or upload the module again", m.path(d)))
	}
	return module, nil
}

// ReadModule returns a module in a directory of modules, as Registry.Module does,
// also while a Registry uses it: modules never change.
func ReadModule(dir string, d plugin.Digest) ([]byte, error) { return (&modules{dir: dir}).read(d) }

// remove removes a module nobody names. One that stays is an orphan for Open.
func (m *modules) remove(d plugin.Digest) { _ = os.Remove(m.path(d)) }

// keep removes every module that is not named, and what crashed writes left.
// Files it did not make stay.
func (m *modules) keep(named map[plugin.Digest]bool) error {
	files, err := os.ReadDir(m.dir)
	if err != nil {
		return m.broken("list the modules", err)
	}
	for _, f := range files {
		if !orphan(f.Name(), named) {
			continue
		}
		if err := os.Remove(filepath.Join(m.dir, f.Name())); err != nil {
			return m.broken("remove a module", err)
		}
	}
	return nil
}

func orphan(file string, named map[plugin.Digest]bool) bool {
	if strings.HasSuffix(file, newSuffix) {
		return true
	}
	digits, ok := strings.CutSuffix(file, moduleSuffix)
	d, err := plugin.ParseDigest("sha256:" + digits)
	return ok && err == nil && !named[d]
}
