package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"sync"

	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// File is the token of a machine's owner, in a file that may be replaced while
// the host runs: the one before is worth nothing from then on. Safe for
// concurrent use.
type File struct {
	path string

	mu    sync.Mutex
	token Token
	read  fs.FileInfo // of the file that token was in
}

// OpenFile reads the token in the file path, or makes one there, as LoadOrCreate
// does.
func OpenFile(path string) (*File, error) {
	if _, _, err := LoadOrCreate(path); err != nil {
		return nil, err
	}
	f := &File{path: path}
	_, err := f.Token()
	return f, err
}

// Token returns the token that is in the file now. Errors: as of LoadOrCreate.
func (f *File) Token() (Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err == nil && f.read != nil && os.SameFile(info, f.read) && info.ModTime().Equal(f.read.ModTime()) && info.Size() == f.read.Size() {
		return f.token, nil
	}
	token, err := load(f.path)
	if err != nil {
		f.read = nil
		return Token{}, err
	}
	f.token, f.read = token, info
	return token, nil
}

// Identify returns who sends a request with that value of its header
// Authorization. Errors: Unauthenticated.
func (f *File) Identify(authorization string, from netip.Addr) (Identity, error) {
	token, err := f.Token()
	if err != nil {
		return Identity{}, fault.Wrap(fault.Unauthenticated, "", "the token file of the server cannot be read; on its machine, run: wasmoor token reset-owner", err)
	}
	return token.Identify(authorization, from)
}

// User returns who has written the file, of the users of the machine; "" = that is not
// known.
func (f *File) User() string {
	info, err := os.Stat(f.path)
	if err != nil {
		return ""
	}
	return userOf(info)
}

// ResetFile puts a new token into the file path, in place of the one there. A host
// that runs takes it from then on. Errors: NotFound when there is no file, as in a
// folder that is no host's; Internal.
func ResetFile(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "replace the owner's token", fmt.Sprintf("there is no token file %s; name the data folder of the server with --data", path))
	}
	if err := durable.Replace(path, []byte(generate()+"\n")); err != nil {
		return fault.Wrap(fault.Internal, "replace the owner's token", path, err)
	}
	return nil
}

func generate() string {
	secret := make([]byte, secretSize)
	rand.Read(secret) // never fails (crypto/rand)
	return prefix + base64.RawURLEncoding.EncodeToString(secret)
}
