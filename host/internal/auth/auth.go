// Package auth says who makes a request of the admin API and what they may do: an
// Identity, in the context of the request, with a role for plugins of a pattern. It
// keeps the admin token, which is that of the machine's owner.
package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"regexp"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

const (
	// prefix lets secret scanners and people recognise a token.
	prefix = "wasmoor_"
	// secretSize is the number of random bytes in a token.
	secretSize = 32
	// maxFile bounds what is read of a token file: a token and a line end.
	maxFile = 1 << 10
)

var tokenForm = regexp.MustCompile(`^` + prefix + `[A-Za-z0-9_-]{43}$`)

// Token is an admin token. It prints and logs as a placeholder; Reveal shows it.
// The zero Token lets nobody in. Immutable and safe for concurrent use.
type Token struct {
	text *string // fmt shows the address, even of a Token in a private field
	sum  [sha256.Size]byte
}

// LoadOrCreate reads the token in the file path, or makes one there (mode 0600)
// if there is no file, and reports which. Two processes that start at once end
// with the same token. Errors: Invalid, with what to do, when the file can be
// read by others or holds no token; Internal when it cannot be read or written.
func LoadOrCreate(path string) (token Token, created bool, err error) {
	token, err = load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, false, err
	}
	created, err = durable.Create(path, []byte(generate()+"\n"))
	if err != nil {
		return Token{}, false, fault.Wrap(fault.Internal, "create the admin token", path, err)
	}
	token, err = load(path)
	return token, created, err
}

func load(path string) (Token, error) {
	const op = "read the admin token"
	f, err := durable.OpenRegular(path)
	if errors.Is(err, durable.ErrNotRegular) {
		return Token{}, fault.New(fault.Invalid, op, fmt.Sprintf("%s is not a regular file", path))
	}
	if err != nil {
		return Token{}, fault.Wrap(fault.Internal, op, path, err)
	}
	defer func() { _ = f.Close() }() // only read
	if err := checkMode(f); err != nil {
		return Token{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return Token{}, fault.Wrap(fault.Internal, op, path, err)
	}
	token, ok := parse(strings.TrimSpace(string(data)))
	if !ok {
		return Token{}, fault.New(fault.Invalid, op, fmt.Sprintf(
			"the file %s holds no admin token; remove it to get a new one at the next start", path))
	}
	return token, nil
}

// checkMode refuses a token file that is not its owner's alone.
func checkMode(f *os.File) error {
	const op = "read the admin token"
	info, err := f.Stat()
	switch {
	case err != nil:
		return fault.Wrap(fault.Internal, op, f.Name(), err)
	case info.Mode().Perm()&0o077 != 0:
		return fault.New(fault.Invalid, op, fmt.Sprintf(
			"the file %s can be read by others (mode %04o); run: chmod 600 %s", f.Name(), info.Mode().Perm(), f.Name()))
	}
	return nil
}

func parse(text string) (Token, bool) {
	if !tokenForm.MatchString(text) {
		return Token{}, false
	}
	return Token{text: &text, sum: sha256.Sum256([]byte(text))}, true
}

// Identify returns who sends a request with that value of its header
// Authorization: the machine's owner for "Bearer TOKEN" with this token; the
// scheme's case does not matter (RFC 9110, 11.1). Otherwise it is Unauthenticated,
// with one message for a missing, an empty and a wrong token. The time it takes
// does not depend on how much of the token is right.
func (t Token) Identify(authorization string, _ netip.Addr) (Identity, error) {
	sum := sha256.Sum256([]byte(bearer(authorization)))
	equal := subtle.ConstantTimeCompare(sum[:], t.sum[:])
	if equal != 1 || t.text == nil {
		return Identity{}, fault.New(fault.Unauthenticated, "", needToken)
	}
	return machine, nil
}

// bearer returns the credentials of the scheme Bearer, "" for another scheme.
func bearer(authorization string) string {
	scheme, credentials, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.Trim(credentials, " ")
}

// Reveal returns the token itself, for the client of this host's own admin API;
// "" for the zero Token.
func (t Token) Reveal() string {
	if t.text == nil {
		return ""
	}
	return *t.text
}

// Known returns what a token is known by to who has seen it before: its hash.
func (t Token) Known() string { return hex.EncodeToString(t.sum[:]) }

const redacted = prefix + "[redacted]"

// String returns a placeholder.
func (t Token) String() string { return redacted }

// GoString returns a placeholder.
func (t Token) GoString() string { return redacted }

// LogValue returns a placeholder.
func (t Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder.
func (t Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }
