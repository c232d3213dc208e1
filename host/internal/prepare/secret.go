package prepare

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/wasmoor/wasmoor/host/internal/durable"
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

// createSecret makes the file. Of two processes that start at once, one does.
func createSecret(path string) error {
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	_, err := durable.Create(path, secret)
	return err
}

func broken(op string, err error) error { return fault.Wrap(fault.Internal, "prepare", op, err) }
