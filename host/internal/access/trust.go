package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/access/issuer"
	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// Rules returns every rule of trust, by name.
func (a *Access) Rules(context.Context) []auth.Rule { return a.known.Load().all.Rules }

// SetRule makes a rule, or changes the one of that name; log-ins that it has let in
// stay. Errors: Invalid; NotFound for the team; Exhausted when there are too many.
func (a *Access) SetRule(ctx context.Context, r auth.Rule, by string) error {
	if err := r.Check(); err != nil {
		return err
	}
	return a.change(ctx, func(c *registry.AccessChange) (plugin.Event, error) {
		if r.Team != "" {
			if _, err := teamOf(c.Teams, r.Team); err != nil {
				return plugin.Event{}, err
			}
		}
		var before []plugin.Field
		if i := slices.IndexFunc(c.Rules, func(other auth.Rule) bool { return other.Name == r.Name }); i >= 0 {
			before = ruleFields(c.Rules[i])
		} else if len(c.Rules) >= maxRules {
			return plugin.Event{}, fault.New(fault.Exhausted, "", fmt.Sprintf("there are %d rules, as many as a server keeps", len(c.Rules)))
		}
		changes := plugin.Compare(before, ruleFields(r))
		if changes == nil {
			return plugin.Event{}, nil
		}
		return plugin.Event{By: by, Action: plugin.ActionTrustSet, Detail: r.Name, Changes: changes}, c.PutRule(r)
	})
}

// DeleteRule forgets a rule; log-ins that it has let in stay until they end. Errors:
// NotFound.
func (a *Access) DeleteRule(ctx context.Context, name, by string) error {
	return a.change(ctx, func(c *registry.AccessChange) (plugin.Event, error) {
		i := slices.IndexFunc(c.Rules, func(r auth.Rule) bool { return r.Name == name })
		if i < 0 {
			return plugin.Event{}, fault.New(fault.NotFound, "", fmt.Sprintf("there is no rule %.64q; list them with: wasmoor trust list", name))
		}
		return plugin.Event{By: by, Action: plugin.ActionTrustDelete, Detail: name, Changes: plugin.Compare(ruleFields(c.Rules[i]), nil)}, c.RemoveRule(name)
	})
}

// Login exchanges an ID token for a token of the server that lasts as long as the
// rule says: of the rules that take it, that of the highest role, or the one that
// is named. Errors: Unauthenticated, Unavailable (the issuer), Exhausted (too many
// wrong ones from an address).
func (a *Access) Login(ctx context.Context, idToken, rule string, from netip.Addr) (Made, error) {
	made, err := a.login(ctx, idToken, rule)
	if code := fault.CodeOf(err); code != fault.Unauthenticated && code != fault.Unavailable {
		return made, err
	}
	return Made{}, cmp.Or(a.failed(from), err)
}

func (a *Access) login(ctx context.Context, idToken, rule string) (Made, error) {
	of, err := issuer.Of(idToken)
	if err != nil {
		return Made{}, err
	}
	rules := slices.DeleteFunc(slices.Clone(a.known.Load().all.Rules), func(r auth.Rule) bool {
		return r.Issuer != of || rule != "" && r.Name != rule
	})
	if len(rules) == 0 {
		return Made{}, fault.New(fault.Unauthenticated, "", fmt.Sprintf("no rule of trust here takes ID tokens of %.128q", of))
	}
	private := !slices.ContainsFunc(rules, func(r auth.Rule) bool { return !r.Private })
	claims, err := a.issuers.Verify(ctx, of, private, idToken)
	if err != nil {
		a.cfg.Log.Warn("a log-in failed", "issuer", of, "err", err)
		return Made{}, err
	}
	var best *auth.Rule
	var why []error
	for i, r := range rules {
		switch err := r.Takes(claims); {
		case err != nil:
			why = append(why, errors.New(fault.MessageOf(err)))
		case best == nil || r.Role > best.Role:
			best = &rules[i]
		}
	}
	if best == nil {
		text := strings.ReplaceAll(errors.Join(why[:min(len(why), 3)]...).Error(), "\n", "; ")
		return Made{}, fault.New(fault.Unauthenticated, "", text)
	}
	if email, _ := claims["email"].(string); best.Login && (email == "" || claims["email_verified"] != true) {
		return Made{}, fault.New(fault.Unauthenticated, "", "the ID token has no address of mail that the issuer has verified, by which a person is named; ask the issuer for the scope email")
	}
	name := nameOf(*best, claims)
	spec := auth.Pass{
		Name: name, Kind: auth.KindCI, Role: best.Role, Plugins: best.Plugins, Team: best.Team,
		Expires: a.now().Add(best.Lifetime),
	}
	if best.Login {
		spec.Kind = auth.KindPerson
	}
	return a.make(ctx, spec, name, plugin.ActionLogin)
}

// nameOf returns who has logged in: of people the address of mail, whatever rule lets them
// in, so that one person has one name; of CI the rule and the subject.
func nameOf(r auth.Rule, claims map[string]any) string {
	text, _ := claims["email"].(string)
	if !r.Login {
		subject, _ := claims["sub"].(string)
		text = r.Name + ":" + subject
	}
	clean := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._@+/:-", c) {
			return c
		}
		return '-'
	}, text)
	return strings.Trim(clean[:min(len(clean), 128)], "._@+/:-")
}
