package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Who tells whose the client's token is, and what it may do.
func (c *Client) Who(ctx context.Context) (who adminapi.Who, err error) {
	return who, c.call(ctx, request{op: "ask who this is", method: http.MethodGet, path: adminapi.PathWho}, &who)
}

// Tokens lists the tokens and log-ins, the oldest first.
func (c *Client) Tokens(ctx context.Context) (all []adminapi.Token, err error) {
	return all, c.call(ctx, request{op: "list tokens", method: http.MethodGet, path: adminapi.PathTokens}, &all)
}

// CreateToken makes a token.
func (c *Client) CreateToken(ctx context.Context, spec adminapi.TokenSpec) (made adminapi.TokenMade, err error) {
	return made, c.sendJSON(ctx, request{op: "create a token", method: http.MethodPost, path: adminapi.PathTokens}, spec, &made)
}

// RevokeToken makes a token or log-in worth nothing.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.call(ctx, request{op: "revoke a token", method: http.MethodDelete, path: adminapi.PathToken, in: adminapi.TokenRef{Token: id}}, nil)
}

// RotateToken puts a new token in place of one.
func (c *Client) RotateToken(ctx context.Context, id string, r adminapi.Rotation) (made adminapi.TokenMade, err error) {
	return made, c.sendJSON(ctx, request{op: "rotate a token", method: http.MethodPost, path: adminapi.PathRotate, in: adminapi.TokenRef{Token: id}}, r, &made)
}

// Teams lists the teams.
func (c *Client) Teams(ctx context.Context) (all []adminapi.Team, err error) {
	return all, c.call(ctx, request{op: "list teams", method: http.MethodGet, path: adminapi.PathTeams}, &all)
}

// SetTeam makes or changes a team.
func (c *Client) SetTeam(ctx context.Context, name string, spec adminapi.TeamSpec) error {
	return c.sendJSON(ctx, request{op: "set a team", method: http.MethodPut, path: adminapi.PathTeam, in: adminapi.TeamRef{Team: name}}, spec, nil)
}

// DeleteTeam deletes a team.
func (c *Client) DeleteTeam(ctx context.Context, name string) error {
	return c.call(ctx, request{op: "delete a team", method: http.MethodDelete, path: adminapi.PathTeam, in: adminapi.TeamRef{Team: name}}, nil)
}

// sendJSON is call with a body.
func (c *Client) sendJSON(ctx context.Context, r request, body, out any) (err error) {
	r.contentType = "application/json"
	if r.body, err = json.Marshal(body); err != nil {
		return fault.Wrap(fault.Internal, r.op, "the request cannot be encoded", err)
	}
	return c.call(ctx, r, out)
}

// Rules lists the rules of trust.
func (c *Client) Rules(ctx context.Context) (all []adminapi.Rule, err error) {
	return all, c.call(ctx, request{op: "list rules of trust", method: http.MethodGet, path: adminapi.PathRules}, &all)
}

// SetRule makes or changes a rule of trust.
func (c *Client) SetRule(ctx context.Context, name string, spec adminapi.RuleSpec) error {
	return c.sendJSON(ctx, request{op: "set a rule of trust", method: http.MethodPut, path: adminapi.PathRule, in: adminapi.RuleRef{Rule: name}}, spec, nil)
}

// DeleteRule deletes a rule of trust.
func (c *Client) DeleteRule(ctx context.Context, name string) error {
	return c.call(ctx, request{op: "delete a rule of trust", method: http.MethodDelete, path: adminapi.PathRule, in: adminapi.RuleRef{Rule: name}}, nil)
}

// Logins tells where people log in. It needs no token.
func (c *Client) Logins(ctx context.Context) (all []adminapi.LoginAt, err error) {
	return all, c.call(ctx, request{op: "ask where to log in", method: http.MethodGet, path: adminapi.PathLogin}, &all)
}

// Login exchanges an ID token for a token of the server. It needs no token.
func (c *Client) Login(ctx context.Context, in adminapi.Login) (made adminapi.TokenMade, err error) {
	return made, c.sendJSON(ctx, request{op: "log in", method: http.MethodPost, path: adminapi.PathLogin}, in, &made)
}
