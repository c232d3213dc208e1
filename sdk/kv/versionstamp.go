package kv

import (
	"sync/atomic"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// A versionstamp is the number of a commit: unique, and higher for each later
// commit. The host writes it as 8 bytes, the highest first, so that keys with a
// versionstamp sort in the order of their commits.
const (
	// VersionstampSize is how many bytes a versionstamp takes.
	VersionstampSize = abi.VersionstampSize
	// NoVersionstamp as an offset says that there is none.
	NoVersionstamp = abi.NoVersionstamp
)

const placeholder = "\x00\x00\x00\x00\x00\x00\x00\x00"

// appended numbers the entries of a request.
var appended atomic.Uint32

// Append writes value under a new key: prefix, the versionstamp of the request's
// commit, and 4 bytes that count the calls. So entries sort in the order of their
// commits, and within one in the order of the calls, and appends never conflict
// with each other. The request itself does not see them. It appends at most 100.
func Append(prefix string, value []byte) error {
	n := appended.Add(1)
	key := prefix + placeholder + string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	return SetVersionstamped(key, value, len(prefix), NoVersionstamp, 0)
}

// SetVersionstamped writes value under key as Set does, for ttl unless that is 0.
// When the request commits, its versionstamp replaces the 8 bytes at keyOffset in
// key and at valueOffset in value; NoVersionstamp is nowhere. ErrInvalid: 8 bytes
// do not lie there, or ttl is negative.
//
// A key with a versionstamp is not known before the commit: the request itself
// does not see it, and writes at most 100 of them (ErrLimit). Of two whose other
// bytes are the same the last stays. A value under an ordinary key reads as it was
// passed until then.
func SetVersionstamped(key string, value []byte, keyOffset, valueOffset int, ttl TTL) error {
	if ttl < 0 {
		return &Error{Op: "set", Key: key, Status: ErrInvalid}
	}
	return check("set", key, hostcall.KVSetVersionstamped(key, value, int64(keyOffset), int64(valueOffset), ttl.milliseconds()))
}

// Versionstamp reads the versionstamp at the start of text, a part of a key or a
// value. ok is false if text is shorter.
func Versionstamp(text string) (stamp uint64, ok bool) {
	if len(text) < VersionstampSize {
		return 0, false
	}
	for i := range VersionstampSize {
		stamp = stamp<<8 | uint64(text[i])
	}
	return stamp, true
}
