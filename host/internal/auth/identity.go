package auth

import (
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Kind says how somebody proved who they are.
type Kind string

// The kinds.
const (
	KindMachine Kind = "machine" // the token file of the server's machine
	KindToken   Kind = "token"   // a token that an owner made
	KindPerson  Kind = "person"  // logged in through an issuer of OIDC
	KindCI      Kind = "ci"      // a run of CI, by its token of OIDC
)

// Identity is who makes a request, and what they may do. The zero Identity is
// nobody. Name is what the audit shows as who did something.
type Identity struct {
	Name    string
	Kind    Kind
	Token   string // id of the token; "" = that of the machine's file
	Role    Role
	Plugins Pattern
	Team    string  // "" = of none
	Within  Pattern // the plugins of the team
}

// machine is who has the token file.
var machine = Identity{Name: "admin", Kind: KindMachine, Role: Owner, Plugins: AllPlugins}

// May returns nil if the identity may do to a plugin what takes at least a role;
// with the name "", to the server as a whole. Otherwise it is a Denied fault,
// which names what is needed and what there is.
func (i Identity) May(least Role, plugin string) error {
	switch {
	case i.Role < least:
		return fault.New(fault.Denied, "", fmt.Sprintf(
			"this takes the role %s, and %s has the role %s; ask an owner for a token of that role", least, i.who(), i.Role))
	case plugin == "" && !i.all():
		return fault.New(fault.Denied, "", fmt.Sprintf(
			"this is about the whole server, and %s has the role %s for the plugins %s alone; name a plugin, or ask an owner for a token of all", i.who(), i.Role, i.reach()))
	case plugin != "" && !i.Covers(plugin):
		return fault.New(fault.Denied, "", fmt.Sprintf(
			"%s has the role %s for the plugins %s, and %.64q is none of them; ask an owner for a token that names it", i.who(), i.Role, i.reach(), plugin))
	}
	return nil
}

// Covers reports whether a plugin of that name is one of the identity's.
func (i Identity) Covers(plugin string) bool {
	return i.Plugins.Covers(plugin) && (i.Team == "" || i.Within.Covers(plugin))
}

func (i Identity) all() bool { return i.Plugins.All() && i.Team == "" }

// reach names the plugins of the identity.
func (i Identity) reach() string {
	switch {
	case i.Team == "":
		return string(i.Plugins)
	case i.Plugins.All():
		return fmt.Sprintf("%s of team %s", i.Within, i.Team)
	}
	return fmt.Sprintf("%s within %s of team %s", i.Plugins, i.Within, i.Team)
}

func (i Identity) who() string {
	if i.Name == "" {
		return "nobody"
	}
	return fmt.Sprintf("%q", i.Name)
}

// identityKey is the key of an Identity in a context.
type identityKey struct{}

// With returns a context of a request that i makes.
func With(ctx context.Context, i Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, i)
}

// From returns who makes the request that ctx is of: nobody, when nobody says.
func From(ctx context.Context) Identity {
	i, _ := ctx.Value(identityKey{}).(Identity)
	return i
}
