package auth

import (
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Role is how much somebody may do: each may do what those below it may.
type Role int

// The roles. Nobody is the zero Role, which may do nothing.
const (
	Nobody   Role = iota
	Viewer        // sees how plugins do, and their logs; no keys
	Deployer      // changes what its plugins run, their vars and their keys
	Operator      // decides about plugins: grants, limits, CORS, what is removed; one of all plugins takes backups
	Owner         // decides about people: tokens, teams, trust
)

// Roles is every role that somebody can have, the least first.
var Roles = []Role{Viewer, Deployer, Operator, Owner}

var roleNames = map[Role]string{Nobody: "nobody", Viewer: "viewer", Deployer: "deployer", Operator: "operator", Owner: "owner"}

// String returns the name of the role.
func (r Role) String() string { return roleNames[r] }

// ParseRole returns the role of a name. Errors: Invalid.
func ParseRole(name string) (Role, error) {
	for _, r := range Roles {
		if r.String() == name {
			return r, nil
		}
	}
	return Nobody, fault.New(fault.Invalid, "", fmt.Sprintf("%.32q is no role: name one of viewer, deployer, operator and owner", name))
}

// Pattern names plugins: names divided by commas, in which * stands for any
// characters, such as "shop,shop-*". The empty one is that of no plugin.
type Pattern string

// AllPlugins is the pattern of every plugin, and of the server as a whole.
const AllPlugins Pattern = "*"

// MaxPattern is how long a pattern may be.
const MaxPattern = 256

// ParsePattern returns text as a pattern. Errors: Invalid.
func ParsePattern(text string) (Pattern, error) {
	for item := range strings.SplitSeq(text, ",") {
		if item == "" || len(text) > MaxPattern || strings.Trim(item, "abcdefghijklmnopqrstuvwxyz0123456789-*") != "" {
			return "", fault.New(fault.Invalid, "", fmt.Sprintf(
				"%.64q is no pattern of plugins: write names such as shop, in which * stands for any characters, with commas between, at most %d in all", text, MaxPattern))
		}
	}
	return Pattern(text), nil
}

// Covers reports whether a plugin of that name is meant.
func (p Pattern) Covers(name string) bool {
	for item := range strings.SplitSeq(string(p), ",") {
		if glob(item, name) {
			return true
		}
	}
	return false
}

// All reports whether every plugin is meant, those to come too.
func (p Pattern) All() bool {
	for item := range strings.SplitSeq(string(p), ",") {
		if item != "" && strings.Trim(item, "*") == "" {
			return true
		}
	}
	return false
}

// glob reports whether name is what item stands for. It goes back to the last *
// alone, so that its time is bounded by the product of both lengths.
func glob(item, name string) bool {
	if item == "" {
		return false
	}
	i, n := 0, 0
	star, from := -1, 0
	for n < len(name) {
		switch {
		case i < len(item) && item[i] == '*':
			star, from = i, n
			i++
		case i < len(item) && item[i] == name[n]:
			i, n = i+1, n+1
		case star >= 0:
			from++
			i, n = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(item[i:], "*") == ""
}
