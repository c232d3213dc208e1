// Package module keeps the modules of versions as files by their digests. Package
// registry says which are named.
package module

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

// Folder is a directory of modules by digest: HEX.wasm, mode 0600. A file
// under its name is whole: it is written under another, synced and renamed. One
// goroutine at a time may change it, and any read.
type Folder struct {
	dir     string
	SyncDir func(dir string) error // makes renames and removals in it durable
}

const (
	moduleSuffix = ".wasm"
	newSuffix    = ".new" // a file being written; one found at Open is of a crash
)

// Open returns the folder dir, which it makes if need be (mode 0700). Errors:
// Internal.
func Open(dir string) (*Folder, error) {
	m := &Folder{dir: dir, SyncDir: durable.SyncDir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, m.broken("make the directory of modules", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, m.broken("close the directory of modules to others", err)
	}
	return m, nil
}

func (m *Folder) broken(op string, err error) error {
	return fault.Wrap(fault.Internal, op, m.dir, err)
}

func (m *Folder) path(d plugin.Digest) string {
	return filepath.Join(m.dir, d.Hex()+moduleSuffix)
}

// Write makes the module's file durable and reports whether it was not there.
// A file that is damaged is replaced.
func (m *Folder) Write(d plugin.Digest, module []byte) (written bool, err error) {
	if _, err := m.Read(d); err == nil {
		// Whoever wrote it may have failed to make its name durable.
		if err := m.SyncDir(m.dir); err != nil {
			return false, m.broken("write a module", err)
		}
		return false, nil
	}
	if err := m.replace(d, module); err != nil {
		return false, m.broken("write a module", err)
	}
	return true, nil
}

func (m *Folder) replace(d plugin.Digest, module []byte) error {
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
	return m.SyncDir(m.dir)
}

// Read returns a module, checked against its digest. Errors: Invalid (not a digest),
// NotFound, Internal (the file is damaged).
func (m *Folder) Read(d plugin.Digest) ([]byte, error) {
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

// Open returns a module as it is stored, and its size. Who reads it compares the digest.
// Errors: Invalid (not a digest), NotFound, Internal.
func (m *Folder) Open(d plugin.Digest) (*os.File, int64, error) {
	const op = "open a module"
	if _, err := plugin.ParseDigest(string(d)); err != nil {
		return nil, 0, err
	}
	f, err := os.Open(m.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fault.New(fault.NotFound, op, fmt.Sprintf("no module has digest %s", d))
	}
	if err != nil {
		return nil, 0, m.broken(op, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, m.broken(op, errors.Join(err, f.Close()))
	}
	return f, info.Size(), nil
}

// Read returns a module in a folder that a server may use meanwhile: modules never
// change. Errors are those of Folder.Read.
func Read(dir string, d plugin.Digest) ([]byte, error) { return (&Folder{dir: dir}).Read(d) }

// Remove removes a module nobody names. One that stays is an orphan for Open.
func (m *Folder) Remove(d plugin.Digest) { _ = os.Remove(m.path(d)) }

// Keep removes every module that is not named, and what crashed writes left.
// Files it did not make stay.
func (m *Folder) Keep(named map[plugin.Digest]bool) error {
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
