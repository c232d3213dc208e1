// Package password hashes and verifies passwords with argon2id (RFC 9106). The
// host computes: it takes 20 ms of a processor and 19 MiB, and in a guest it would
// take several times as long.
//
//	hash, err := password.Hash(form.Get("password")) // keep it with the user
//
//	ok, rehash, err := password.Verify(form.Get("password"), user.Hash)
//
// A hash is a text in PHC string format, which names its salt and parameters:
//
//	$argon2id$v=19$m=19456,t=2,p=1$SALT$SUM
//
// Hashes of other programs in that format are good too, up to 64 MiB of memory, 256
// MiB of memory times passes, and 16 lanes. In sdktest a hash is a fake, which is
// made and verified at once.
//
// The host computes few hashes at a time, in fair turns among plugins, and a
// request waits for its turn within its deadline. It may compute 16. Plugins import
// the package; it needs nothing in the manifest.
package password

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Errors, for errors.Is.
const (
	// ErrInvalid: the password to hash is empty, or the hash is not an argon2id hash,
	// version 19, in PHC string format.
	ErrInvalid = abi.Invalid
	// ErrUnavailable: no request is being served.
	ErrUnavailable = abi.Unavailable
	// ErrLimit: the password has more than 4 KiB, the hash asks for more than the
	// host computes, or the request has computed as many as it may.
	ErrLimit = abi.Limit
)

// Error is a refused call.
type Error struct {
	Op     string     // "hash", "verify"
	Status abi.Status // below zero
}

// Error names the call and the reason, and nothing of the password.
func (e *Error) Error() string { return "password " + e.Op + ": " + e.Status.String() + why(e.Status) }

// Unwrap returns the status.
func (e *Error) Unwrap() error { return e.Status }

func why(s abi.Status) string {
	switch s {
	case abi.Invalid:
		return ": an empty password, or a hash that is not $argon2id$v=19$m=...,t=...,p=...$SALT$SUM"
	case abi.Limit:
		return ": a password over 4 KiB, more hashes than a request may compute, or one of too much memory or too many passes"
	case abi.Unavailable:
		return ": call it while a request is served"
	}
	return ""
}

// Hash returns the hash of a password with a random salt. Runs of one request give
// the same hash, as sdk.Random gives the same bytes. An empty password is
// ErrInvalid.
func Hash(password string) (hash string, err error) {
	b, status := hostcall.Read(func(buf []byte) int64 { return hostcall.PasswordHash(password, buf) })
	if status < 0 {
		return "", &Error{Op: "hash", Status: status}
	}
	return string(b), nil
}

// Verify reports whether hash is that of the password, and if so, whether Hash
// would take other parameters today: then keep a new one.
//
// For a user who does not exist give "": it is no match, and takes as long, so that
// nobody learns from the time who is a user.
func Verify(password, hash string) (ok, rehash bool, err error) {
	result := hostcall.PasswordVerify(password, hash)
	if result < 0 {
		return false, false, &Error{Op: "verify", Status: abi.Status(result)}
	}
	return result == abi.PasswordRight || result == abi.PasswordStale, result == abi.PasswordStale, nil
}
