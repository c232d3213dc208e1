// Package session keeps who a browser is signed in as, in either of two ways.
// Stored keeps it in the plugin's store, under a random token that the cookie has:
// such a session can be listed and ended. Sealed keeps it in the cookie itself,
// encrypted: that costs no read, and it ends only by its time.
//
// Both go from the value of a cookie to a session and from a session to a cookie,
// so that handlers of package sdk and of net/http use them alike:
//
//	value, _ := r.Cookie("session")                  // sdk
//	err := w.SetCookie(sessions.Cookie(value))
//
//	c, err := r.Cookie("session")                    // net/http, c.Value
//	field, err := sessions.Cookie(value).Field()
//	w.Header().Add("Set-Cookie", field)
//
// Plugins import it.
package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/internal/world"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

// DefaultName is the name of the cookie, unless another is given.
const DefaultName = "session"

// ErrTooLarge means that the data has no room in a cookie, or over 64 KiB in the store.
var ErrTooLarge = errors.New("session: the data is too large")

// Sealed keeps sessions in a cookie, which its browser can neither read nor change,
// but keep: what it has once been given it may show again until Life is over. Safe
// for concurrent use.
type Sealed struct {
	// Keys are secrets of 32 bytes or more, from wasmoor var set. The first seals,
	// and all open: put a new one first, and leave the old one out after Life.
	Keys []string
	Name string // of the cookie; "" = DefaultName. A value is of no use under another
	Life kv.TTL // of a session, from Seal on; 0 = a day
}

const (
	sealedVersion = 1
	nonceSize     = 12
	tagSize       = 16
	timeSize      = 8
	minKey        = 32
	maxSealed     = 4096 // of a cookie's name and value
)

// Seal returns the value of the cookie that holds data: at most about 3000 bytes,
// else ErrTooLarge. Without a good key it fails too.
func (s Sealed) Seal(data []byte) (value string, err error) {
	if err := s.check(); err != nil {
		return "", err
	}
	size := 1 + nonceSize + timeSize + len(data) + tagSize
	if len(s.name())+base64.RawURLEncoding.EncodedLen(size) > maxSealed {
		return "", ErrTooLarge
	}
	b := append(make([]byte, 0, size), sealedVersion)
	b = b[:1+nonceSize]
	world.Random(b[1:])
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, timeSize+len(data)), uint64(world.Now()+int64(s.life())))
	return base64.RawURLEncoding.EncodeToString(seal(s.Keys[0]).Seal(b, b[1:], append(plain, data...), s.about())), nil
}

// Open returns what was sealed in a value. ok is false if it is no longer good, or
// never was. Without a good key it is an error.
func (s Sealed) Open(value string) (data []byte, ok bool, err error) {
	if err := s.check(); err != nil {
		return nil, false, err
	}
	if len(value) > maxSealed {
		return nil, false, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || len(b) < 1+nonceSize+timeSize+tagSize || b[0] != sealedVersion {
		return nil, false, nil
	}
	for _, key := range s.Keys {
		plain, err := seal(key).Open(nil, b[1:1+nonceSize], b[1+nonceSize:], s.about())
		if err == nil && world.Now() < int64(binary.BigEndian.Uint64(plain)) {
			return plain[timeSize:], true, nil
		}
	}
	return nil, false, nil
}

// Cookie returns the cookie to set for a value; "" has the browser forget it.
func (s Sealed) Cookie(value string) sdk.Cookie { return cookie(s.name(), value, s.life()) }

func (s Sealed) check() error {
	if len(s.Keys) == 0 {
		return errors.New("session: there is no key to seal with")
	}
	for _, key := range s.Keys {
		if len(key) < minKey {
			return errors.New("session: a key has fewer than 32 bytes; make one with: openssl rand -hex 32")
		}
	}
	return nil
}

// about is what a value is bound to.
func (s Sealed) about() []byte { return append([]byte{sealedVersion}, s.name()...) }

func (s Sealed) name() string {
	if s.Name == "" {
		return DefaultName
	}
	return s.Name
}

func (s Sealed) life() kv.TTL {
	return orDefault(s.Life, kv.Day)
}

// longest is the longest time that counts: so long a session need not be.
const longest = 3650 * kv.Day

func orDefault(t, usual kv.TTL) kv.TTL {
	if t <= 0 {
		return usual
	}
	return min(t, longest)
}

// seal returns AES-256-GCM with a key that is made for nothing else.
func seal(secret string) cipher.AEAD {
	key := sha256.Sum256([]byte("wasmoor sealed session\x00" + secret))
	block, _ := aes.NewCipher(key[:]) // the size is right
	aead, _ := cipher.NewGCM(block)
	return aead
}

func cookie(name, value string, life kv.TTL) sdk.Cookie {
	c := sdk.Cookie{Name: name, Value: value, MaxAge: -1}
	if value != "" {
		c.MaxAge = max(int(life/kv.Second), 1)
	}
	return c
}
