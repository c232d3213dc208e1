// Package consent says what a change of a plugin means for what its version asks for:
// whoever makes it approves it, or it waits for somebody who may. Packages deploy and
// operate import it.
package consent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/policy"
)

// Consent is what the change of whoever makes it means for what a version asks for. The
// zero Consent is that of nobody known: what the caller says holds.
type Consent struct {
	approves, withholds bool
	own                 bool // withheld because who makes the change deployed the version
	weighs              bool // withheld from everybody who does not see it named
	rule                int  // of the policy, by which it approves; 0 = a person does
}

// Approves reports whether the change grants what the version asks for.
func (c Consent) Approves() bool { return c.approves }

// Withholds reports whether it waits for somebody who may grant it.
func (c Consent) Withholds() bool { return c.withholds }

// Why says for the audit what approves where no person does, with a comma before it.
func (c Consent) Why() string {
	if c.rule == 0 {
		return ""
	}
	return fmt.Sprintf("by policy rule %d", c.rule)
}

// Notices tells who makes the change what approves where no person does.
func (c Consent) Notices() []string {
	if c.rule == 0 {
		return nil
	}
	return []string{fmt.Sprintf("what it asks for is approved by policy rule %d", c.rule)}
}

// Gate decides by the operator's policy. nil and the zero Gate have none. It is safe
// for concurrent use.
type Gate struct{ policy atomic.Pointer[policy.Policy] }

// Use makes a policy hold from now on, and returns the one before.
func (g *Gate) Use(p *policy.Policy) (before *policy.Policy) { return g.policy.Swap(p) }

func (g *Gate) holds() *policy.Policy {
	if g == nil {
		return nil
	}
	return g.policy.Load()
}

// Upload returns what the upload of a version means that a request makes. p is the
// plugin as it is, the zero Plugin where there is none. A rule approves it for a deployer;
// not for somebody who may approve and has to leave that to another person, because they
// may have written the rule. Denied when it grants and may not.
func (g *Gate) Upload(ctx context.Context, name string, p plugin.Plugin, v plugin.Version, grant bool) (Consent, error) {
	p.Name = name
	c, err := g.of(ctx, p, v, auth.From(ctx).Name, grant)
	c = c.weighed(p, v, grant)
	if err != nil || !c.withholds || c.own || c.weighs || !wants(p, v) {
		return c, err
	}
	if n := g.holds().Rule(name, p.Grant, v.Ask, v.Mount.Foreign(name, p.Mount)); n > 0 {
		return Consent{approves: true, rule: n}, nil
	}
	return c, nil
}

// Versions are those that are stored.
type Versions interface {
	Version(ctx context.Context, name string, number int) (plugin.Version, error)
}

// Activation returns what the activation of a stored version of p means that a request
// makes, to serve at mounts, "" = where p is. Denied when it grants and may not. The caller
// holds what keeps another version from taking its number.
func (g *Gate) Activation(ctx context.Context, all Versions, p plugin.Plugin, number int, mounts plugin.Mounts, grant bool) (Consent, error) {
	v, err := all.Version(ctx, p.Name, number)
	if err != nil {
		return Consent{}, err
	}
	v.Mount = mounts
	c, err := g.of(ctx, p, v, v.By, grant)
	return c.weighed(p, v, grant), err
}

// weighed returns c for a version of p: whoever has not said that they grant it grants
// nothing that only a person grants who sees it named.
func (c Consent) weighed(p plugin.Plugin, v plugin.Version, grant bool) Consent {
	if c.withholds || grant || !Has(p, v).Weighs(v.Ask) {
		return c
	}
	return Consent{withholds: true, weighs: true}
}

// of returns what a change means of a version that somebody deployed. Its Mount is where
// it is to serve.
func (g *Gate) of(ctx context.Context, p plugin.Plugin, v plugin.Version, by string, grant bool) (Consent, error) {
	who, name := auth.From(ctx), p.Name
	if who.Role == auth.Nobody {
		return Consent{}, nil
	}
	own := g.holds().Separate() && by == who.Name
	err := cmp.Or(who.May(auth.Operator, name), MayReach(ctx, v.Ask.Beyond(Has(p, v))), mayServe(who, name, v.Mount.Foreign(name, p.Mount)))
	if err == nil && own {
		err = fault.New(fault.Denied, "", fmt.Sprintf("the policy says separate_approver, and %q deployed the version; somebody else who may approve has to", who.Name))
	}
	switch {
	case err == nil:
		return Consent{approves: true}, nil
	case grant:
		return Consent{}, fault.Wrap(fault.Denied, "", "granting what a version asks for: "+fault.MessageOf(err), err)
	}
	return Consent{withholds: true, own: own && who.May(auth.Operator, name) == nil}, nil
}

// MayReach returns Denied where something of a list lets a plugin call another one that
// whoever makes the request is no operator of: nobody lends what another team's plugin has.
func MayReach(ctx context.Context, list []plugin.Excess) error {
	who := auth.From(ctx)
	for _, e := range list {
		if e.Reaches == "" || who.Role == auth.Nobody {
			continue
		}
		if err := who.May(auth.Operator, e.Reaches); err != nil {
			return fault.Wrap(fault.Denied, "", fmt.Sprintf("letting a plugin call %q: %s", e.Reaches, fault.MessageOf(err)), err)
		}
	}
	return nil
}

// MayBind returns Denied where a grant that names are bound by gives a version more than it
// has, and whoever makes the request deployed it and has to leave that to somebody else.
func (g *Gate) MayBind(ctx context.Context, p plugin.Plugin, v plugin.Version, grant plugin.Grant) error {
	who := auth.From(ctx)
	if who.Role == auth.Nobody || !g.holds().Separate() || v.By != who.Name || v.Approved {
		return nil
	}
	for _, e := range v.Ask.Beyond(p.Grant) {
		if !slices.Contains(v.Ask.Beyond(grant), e) {
			return fault.New(fault.Denied, "", fmt.Sprintf("the policy says separate_approver, and %q deployed version %d, which asks for %s; somebody else who may approve has to bind that", who.Name, v.Number, e.What))
		}
	}
	return nil
}

// mayServe returns Denied where somebody who is no operator of every plugin lets one serve
// at mounts that are not its own: paths and hosts belong to all teams, and one below
// another plugin's takes requests from it.
func mayServe(who auth.Identity, name string, at []plugin.Mount) error {
	if len(at) == 0 || who.May(auth.Operator, "") == nil {
		return nil
	}
	return fault.New(fault.Denied, "", fmt.Sprintf(
		"%s is not below /%s, and no mount that the plugin has; an operator of all plugins lets it serve there, or a rule of the policy", at[0], name))
}

// wants reports whether a version asks for more than its plugin has and a deployer may
// take: terms of capabilities, isolation, or mounts that are not the plugin's own.
func wants(p plugin.Plugin, v plugin.Version) bool {
	return len(v.Ask.Beyond(Has(p, v))) > 0 || len(v.Mount.Foreign(p.Name, p.Mount)) > 0
}
