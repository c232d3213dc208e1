package part

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/auth"
)

// Pass is all of a token but its secret.
type Pass struct {
	ID      string       `json:"id"`
	Name    string       `json:"name"`
	Kind    auth.Kind    `json:"kind"`
	Sum     string       `json:"sha256"`
	Role    string       `json:"role"`
	Plugins auth.Pattern `json:"plugins"`
	Team    string       `json:"team,omitempty"`
	By      string       `json:"by"`
	Created time.Time    `json:"created"`
	Expires time.Time    `json:"expires,omitzero"`
	Revoked time.Time    `json:"revoked,omitzero"`
	Used    time.Time    `json:"used,omitzero"`
	Next    string       `json:"next,omitempty"`
}

// NewPass returns how a pass is written.
func NewPass(p auth.Pass) Pass {
	return Pass{
		p.ID, p.Name, p.Kind, hex.EncodeToString(p.Sum[:]), p.Role.String(), p.Plugins, p.Team, p.By,
		p.Created, p.Expires, p.Revoked, p.Used, p.Next,
	}
}

// Value returns the pass.
func (r Pass) Value() (auth.Pass, error) {
	p := auth.Pass{
		ID: r.ID, Name: r.Name, Kind: r.Kind, Plugins: r.Plugins, Team: r.Team, By: r.By,
		Created: r.Created, Expires: r.Expires, Revoked: r.Revoked, Used: r.Used, Next: r.Next,
	}
	sum, err := hex.DecodeString(r.Sum)
	if err != nil || len(sum) != sha256.Size {
		return p, fmt.Errorf("%q is no SHA-256", r.Sum)
	}
	copy(p.Sum[:], sum)
	p.Role, err = auth.ParseRole(r.Role)
	return p, err
}

// Team is a team with its quotas.
type Team struct {
	Name    string       `json:"name"`
	Plugins auth.Pattern `json:"plugins"`
	Memory  int64        `json:"memory,omitempty"`
	Disk    int64        `json:"disk,omitempty"`
	Weight  int          `json:"weight,omitempty"`
}

// Rule is a rule of trust.
type Rule struct {
	Name     string            `json:"name"`
	Issuer   string            `json:"issuer"`
	Audience string            `json:"audience"`
	Claims   map[string]string `json:"claims"`
	Login    bool              `json:"login,omitempty"`
	Private  bool              `json:"private,omitempty"`
	Role     string            `json:"role"`
	Plugins  auth.Pattern      `json:"plugins"`
	Team     string            `json:"team,omitempty"`
	Lifetime time.Duration     `json:"lifetime"` // nanoseconds
}

// NewRule returns how a rule is written.
func NewRule(r auth.Rule) Rule {
	return Rule{
		r.Name, r.Issuer, r.Audience, r.Claims, r.Login, r.Private, r.Role.String(), r.Plugins, r.Team, r.Lifetime,
	}
}

// Value returns the rule.
func (r Rule) Value() (auth.Rule, error) {
	role, err := auth.ParseRole(r.Role)
	return auth.Rule{
		Name: r.Name, Issuer: r.Issuer, Audience: r.Audience, Claims: r.Claims, Login: r.Login, Private: r.Private,
		Role: role, Plugins: r.Plugins, Team: r.Team, Lifetime: r.Lifetime,
	}, err
}
