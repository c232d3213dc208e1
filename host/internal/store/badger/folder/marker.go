package folder

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
)

// A store has an id, which a file outside its folder, the marker, repeats: a
// folder that was emptied or exchanged is not taken for a new store.

// checkMarked refuses a folder without a store where there was one.
func checkMarked(cfg Config) error {
	id, err := readMarker(cfg.Marker)
	if err != nil || id == "" {
		return err
	}
	_, err = os.Stat(filepath.Join(cfg.Dir, badger.ManifestFilename))
	if !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fault.New(fault.Invalid, "open store", fmt.Sprintf(
		"%q holds no store, and there was one (%s says so): its files are gone, or a file system is not mounted; put them back or restore a backup of the data directory. To begin with an empty store, delete %s",
		cfg.Dir, cfg.Marker, cfg.Marker))
}

// readMarker returns the id in a marker, "" without one.
func readMarker(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, "open store", fmt.Sprintf("cannot read %q", path), err)
	}
	id := string(bytes.TrimSpace(b))
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != layout.IDSize {
		return "", fault.New(fault.Invalid, "open store", fmt.Sprintf("%q is damaged: it should hold the id of the store next to it; delete it, and the next start writes it anew", path))
	}
	return id, nil
}

// NewID returns the id of a new store.
func NewID() []byte {
	id := make([]byte, layout.IDSize)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	return id
}

// Mark compares the id of the store with the marker, and writes one that is
// missing.
func Mark(cfg Config, own []byte) error {
	if cfg.Marker == "" {
		return nil
	}
	have, err := readMarker(cfg.Marker)
	if err != nil {
		return err
	}
	switch id := hex.EncodeToString(own); have {
	case id:
		return nil
	case "":
		if err := durable.Replace(cfg.Marker, []byte(id+"\n")); err != nil {
			return fault.Wrap(fault.Unavailable, "open store", fmt.Sprintf("cannot write %q", cfg.Marker), err)
		}
		return nil
	default:
		return fault.New(fault.Invalid, "open store", fmt.Sprintf(
			"%q holds store %s, and %s names %s: the folder was exchanged. Put the other back, or delete %s if this one is right",
			cfg.Dir, id, cfg.Marker, have, cfg.Marker))
	}
}
