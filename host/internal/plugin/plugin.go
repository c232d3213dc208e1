// Package plugin holds the domain's types: what is installed, in which version,
// with which grants. It knows nothing of HTTP, storage or WebAssembly; every
// package of host above fault may import it.
package plugin

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// Plugin is a named installation: its own mount, vars, grant and key space. Two
// plugins share nothing, even if they run the same module.
type Plugin struct {
	Name       string
	Mount      Mounts
	Space      uint64            // id of its records, never used again
	Data       uint64            // id of the key space with its data; 0 = Space. See Keys
	Vars       map[string]string // in the open; see Values
	Secrets    map[string]Secret // by the names of vars and of blind secrets
	Grant      Grant
	CORS       *CORS // nil = none; not changed once set
	Limits     limit.Override
	Deployment int      // the one that serves; 0 = none
	Active     int      // number of the version that serves; 0 = none
	Previous   int      // the version that served before; 0 = none did
	Versions   int      // number of the newest version
	Rollout    *Rollout // the last one; nil = there was none. Not changed once set
	Pins       []int    // versions that are kept however old they are, sorted; not changed once set
	Created    time.Time
	Deleted    bool // its data is kept for a later plugin of this name
}

// Keys returns the id of the key space that has the plugin's data. It changes when other
// data is put in place of it.
func (p Plugin) Keys() uint64 { return cmp.Or(p.Data, p.Space) }

// Version is one upload to a plugin: immutable, but for what was decided of it.
type Version struct {
	Number  int // 1, 2, 3 ... within its plugin
	Digest  Digest
	Size    int64 // bytes of the module
	Label   string
	By      string
	Created time.Time
	Ask     Grant  // what its manifest asks for
	Mount   Mounts // where its upload wants it to serve; "" = where the plugin is

	Approved bool       // it had what it asks for once, and may have it again
	Rejected *Rejection // nil = nobody has rejected it. Not changed once set
}

// Rejection says who decided that a version does not get what it asks for, and why.
type Rejection struct {
	By     string
	Reason string // for whoever deployed it; "" = none was given
	At     time.Time
}

// Refusal returns a Conflict error for a version of a plugin that was rejected, else nil.
func (v Version) Refusal(name string) error {
	if v.Rejected == nil {
		return nil
	}
	why := ""
	if v.Rejected.Reason != "" {
		why = fmt.Sprintf(" (%q)", v.Rejected.Reason)
	}
	return fault.New(fault.Conflict, "", fmt.Sprintf(
		"version %d of plugin %q was rejected by %s%s; to ask again, deploy it again", v.Number, name, cmp.Or(v.Rejected.By, "nobody known"), why))
}

// MaxReason is the number of characters of a reason.
const MaxReason = 200

// CheckReason returns an Invalid error unless text can be a person's reason: one line that
// a terminal shows and does not obey.
func CheckReason(text string) error {
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	if n := utf8.RuneCountInString(text); n == 0 || n > MaxReason || !utf8.ValidString(text) || strings.ContainsFunc(text, odd) {
		return fault.New(fault.Invalid, "", fmt.Sprintf("a reason is one line of 1 to %d printable characters", MaxReason))
	}
	return nil
}

// Deployment says which version of a plugin served: where, with which grant,
// vars, CORS policy and limits. A change of any of these makes a new one, and so does
// that of a secret, whose value is the plugin's and no deployment's.
type Deployment struct {
	Number  int // 1, 2, 3 ... within its plugin
	Version int
	Mount   Mounts
	Grant   Grant
	Vars    map[string]string
	CORS    *CORS
	Limits  limit.Override
	By      string
	Created time.Time
}

var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// CheckName returns an Invalid error unless name is a DNS label in lower case:
// it is part of URLs, metrics and files.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fault.New(fault.Invalid, "", fmt.Sprintf(
			"plugin name %q is not allowed: use 1 to 63 of a-z, 0-9 and -, not starting or ending with -", name))
	}
	return nil
}

// Digest identifies a module: "sha256:" and 64 hexadecimal digits in lower case.
type Digest string

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ParseDigest checks a digest that comes from outside. Errors are Invalid.
func ParseDigest(s string) (Digest, error) {
	if !digestForm.MatchString(s) {
		return "", fault.New(fault.Invalid, "", fmt.Sprintf(
			"digest %.80q is not allowed: write sha256: and 64 hexadecimal digits in lower case", s))
	}
	return Digest(s), nil
}

// DigestOf returns the digest of a module.
func DigestOf(module []byte) Digest {
	sum := sha256.Sum256(module)
	return Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// Hex returns the digest's digits, which are safe in a file name.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), "sha256:") }

// Short returns the first 12 digits, for people.
func (d Digest) Short() string {
	h := d.Hex()
	return h[:min(12, len(h))]
}
