package access

import (
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// TestEndedTokensKeepNobodyOut: however often somebody rotates their token, others get theirs.
func TestEndedTokensKeepNobodyOut(t *testing.T) {
	f := open(t)
	v := f.made(auth.Pass{Name: "viewer", Role: auth.Viewer, Plugins: "blog"})
	// What a viewer has after 5000 rotations without grace, in fewer commits.
	for n := 0; n < maxPasses; n += 500 {
		err := f.reg.ChangeAccess(t.Context(), func(c *registry.AccessChange) (plugin.Event, error) {
			for range 500 {
				p := v.Pass
				_, p.ID, p.Sum = auth.NewSecret()
				p.Expires = f.now
				if err := c.PutPass(p); err != nil {
					return plugin.Event{}, err
				}
			}
			return plugin.Event{}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	f.wait(time.Minute)
	if _, err := f.Create(t.Context(), auth.Pass{Name: "new", Role: auth.Viewer, Plugins: "*"}, "olga"); err != nil {
		t.Errorf("the owner makes no token: %v", err)
	}
	f.wait(80 * 24 * time.Hour)
	if _, err := f.Create(t.Context(), auth.Pass{Name: "later", Role: auth.Viewer, Plugins: "*"}, "olga"); err != nil {
		t.Errorf("80 days later: %v", err)
	}
}

// TestRotationsDoNotAddUp: of a token and those in its place two are valid at most.
func TestRotationsDoNotAddUp(t *testing.T) {
	f := open(t)
	at, err := f.made(auth.Pass{Name: "viewer", Role: auth.Viewer, Plugins: "blog"}), error(nil)
	for range 50 {
		if at, err = f.Rotate(t.Context(), at.ID, 30*24*time.Hour, "viewer"); err != nil {
			t.Fatal(err)
		}
	}
	valid := 0
	for _, p := range f.Tokens(t.Context()) {
		if _, over := p.Ended(f.now); !over {
			valid++
		}
	}
	if valid > 2 {
		t.Errorf("one token has become %d valid ones", valid)
	}
}

// TestRevokeFollowsRotations: who revokes a token ends what its thief has put in its place.
func TestRevokeFollowsRotations(t *testing.T) {
	f := open(t)
	stolen := f.made(auth.Pass{Name: "ci", Role: auth.Deployer, Plugins: "shop"})
	thief, err := f.Rotate(t.Context(), stolen.ID, time.Hour, "ci")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Revoke(t.Context(), stolen.ID, "olga"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Identify("Bearer "+thief.Secret, here); err == nil {
		t.Error("the thief is still in")
	}
}

// TestOnePersonHasOneName, whatever they ask the issuer for: who deployed may have to leave
// the approval to somebody else.
func TestOnePersonHasOneName(t *testing.T) {
	f, issuer := open(t), newIssuer(t)
	f.trust(auth.Rule{
		Name: "shop", Issuer: issuer.url, Audience: "client", Private: true, Lifetime: time.Hour, Login: true,
		Claims: map[string]string{"groups": "shop"}, Role: auth.Operator, Plugins: "shop-*",
	})
	claims := map[string]any{"iss": issuer.url, "aud": "client", "sub": "17", "exp": f.now.Add(time.Minute).Unix(), "groups": []string{"shop"}, "email": "ann@acme.example", "email_verified": true}
	names := map[string]bool{}
	for range 2 {
		made, err := f.Login(t.Context(), sign(t, jose.ES256, issuer.keys[jose.ES256], claims), "", here)
		if err == nil {
			names[made.Name] = true
		}
		delete(claims, "email") // the scope email was not asked for
	}
	for _, none := range []any{"", 17, nil} {
		claims["email"] = none
		if made, err := f.Login(t.Context(), sign(t, jose.ES256, issuer.keys[jose.ES256], claims), "", here); err == nil {
			t.Errorf("somebody with the address %v is let in as %q", none, made.Name)
		}
	}
	if len(names) != 1 {
		t.Errorf("one person has the names %v", names)
	}
}
