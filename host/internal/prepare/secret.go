package prepare

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

const secretSize = 32

// loadSecret reads the key in the file path, or makes one there. A file that
// others can read, or that holds no key, is replaced: every artefact is built
// again then, and nothing else is lost.
func loadSecret(path string, log *slog.Logger) ([]byte, error) {
	secret, err := readSecret(path)
	if err == nil {
		return secret, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		log.Warn("the key of the artefacts is replaced, and they are built again", "file", path, "error", err)
		if err := os.Remove(path); err != nil {
			return nil, broken("replace the key of the artefacts", err)
		}
	}
	if err := createSecret(path); err != nil {
		return nil, broken("create the key of the artefacts", err)
	}
	secret, err = readSecret(path)
	if err != nil {
		return nil, broken("read the key of the artefacts", err)
	}
	return secret, nil
}

func readSecret(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if err := private(info); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	secret, err := io.ReadAll(io.LimitReader(f, secretSize+1))
	if err == nil && len(secret) != secretSize {
		err = errors.New("it does not have 32 bytes")
	}
	return secret, err
}

// createSecret makes the file appear whole or not at all. Of two processes that
// start at once, one makes it.
func createSecret(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	secret := make([]byte, secretSize)
	_, err = rand.Read(secret)
	if err == nil {
		_, err = f.Write(secret)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	err = os.Link(f.Name(), path) // unlike a rename, replaces nothing
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func broken(op string, err error) error { return fault.Wrap(fault.Internal, "prepare", op, err) }
