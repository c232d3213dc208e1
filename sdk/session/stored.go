package session

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/internal/world"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

// Store is where Stored keeps sessions, with the methods and rules of package kv. A
// test or a program that is no plugin may have another; it need not end values by
// their TTL.
type Store interface {
	Get(key string) (value []byte, ok bool, err error)
	SetTTL(key string, value []byte, ttl kv.TTL) error
	Delete(key string) error
	List(q kv.Query) (entries []kv.Entry, more bool, err error)
}

// Stored keeps sessions in a store. The cookie has a token of 256 random bits, of
// which the store has only the hash: who reads the store cannot take a session
// over. A session ends when it was not used for Idle, when it is older than Max, or
// when it is told to. Safe for concurrent use if its Store is.
//
// Find writes once in an eighth of Idle, so that most requests of a session write
// nothing. An error is the store's, or ErrTooLarge.
type Stored struct {
	Store  Store  // nil = the plugin's, package kv
	Prefix string // of the keys; "" = "sessions/"
	Name   string // of the cookie; "" = DefaultName
	Idle   kv.TTL // from the last use on, and up to an eighth more; 0 = a day
	Max    kv.TTL // from Start on; 0 = 30 days
}

// Session is a session that is good.
type Session struct {
	ID      string // names it among those of its user; not a secret
	User    string // "" = nobody has signed in
	Data    []byte
	Created int64 // nanoseconds since 1970-01-01 UTC
	Seen    int64 // the same, of a use in the last eighth of Idle
}

const (
	userSize   = 16 // bytes of a user's hash
	secretSize = 32
	maxData    = 64 << 10
)

// Start begins a session of a user and returns its token. It ends the session of
// the token that the client came with, "" = none: so nobody who has planted a token
// in a browser shares what its user does after signing in.
func (s Stored) Start(old, user string, data []byte) (token string, err error) {
	if err := s.End(old); err != nil {
		return "", err
	}
	raw := make([]byte, userSize+secretSize)
	copy(raw, hash("user", user)[:userSize])
	world.Random(raw[userSize:])
	token = text(raw)
	now := world.Now()
	return token, s.put(s.key(raw), &Session{User: user, Data: data, Created: now, Seen: now}, now)
}

// Find returns the session of a token, nil if there is none that is good.
func (s Stored) Find(token string) (*Session, error) {
	key, now := s.keyOf(token), world.Now()
	found, err := s.get(key, now)
	if found == nil || err != nil {
		return nil, err
	}
	if now-found.Seen > int64(s.idle()/8) {
		found.Seen = now
		err = s.put(key, found, now)
	}
	return found, err
}

// Save changes the data of the session of a token, and reports whether there is
// one.
func (s Stored) Save(token string, data []byte) (ok bool, err error) {
	key, now := s.keyOf(token), world.Now()
	found, err := s.get(key, now)
	if found == nil || err != nil {
		return false, err
	}
	found.Data, found.Seen = data, now
	return true, s.put(key, found, now)
}

// End ends the session of a token, if there is one. Set Cookie("") too.
func (s Stored) End(token string) error {
	if key := s.keyOf(token); key != "" {
		return s.store().Delete(key)
	}
	return nil
}

// List returns the sessions of a user that are good, in no order that means
// anything.
func (s Stored) List(user string) ([]Session, error) {
	entries, _, err := s.store().List(kv.Query{Prefix: s.user(user)})
	if err != nil {
		return nil, err
	}
	var list []Session
	for _, e := range entries {
		if found := s.read(e.Key, e.Value, world.Now()); found != nil {
			list = append(list, *found)
		}
	}
	return list, nil
}

// EndOne ends the session of a user with that ID, if there is one.
func (s Stored) EndOne(user, id string) error {
	if len(id) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return nil
	}
	return s.store().Delete(s.user(user) + id)
}

// EndAll ends all sessions of a user, for instance when the password changes. Start
// a new one for the client after it.
func (s Stored) EndAll(user string) error {
	entries, _, err := s.store().List(kv.Query{Prefix: s.user(user), KeysOnly: true})
	for _, e := range entries {
		if err == nil {
			err = s.store().Delete(e.Key)
		}
	}
	return err
}

// Cookie returns the cookie to set for a token; "" has the browser forget it.
func (s Stored) Cookie(token string) sdk.Cookie {
	name := s.Name
	if name == "" {
		name = DefaultName
	}
	return cookie(name, token, s.max())
}

// get returns the session of a key that is good, else nil. "" is no key.
func (s Stored) get(key string, now int64) (*Session, error) {
	if key == "" {
		return nil, nil
	}
	record, ok, err := s.store().Get(key)
	if !ok || err != nil {
		return nil, err
	}
	return s.read(key, record, now), nil
}

// read decodes a record, and returns nil for one of a session that has ended.
func (s Stored) read(key string, record []byte, now int64) *Session {
	found, ok := decode(record)
	if !ok || s.left(&found, now) <= 0 {
		return nil
	}
	found.ID = key[len(s.user("")):]
	return &found
}

func (s Stored) put(key string, v *Session, now int64) error {
	if len(v.Data) > maxData {
		return ErrTooLarge
	}
	return s.store().SetTTL(key, encode(v), s.left(v, now))
}

// left returns how long a session is still good.
func (s Stored) left(v *Session, now int64) kv.TTL {
	idle := v.Seen + int64(s.idle()+s.idle()/8)
	return kv.TTL(min(idle, v.Created+int64(s.max())) - now)
}

// keyOf returns the key of a token, "" if it is none.
func (s Stored) keyOf(token string) string {
	if len(token) != base64.RawURLEncoding.EncodedLen(userSize+secretSize) {
		return ""
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != userSize+secretSize {
		return ""
	}
	return s.key(raw)
}

func (s Stored) key(raw []byte) string {
	return s.prefix() + text(raw[:userSize]) + "/" + text(hash("session", string(raw[userSize:])))
}

// user returns the prefix of the keys of a user's sessions; it has one length.
func (s Stored) user(user string) string {
	return s.prefix() + text(hash("user", user)[:userSize]) + "/"
}

func (s Stored) prefix() string {
	if s.Prefix == "" {
		return "sessions/"
	}
	return s.Prefix
}

func (s Stored) idle() kv.TTL { return orDefault(s.Idle, kv.Day) }
func (s Stored) max() kv.TTL  { return orDefault(s.Max, 30*kv.Day) }

func (s Stored) store() Store {
	if s.Store == nil {
		return plugins{}
	}
	return s.Store
}

// plugins is the plugin's own Store.
type plugins struct{}

func (plugins) Get(key string) ([]byte, bool, error)              { return kv.Get(key) }
func (plugins) SetTTL(key string, value []byte, ttl kv.TTL) error { return kv.SetTTL(key, value, ttl) }
func (plugins) Delete(key string) error                           { return kv.Delete(key) }
func (plugins) List(q kv.Query) ([]kv.Entry, bool, error)         { return kv.List(q) }

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// hash hashes a value of a kind.
func hash(kind, value string) []byte {
	sum := sha256.Sum256([]byte(kind + "\x00" + value))
	return sum[:]
}
