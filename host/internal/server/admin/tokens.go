package admin

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wasmoor/wasmoor/host/internal/access"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/auth"
)

// Access keeps who may do what. Safe for concurrent use. Errors are faults; package
// access documents them.
type Access interface {
	Tokens(ctx context.Context) []auth.Pass
	Create(ctx context.Context, spec auth.Pass, by string) (access.Made, error)
	Revoke(ctx context.Context, id, by string) error
	Rotate(ctx context.Context, id string, grace time.Duration, by string) (access.Made, error)
	Teams(ctx context.Context) []auth.Team
	SetTeam(ctx context.Context, t auth.Team, by string) error
	DeleteTeam(ctx context.Context, name, by string) error
	Rules(ctx context.Context) []auth.Rule
	SetRule(ctx context.Context, r auth.Rule, by string) error
	DeleteRule(ctx context.Context, name, by string) error
	Login(ctx context.Context, idToken, rule string, from netip.Addr) (access.Made, error)
}

// bindAccess is every route about who may do what.
func (a *Admin) bindAccess(api huma.API) {
	route(api, viewer.ofSome(), get("who-am-i", adminapi.PathWho, "Show who asks, and what they may do"), a.whoami)
	route(api, owner, get("list-tokens", adminapi.PathTokens, "List the tokens and log-ins, the oldest first"), a.tokens)
	route(api, owner, operation("create-token", http.MethodPost, adminapi.PathTokens, "Make a token", http.StatusCreated), a.createToken)
	route(api, viewer.ofSome(), operation("revoke-token", http.MethodDelete, adminapi.PathToken, "Make a token or log-in worth nothing, at once: an owner any, others their own", http.StatusNoContent), a.revokeToken)
	route(api, viewer.ofSome(), operation("rotate-token", http.MethodPost, adminapi.PathRotate, "Put a new token in place of one: an owner of any, others of their own", http.StatusCreated), a.rotateToken)
	route(api, owner, get("list-teams", adminapi.PathTeams, "List the teams"), a.teams)
	route(api, owner, operation("set-team", http.MethodPut, adminapi.PathTeam, "Make a team, or change it", http.StatusNoContent), a.setTeam)
	route(api, owner, operation("delete-team", http.MethodDelete, adminapi.PathTeam, "Delete a team, which leaves its plugins", http.StatusNoContent), a.deleteTeam)
	route(api, owner, get("list-rules", adminapi.PathRules, "List whose ID tokens of OIDC are taken"), a.rules)
	route(api, owner, operation("set-rule", http.MethodPut, adminapi.PathRule, "Take ID tokens of an issuer, or change which", http.StatusNoContent), a.setRule)
	route(api, owner, operation("delete-rule", http.MethodDelete, adminapi.PathRule, "Take ID tokens by a rule no longer; who was let in stays until the log-in ends", http.StatusNoContent), a.deleteRule)
	route(api, anyone, get("list-logins", adminapi.PathLogin, "Show where people log in"), a.logins)
	route(api, anyone, operation("log-in", http.MethodPost, adminapi.PathLogin, "Exchange an ID token of OIDC for a token", http.StatusCreated), a.login)
}

func (a *Admin) whoami(ctx context.Context, _ *struct{}) (*output[adminapi.Who], error) {
	who := auth.From(ctx)
	return show(adminapi.Who{
		Name: who.Name, Kind: string(who.Kind), Token: who.Token, Role: who.Role.String(), Plugins: string(who.Plugins), Team: who.Team,
	}, nil)
}

func (a *Admin) tokens(ctx context.Context, _ *struct{}) (*output[[]adminapi.Token], error) {
	all, now := []adminapi.Token{}, time.Now()
	for _, p := range a.cfg.Access.Tokens(ctx) {
		all = append(all, tokenOf(p, now))
	}
	return show(all, nil)
}

func tokenOf(p auth.Pass, now time.Time) adminapi.Token {
	t := adminapi.Token{
		ID: p.ID, Name: p.Name, Kind: string(p.Kind), Role: p.Role.String(), Plugins: string(p.Plugins), Team: p.Team,
		State: adminapi.TokenValid, By: p.By, Created: p.Created,
	}
	if !p.Expires.IsZero() {
		t.Expires = &p.Expires
	}
	if !p.Used.IsZero() && p.Used.Unix() > 0 {
		t.Used = &p.Used
	}
	if since, ended := p.Ended(now); ended {
		t.State = adminapi.TokenExpired
		if since.Equal(p.Revoked) {
			t.State = adminapi.TokenRevoked
		}
	}
	return t
}

type tokenInput struct{ Body adminapi.TokenSpec }

func (a *Admin) createToken(ctx context.Context, in *tokenInput) (*output[adminapi.TokenMade], error) {
	role, err := auth.ParseRole(in.Body.Role)
	if err != nil {
		return nil, err
	}
	spec := auth.Pass{Name: in.Body.Name, Role: role, Plugins: patternOf(in.Body.Plugins), Team: in.Body.Team}
	if !in.Body.Forever {
		lifetime := access.Lifetime
		if in.Body.Seconds > 0 {
			lifetime = time.Duration(in.Body.Seconds) * time.Second
		}
		spec.Expires = time.Now().UTC().Truncate(time.Second).Add(lifetime)
	}
	made, err := a.cfg.Access.Create(ctx, spec, by(ctx))
	return show(madeOf(made), err)
}

// patternOf returns the pattern that a body names; all plugins where it names none.
func patternOf(text string) auth.Pattern {
	if text == "" {
		return auth.AllPlugins
	}
	return auth.Pattern(text)
}

func madeOf(made access.Made) adminapi.TokenMade {
	return adminapi.TokenMade{Token: tokenOf(made.Pass, time.Now()), Secret: made.Secret}
}

// mayHandle lets an owner decide about any token, and others about the one that they
// show.
func mayHandle(ctx context.Context, token string) error {
	who := auth.From(ctx)
	if who.Token == token && token != "" {
		return nil
	}
	return owner.met(who, "")
}

func (a *Admin) revokeToken(ctx context.Context, in *adminapi.TokenRef) (*struct{}, error) {
	if err := mayHandle(ctx, in.Token); err != nil {
		return nil, err
	}
	return nil, a.cfg.Access.Revoke(ctx, in.Token, by(ctx))
}

type rotateInput struct {
	adminapi.TokenRef
	Body adminapi.Rotation
}

func (a *Admin) rotateToken(ctx context.Context, in *rotateInput) (*output[adminapi.TokenMade], error) {
	if err := mayHandle(ctx, in.Token); err != nil {
		return nil, err
	}
	grace := access.Grace
	if in.Body.Grace != nil {
		grace = time.Duration(*in.Body.Grace) * time.Second
	}
	made, err := a.cfg.Access.Rotate(ctx, in.Token, grace, by(ctx))
	return show(madeOf(made), err)
}

func (a *Admin) teams(ctx context.Context, _ *struct{}) (*output[[]adminapi.Team], error) {
	all := []adminapi.Team{}
	for _, t := range a.cfg.Access.Teams(ctx) {
		shown := adminapi.Team{Name: t.Name, Plugins: string(t.Plugins), Memory: t.Memory, Disk: t.Disk, Weight: max(t.Weight, 1)}
		if a.cfg.Shares != nil {
			used := a.cfg.Shares(t.Name)
			shown.UsedPlugins, shown.UsedMemory, shown.UsedDisk = used.Plugins, used.Memory, used.Disk
		}
		all = append(all, shown)
	}
	return show(all, nil)
}

type teamInput struct {
	adminapi.TeamRef
	Body adminapi.TeamSpec
}

func (a *Admin) setTeam(ctx context.Context, in *teamInput) (*struct{}, error) {
	return nil, a.cfg.Access.SetTeam(ctx, auth.Team{
		Name: in.Team, Plugins: auth.Pattern(in.Body.Plugins), Memory: in.Body.Memory, Disk: in.Body.Disk, Weight: in.Body.Weight,
	}, by(ctx))
}

func (a *Admin) deleteTeam(ctx context.Context, in *adminapi.TeamRef) (*struct{}, error) {
	return nil, a.cfg.Access.DeleteTeam(ctx, in.Team, by(ctx))
}
