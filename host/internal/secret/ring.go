package secret

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Ring is the server's keys: the one that wraps, and those before it, as long as
// something is wrapped with them. Safe for concurrent use.
type Ring struct {
	file   string // that is written at a rotation; "" = the keys come from elsewhere
	source string // for people

	mu   sync.Mutex
	keys []Key // the newest first; never empty
}

const (
	op      = "read the key of the secrets"
	maxFile = 4 << 10 // of a file of keys, in bytes
	maxKeys = 16
)

// Ephemeral returns a ring whose key ends with the process.
func Ephemeral() *Ring { return &Ring{source: "this process", keys: []Key{NewKey()}} }

// Parse returns the ring of a text: keys of 32 bytes in base64, one a line or with
// commas between, the newest first. source says where the text is from.
func Parse(text, source string) (*Ring, error) {
	keys, err := parse(text, source)
	return &Ring{source: source, keys: keys}, err
}

// Load reads the ring in the file path. make says that a key is made there (mode
// 0600) where there is no file; owned, that the file is this server's to write, and
// that nobody else may read it. Errors are Invalid, with what to do, or Internal.
func Load(path string, owned bool) (*Ring, error) {
	text, err := read(path, owned)
	if errors.Is(err, fs.ErrNotExist) && owned {
		if _, err = durable.Create(path, encode([]Key{NewKey()})); err == nil {
			text, err = read(path, owned) // another process may have made it
		}
	}
	switch {
	case fault.CodeOf(err) == fault.Invalid:
		return nil, err
	case err != nil:
		return nil, fault.Wrap(fault.Invalid, op, fmt.Sprintf("the file %s cannot be read or made", path), err)
	}
	r, err := Parse(string(text), path)
	if err == nil && owned {
		r.file = path
	}
	return r, err
}

// Check returns why Load would refuse the file path, which need not be there.
func Check(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, err := Load(path, true)
	return err
}

func read(path string, owned bool) ([]byte, error) {
	f, err := durable.OpenRegular(path)
	if errors.Is(err, durable.ErrNotRegular) {
		return nil, fault.New(fault.Invalid, op, fmt.Sprintf("%s is not a regular file", path))
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case owned && info.Mode().Perm()&0o077 != 0:
		return nil, fault.New(fault.Invalid, op, fmt.Sprintf(
			"the file %s can be read by others (mode %04o); run: chmod 600 %s", path, info.Mode().Perm(), path))
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

func parse(text, source string) (keys []Key, err error) {
	bad := func(why string) error {
		return fault.New(fault.Invalid, op, fmt.Sprintf(
			"%s %s; write 32 random bytes in base64, one key a line, the newest first, as made by: head -c 32 /dev/urandom | base64", source, why))
	}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for item := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
			data, err := base64.StdEncoding.DecodeString(item)
			if err != nil || len(data) != KeySize {
				return nil, bad(fmt.Sprintf("holds %d characters that are no key", len(item)))
			}
			if key := Key(data); !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	switch {
	case len(keys) == 0:
		return nil, bad("holds no key")
	case len(keys) > maxKeys:
		return nil, bad(fmt.Sprintf("holds more than %d keys", maxKeys))
	}
	return keys, nil
}

// encode writes a file of keys.
func encode(keys []Key) []byte {
	var b bytes.Buffer
	b.WriteString("# The key that wasmoor seals secrets with. No backup holds it: keep a copy elsewhere.\n")
	for i, key := range keys {
		if i > 0 {
			b.WriteString("# before, until all is wrapped with the one above\n")
		}
		b.WriteString(base64.StdEncoding.EncodeToString(key[:]) + "\n")
	}
	return b.Bytes()
}

// Source says where the keys come from.
func (r *Ring) Source() string { return r.source }

// Current returns the id of the key that wraps.
func (r *Ring) Current() string { return r.all()[0].ID() }

func (r *Ring) all() []Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys
}

// Wrapped is the key of a plugin, which a key of a ring has wrapped.
type Wrapped struct {
	By   string // id of that key
	Data []byte
}

// Wrap wraps a plugin's key for its place.
func (r *Ring) Wrap(at Place, plugin Key) Wrapped {
	key := r.all()[0]
	return Wrapped{By: key.ID(), Data: key.Seal(at, plugin[:])}
}

// Unwrap returns the key of a plugin. Its error says for people why it cannot.
func (r *Ring) Unwrap(at Place, w Wrapped) (Key, error) {
	for _, key := range r.all() {
		if key.ID() != w.By {
			continue
		}
		data, err := key.Open(at, w.Data)
		if err == nil && len(data) != KeySize {
			err = errOther
		}
		if err != nil {
			return Key{}, err
		}
		return Key(data), nil
	}
	return Key{}, fmt.Errorf("sealed with another key (%s)", w.By)
}

// Rotate makes a new key the one that wraps, and has rewrap wrap anew what is wrapped
// with others. The keys before are kept, in the file too, until rewrap has done so: a
// crash at any point leaves a ring that opens everything. It returns the id of the new
// key.
func (r *Ring) Rotate(rewrap func() error) (string, error) {
	if r.file == "" {
		return "", fault.New(fault.Conflict, "rotate the key of the secrets", fmt.Sprintf(
			"the key comes from %s, which this server does not write; put a new key before the one that is there, with a comma or a line end between, and restart: the start wraps all anew and says when the old key may go", r.source))
	}
	key := NewKey()
	keys := append([]Key{key}, r.all()...)
	if len(keys) > maxKeys {
		return "", fault.New(fault.Conflict, "rotate the key of the secrets", "too many rotations have not been finished; the log says why")
	}
	if err := r.write(keys); err != nil {
		return "", err
	}
	if err := rewrap(); err != nil {
		return "", err
	}
	return key.ID(), r.Settle()
}

// Settle forgets all keys but the one that wraps. Nothing is wrapped with the others
// any more. Keys that the server does not write stay.
func (r *Ring) Settle() error {
	keys := r.all()
	if r.file == "" || len(keys) == 1 {
		return nil
	}
	return r.write(keys[:1:1])
}

// Old reports whether the ring has keys before the one that wraps.
func (r *Ring) Old() bool { return len(r.all()) > 1 }

func (r *Ring) write(keys []Key) error {
	if err := durable.Replace(r.file, encode(keys)); err != nil {
		return fault.Wrap(fault.Internal, "write the key of the secrets", r.file, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = keys
	return nil
}
