package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Pass is what is kept of a token: everything but its secret.
type Pass struct {
	ID      string
	Name    string
	Kind    Kind
	Sum     [sha256.Size]byte // of the token
	Role    Role
	Plugins Pattern
	Team    string // whose plugins alone it is for; "" = of no team
	By      string // who made it
	Created time.Time
	Expires time.Time // zero = never
	Revoked time.Time // zero = it was not
	Used    time.Time // about when it was used last; zero = it was not
	Next    string    // id of the token that was put in its place; "" = none was
}

// Ended reports whether a pass lets nobody in any more, and since when.
func (p Pass) Ended(now time.Time) (since time.Time, ended bool) {
	switch {
	case !p.Revoked.IsZero() && !now.Before(p.Revoked):
		return p.Revoked, true
	case !p.Expires.IsZero() && !now.Before(p.Expires):
		return p.Expires, true
	}
	return time.Time{}, false
}

// Identity returns who has the pass; within are the plugins of its team.
func (p Pass) Identity(within Pattern) Identity {
	return Identity{Name: p.Name, Kind: p.Kind, Token: p.ID, Role: p.Role, Plugins: p.Plugins, Team: p.Team, Within: within}
}

// Check returns why a pass cannot be: Invalid.
func (p Pass) Check() error {
	if err := CheckName("token", p.Name); err != nil {
		return err
	}
	if p.Name == machine.Name {
		return fault.New(fault.Invalid, "", fmt.Sprintf("%q is the name of who has the token file of the machine; take another", p.Name))
	}
	if _, err := ParsePattern(string(p.Plugins)); err != nil {
		return err
	}
	if p.Role == Owner && (p.Team != "" || !p.Plugins.All()) {
		return fault.New(fault.Invalid, "", `an owner decides about the whole server; give the role operator for some plugins or a team, or take the pattern "*" and no team`)
	}
	return nil
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._@+/:-]{0,126}[A-Za-z0-9])?$`)

// CheckName returns why a token, a team or a rule cannot have a name: Invalid.
func CheckName(of, name string) error {
	if !nameForm.MatchString(name) {
		return fault.New(fault.Invalid, "", fmt.Sprintf(
			"%.128q is no name of a %s: use 1 to 128 letters, digits and . _ @ + / : -, the first and the last a letter or a digit", name, of))
	}
	return nil
}

// Bearer is what a request proves itself with.
type Bearer struct {
	text string
	id   string
}

// ParseBearer reads the value of the header Authorization. Errors: Unauthenticated,
// for none and for what is no token.
func ParseBearer(authorization string) (Bearer, error) {
	text := bearer(authorization)
	switch {
	case text == "":
		return Bearer{}, fault.New(fault.Unauthenticated, "", needToken)
	case !strings.HasPrefix(text, passPrefix):
		return Bearer{text: text}, nil
	}
	id, ok := secretID(text)
	if !ok {
		return Bearer{}, fault.New(fault.Unauthenticated, "", "the token is not whole: a part is missing, or a character is wrong; copy it again")
	}
	return Bearer{text: text, id: id}, nil
}

// ID returns the id of the token; "" = it is that of a machine's file, if any.
func (b Bearer) ID() string { return b.id }

// Opens reports whether it is the token of the pass, in a time that tells nothing.
func (b Bearer) Opens(p Pass) bool {
	sum := sha256.Sum256([]byte(b.text))
	return subtle.ConstantTimeCompare(sum[:], p.Sum[:]) == 1
}

const needToken = "a token is needed: send the header Authorization: Bearer TOKEN"
