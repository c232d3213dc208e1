// Package kv is the plugin's key-value space. Everything a request does here
// is one transaction: it reads one snapshot (plus its own writes), and its
// writes take effect together when the request commits, or not at all. See
// package sdk for what commits. Plugins import it; the manifest asks for it
// with a [kv] section.
//
// Keys are ordered as bytes. The host's default limits: a key has 1 to 1024
// bytes, a value at most 1 MiB, a request writes at most 10,000 keys and 4 MiB.
//
// Errors are of type *Error and wrap an abi.Status: errors.Is(err, kv.ErrLimit)
// and the like tell them apart. Most handlers just return them.
package kv

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Errors of the store, for errors.Is.
const (
	// ErrInvalid: an argument breaks a rule, for example an empty key.
	ErrInvalid = abi.Invalid
	// ErrUnavailable: no request is being served; initialisation has no store.
	ErrUnavailable = abi.Unavailable
	// ErrDenied: the plugin has no grant; does its manifest have a [kv] section?
	ErrDenied = abi.Denied
	// ErrLimit: the call would exceed a limit; nothing was done.
	ErrLimit = abi.Limit
	// ErrWrongType: the value is not a counter.
	ErrWrongType = abi.WrongType
)

// Error is a refused call.
type Error struct {
	Op     string     // "get", "set", ...
	Key    string     // or prefix
	Status abi.Status // below zero
}

// Error names the call, the key and the reason.
func (e *Error) Error() string {
	s := "kv " + e.Op + ` "` + e.Key + `": ` + e.Status.String()
	if why := e.why(); why != "" {
		s += ": " + why
	}
	return s
}

// why says what to do, "" where the status says it all, or the plugin's log does.
func (e *Error) why() string {
	switch badKey := (e.Key == "" && e.Op != "list") || len(e.Key) > maxKey; {
	case e.Status == ErrDenied:
		return "the manifest has no [kv]; add the line [kv] to wasmoor.toml"
	case e.Status == ErrUnavailable:
		return "the store is there while a request is handled, not in init functions and package variables"
	case badKey && (e.Status == ErrInvalid || e.Status == ErrLimit):
		return "a key has 1 to 1024 bytes"
	case e.Status == ErrInvalid && e.Op == "set":
		return "a time to live is above zero, and a versionstamp lies within the key or the value"
	case e.Status == ErrWrongType && e.Op == "add":
		return "its value is no counter, or the sum is too large; kv.SetInt makes a counter"
	case e.Status == ErrWrongType:
		return "its value is no counter; kv.Add and kv.SetInt make one"
	}
	return ""
}

// maxKey is the host's limit, in bytes.
const maxKey = 1 << 10

// Unwrap returns the status.
func (e *Error) Unwrap() error { return e.Status }

func check(op, key string, result int64) error {
	if result >= 0 {
		return nil
	}
	return &Error{Op: op, Key: key, Status: abi.Status(result)}
}

// TTL is how long a value lives, in nanoseconds like time.Duration, to which
// and from which it converts: package time would add 0.25 MB to a guest.
type TTL int64

// Units of TTL.
const (
	Millisecond TTL = 1e6
	Second          = 1000 * Millisecond
	Minute          = 60 * Second
	Hour            = 60 * Minute
	Day             = 24 * Hour
)

// milliseconds rounds up, so that a short life is not an endless one.
func (t TTL) milliseconds() int64 {
	ms := int64(t / Millisecond)
	if t%Millisecond > 0 {
		ms++
	}
	return ms
}

// Get returns the value of key, which the caller may keep and change. ok tells
// an absent key from one with an empty value.
func Get(key string) (value []byte, ok bool, err error) { return get(key, hostcall.KVGet) }

// GetSnapshot is Get without depending on what it finds: a request that changes
// key meanwhile is no conflict. So what the request writes may rest on a value
// that is no longer there when it commits. Take it where that does no harm: for a
// setting, a hint, a value that is only shown.
func GetSnapshot(key string) (value []byte, ok bool, err error) {
	return get(key, hostcall.KVGetSnapshot)
}

func get(key string, call func(key string, buf []byte) int64) (value []byte, ok bool, err error) {
	value, status := hostcall.Read(func(buf []byte) int64 { return call(key, buf) })
	switch {
	case status == abi.NotFound:
		return nil, false, nil
	case status < 0:
		return nil, false, &Error{Op: "get", Key: key, Status: status}
	}
	return value, true, nil
}

// Has reports whether key is there, without moving its value.
func Has(key string) (bool, error) {
	result := hostcall.KVGet(key, nil)
	if abi.Status(result) == abi.NotFound {
		return false, nil
	}
	return result >= 0, check("get", key, result)
}

// Set writes a value that stays. An earlier TTL ends.
func Set(key string, value []byte) error {
	return check("set", key, hostcall.KVSet(key, value, 0))
}

// SetTTL writes a value that is absent once ttl has passed since the start of
// the request. A ttl that is not above zero is ErrInvalid, not an endless one.
func SetTTL(key string, value []byte, ttl TTL) error {
	if ttl <= 0 {
		return &Error{Op: "set", Key: key, Status: ErrInvalid}
	}
	return check("set", key, hostcall.KVSet(key, value, ttl.milliseconds()))
}

// Delete removes key. Removing an absent key is no error.
func Delete(key string) error {
	return check("delete", key, hostcall.KVDelete(key))
}
