// Package secret seals what operators entrust to plugins, so that a copy of the store
// is of no use without the key. Each plugin has a key of its own, which seals its
// values; the server's key wraps the keys of plugins, and is never in the store. So
// another server's key is a matter of wrapping a few keys anew. Package registry keeps
// what is sealed; package host opens the ring of the server's keys.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// Key is a key of 32 bytes.
type Key [KeySize]byte

// KeySize is the number of bytes of a key.
const KeySize = 32

// NewKey returns a key that nobody knows.
func NewKey() (k Key) {
	_, _ = rand.Read(k[:]) // never fails (crypto/rand)
	return k
}

// ID names a key and tells nothing of it.
func (k Key) ID() string {
	sum := sha256.Sum256(append([]byte("wasmoor/key-id/1\x00"), k[:]...))
	return hex.EncodeToString(sum[:8])
}

// String keeps the key out of what is printed.
func (Key) String() string { return "(key)" }

// GoString keeps it out of %#v.
func (Key) GoString() string { return "secret.Key{}" }

func (k Key) aead() cipher.AEAD {
	block, err := aes.NewCipher(k[:])
	if err == nil {
		var gcm cipher.AEAD
		if gcm, err = cipher.NewGCMWithRandomNonce(block); err == nil {
			return gcm
		}
	}
	panic(err) // the key has the right size
}

// Place is where something sealed belongs. What is put elsewhere does not open there.
type Place struct {
	What  string // "value" or "key"
	Space uint64 // of the plugin: that of a name that was purged and came again is another
	Name  string // of the value; the number of the key
}

// data is the place as what a seal is bound to. Lengths stand before the texts, so
// that no two places are written alike.
func (p Place) data() []byte {
	b := []byte("wasmoor/secret/1\x00")
	for _, text := range []string{p.What, p.Name} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	return binary.BigEndian.AppendUint64(b, p.Space)
}

// Seal seals a value for its place (AES-256-GCM under a random nonce, which comes
// first).
func (k Key) Seal(at Place, value []byte) []byte { return k.aead().Seal(nil, nil, value, at.data()) } //nolint:gosec // this AEAD makes the nonce itself

// Open returns a value that was sealed for the place with this key.
func (k Key) Open(at Place, sealed []byte) ([]byte, error) {
	value, err := k.aead().Open(nil, nil, sealed, at.data())
	if err != nil {
		return nil, errOther
	}
	return value, nil
}

var errOther = errors.New("it was sealed with another key, for another place, or is damaged")
