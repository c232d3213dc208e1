package admin

import (
	"context"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"

	"github.com/wasmoor/wasmoor/host/internal/access"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/auth"
)

func (a *Admin) rules(ctx context.Context, _ *struct{}) (*output[[]adminapi.Rule], error) {
	all := []adminapi.Rule{}
	for _, r := range a.cfg.Access.Rules(ctx) {
		all = append(all, adminapi.Rule{Name: r.Name, RuleSpec: adminapi.RuleSpec{
			Issuer: r.Issuer, Audience: r.Audience, Claims: r.Claims, Login: r.Login, Private: r.Private,
			Role: r.Role.String(), Plugins: string(r.Plugins), Team: r.Team, Seconds: int64(r.Lifetime / time.Second),
		}})
	}
	return show(all, nil)
}

type ruleInput struct {
	adminapi.RuleRef
	Body adminapi.RuleSpec
}

func (a *Admin) setRule(ctx context.Context, in *ruleInput) (*struct{}, error) {
	b := in.Body
	role, err := auth.ParseRole(b.Role)
	if err != nil {
		return nil, err
	}
	lifetime := access.LoginLifetime(b.Login)
	if b.Seconds > 0 {
		lifetime = time.Duration(b.Seconds) * time.Second
	}
	return nil, a.cfg.Access.SetRule(ctx, auth.Rule{
		Name: in.Rule, Issuer: b.Issuer, Audience: b.Audience, Claims: b.Claims, Login: b.Login, Private: b.Private,
		Role: role, Plugins: patternOf(b.Plugins), Team: b.Team, Lifetime: lifetime,
	}, by(ctx))
}

func (a *Admin) deleteRule(ctx context.Context, in *adminapi.RuleRef) (*struct{}, error) {
	return nil, a.cfg.Access.DeleteRule(ctx, in.Rule, by(ctx))
}

// logins shows where people log in. Whoever reaches the listener may know.
func (a *Admin) logins(ctx context.Context, _ *struct{}) (*output[[]adminapi.LoginAt], error) {
	all := []adminapi.LoginAt{}
	for _, r := range a.cfg.Access.Rules(ctx) {
		if r.Login {
			all = append(all, adminapi.LoginAt{Rule: r.Name, Issuer: r.Issuer, Client: r.Audience})
		}
	}
	return show(all, nil)
}

type loginInput struct {
	from netip.Addr
	Body adminapi.Login
}

// Resolve is called by huma when it has read the parameters.
func (in *loginInput) Resolve(ctx huma.Context) []error {
	in.from = addressOf(humafiber.Unwrap(ctx).Context().RemoteAddr())
	return nil
}

func (a *Admin) login(ctx context.Context, in *loginInput) (*output[adminapi.TokenMade], error) {
	made, err := a.cfg.Access.Login(ctx, in.Body.Token, in.Body.Rule, in.from)
	return show(madeOf(made), err)
}
