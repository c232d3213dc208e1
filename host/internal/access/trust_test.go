package access

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// fakeIssuer publishes keys and signs tokens.
type fakeIssuer struct {
	url    string
	keys   map[jose.SignatureAlgorithm]any
	looks  atomic.Int64 // at its keys
	hidden atomic.Bool  // it answers nothing
}

func newIssuer(t *testing.T) *fakeIssuer {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeIssuer{keys: map[jose.SignatureAlgorithm]any{
		jose.RS256: rsaKey, jose.PS256: rsaKey, jose.ES256: ecKey, jose.EdDSA: edKey, jose.RS512: rsaKey,
	}}
	public := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: rsaKey.Public(), KeyID: "rsa"}, {Key: ecKey.Public(), KeyID: "ec"}, {Key: edKey.Public(), KeyID: "ed"},
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case f.hidden.Load():
			http.Error(w, "down", http.StatusBadGateway)
		case r.URL.Path == "/keys":
			f.looks.Add(1)
			_ = json.NewEncoder(w).Encode(public)
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{"issuer": f.url, "jwks_uri": f.url + "/keys", "authorization_endpoint": f.url + "/auth", "token_endpoint": f.url + "/token"})
		}
	}))
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// sign returns a token with claims, signed with a key of the issuer or another.
func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(data)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (f *fixture) trust(r auth.Rule) {
	f.t.Helper()
	if err := f.SetRule(f.t.Context(), r, "olga"); err != nil {
		f.t.Fatal(err)
	}
}

func TestLoginOfCI(t *testing.T) {
	f, issuer := open(t), newIssuer(t)
	f.trust(auth.Rule{
		Name: "shop-ci", Issuer: issuer.url, Audience: "wasmoor", Private: true, Lifetime: 15 * time.Minute,
		Claims: map[string]string{"repository": "acme/shop", "ref": "refs/heads/*"}, Role: auth.Deployer, Plugins: "shop-*",
	})
	claims := func(change ...any) map[string]any {
		c := map[string]any{
			"iss": issuer.url, "aud": "wasmoor", "sub": "repo:acme/shop:ref:refs/heads/main", "exp": f.now.Add(5 * time.Minute).Unix(), "iat": f.now.Unix(),
			"repository": "acme/shop", "ref": "refs/heads/main",
		}
		for i := 0; i < len(change); i += 2 {
			c[change[i].(string)] = change[i+1]
			if change[i+1] == nil {
				delete(c, change[i].(string))
			}
		}
		return maps.Clone(c)
	}
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA} {
		made, err := f.Login(t.Context(), sign(t, alg, issuer.keys[alg], claims()), "", here)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		who := f.wantIn(made.Secret)
		if who.Kind != auth.KindCI || who.Name != "shop-ci:repo:acme/shop:ref:refs/heads/main" || who.May(auth.Deployer, "shop-a") != nil || who.May(auth.Viewer, "blog") == nil {
			t.Errorf("%+v", who)
		}
		if made.Expires.Sub(made.Created) != 15*time.Minute {
			t.Errorf("the log-in lasts from %s to %s", made.Created, made.Expires)
		}
	}
	if issuer.looks.Load() != 1 {
		t.Errorf("the issuer was asked %d times for its keys", issuer.looks.Load())
	}

	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	right := issuer.keys[jose.RS256]
	good := sign(t, jose.RS256, right, claims())
	parts := strings.Split(good, ".")
	none := "eyJhbGciOiJub25lIn0." + parts[1] + "."
	for what, tt := range map[string]struct{ token, want string }{
		"no token":           {"hello", "no ID token"},
		"too long":           {good + strings.Repeat("A", 20<<10), "no ID token"},
		"no signature":       {none, "not one that"},
		"a cut signature":    {good[:len(good)-8], "not one that"},
		"another payload":    {parts[0] + "." + strings.Split(sign(t, jose.RS256, right, claims("ref", "refs/heads/x")), ".")[1] + "." + parts[2], "not one that"},
		"a stranger's key":   {sign(t, jose.EdDSA, stranger, claims()), "not one that"},
		"a shared secret":    {sign(t, jose.HS256, []byte(strings.Repeat("k", 32)), claims()), "not one that"},
		"another algorithm":  {sign(t, jose.RS512, right, claims()), "not one that"},
		"another issuer":     {sign(t, jose.RS256, right, claims("iss", "https://evil.example")), "no rule of trust"},
		"no issuer":          {sign(t, jose.RS256, right, claims("iss", nil)), "no ID token"},
		"another audience":   {sign(t, jose.RS256, right, claims("aud", "others")), "audience"},
		"no audience":        {sign(t, jose.RS256, right, claims("aud", nil)), "audience"},
		"other audiences":    {sign(t, jose.RS256, right, claims("aud", []string{"a", "b"})), "audience"},
		"expired":            {sign(t, jose.RS256, right, claims("exp", f.now.Add(-61*time.Second).Unix())), "expired on"},
		"no end":             {sign(t, jose.RS256, right, claims("exp", nil)), "expired on"},
		"of the future":      {sign(t, jose.RS256, right, claims("iat", f.now.Add(2*time.Minute).Unix())), "of the future"},
		"not yet":            {sign(t, jose.RS256, right, claims("nbf", f.now.Add(2*time.Minute).Unix())), "of the future"},
		"another repository": {sign(t, jose.RS256, right, claims("repository", "evil/shop")), `does not take "evil/shop" as the claim repository`},
		"another ref":        {sign(t, jose.RS256, right, claims("ref", "refs/tags/v1")), "claim ref"},
		"no ref":             {sign(t, jose.RS256, right, claims("ref", nil)), "claim ref"},
	} {
		made, err := f.Login(t.Context(), tt.token, "", here)
		if fault.CodeOf(err) != fault.Unauthenticated || !strings.Contains(fault.MessageOf(err), tt.want) || made.Secret != "" {
			t.Errorf("%s: %v, want %q", what, err, tt.want)
		}
	}
	if issuer.looks.Load() != 1 {
		t.Errorf("unknown keys made the server ask %d times", issuer.looks.Load())
	}
	for what, token := range map[string]string{
		"within the leeway": sign(t, jose.RS256, right, claims("exp", f.now.Add(-50*time.Second).Unix())),
		"one of audiences":  sign(t, jose.RS256, right, claims("aud", []string{"a", "wasmoor"})),
	} {
		if _, err := f.Login(t.Context(), token, "shop-ci", here); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	f.wait(2 * time.Minute)
	issuer.hidden.Store(true)
	if _, err := f.Login(t.Context(), good, "", here); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("an issuer that is down: %v", err)
	}
	if err := f.DeleteRule(t.Context(), "shop-ci", "olga"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Login(t.Context(), good, "", here); fault.CodeOf(err) != fault.Unauthenticated {
		t.Errorf("without a rule: %v", err)
	}
}

func TestLoginOfAPerson(t *testing.T) {
	f, issuer := open(t), newIssuer(t)
	f.trust(auth.Rule{
		Name: "people", Issuer: issuer.url, Audience: "client", Private: true, Lifetime: time.Hour, Login: true,
		Claims: map[string]string{"email": "*@acme.example"}, Role: auth.Viewer, Plugins: "*",
	})
	f.trust(auth.Rule{
		Name: "shop", Issuer: issuer.url, Audience: "client", Private: true, Lifetime: time.Hour, Login: true,
		Claims: map[string]string{"groups": "shop"}, Role: auth.Operator, Plugins: "shop-*",
	})
	claims := map[string]any{"iss": issuer.url, "aud": "client", "sub": "17", "exp": f.now.Add(time.Minute).Unix(), "email": "ann@acme.example", "email_verified": true}
	login := func() (Made, error) {
		return f.Login(t.Context(), sign(t, jose.ES256, issuer.keys[jose.ES256], claims), "", here)
	}
	made, err := login()
	if err != nil || made.Name != "ann@acme.example" || made.Kind != auth.KindPerson || made.Role != auth.Viewer {
		t.Errorf("%+v, %v", made.Pass, err)
	}
	claims["groups"] = []string{"staff", "shop"}
	if made, err = login(); err != nil || made.Role != auth.Operator {
		t.Errorf("the rule of the highest role: %+v, %v", made.Pass, err)
	}
	delete(claims, "groups")
	claims["email_verified"] = false
	if _, err = login(); fault.CodeOf(err) != fault.Unauthenticated || !strings.Contains(fault.MessageOf(err), "has not verified") {
		t.Errorf("an address that nobody verified: %v", err)
	}
}

func TestWhatNoRuleIs(t *testing.T) {
	f := open(t)
	good := auth.Rule{
		Name: "ci", Issuer: "https://issuer.example", Audience: "wasmoor", Lifetime: time.Hour,
		Claims: map[string]string{"repository": "acme/shop"}, Role: auth.Deployer, Plugins: "*",
	}
	f.trust(good)
	for what, change := range map[string]func(*auth.Rule){
		"http":           func(r *auth.Rule) { r.Issuer = "http://issuer.example" },
		"no URL":         func(r *auth.Rule) { r.Issuer = "issuer" },
		"no audience":    func(r *auth.Rule) { r.Audience = "" },
		"no claims":      func(r *auth.Rule) { r.Claims = nil },
		"any claim":      func(r *auth.Rule) { r.Claims = map[string]string{"repository": "*"} },
		"too long":       func(r *auth.Rule) { r.Lifetime = 25 * time.Hour },
		"an owner's":     func(r *auth.Rule) { r.Role, r.Plugins = auth.Owner, "shop" },
		"a bad pattern":  func(r *auth.Rule) { r.Plugins = "Shop" },
		"name and slash": func(r *auth.Rule) { r.Name = "a/b" },
	} {
		bad := good
		change(&bad)
		if err := f.SetRule(t.Context(), bad, "olga"); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	// An issuer at a private address, which no rule says is private.
	bad := good
	bad.Issuer = "https://127.0.0.1:1"
	f.trust(bad)
	token := sign(t, jose.HS256, []byte(strings.Repeat("k", 32)), map[string]any{"iss": bad.Issuer})
	if _, err := f.Login(t.Context(), token, "", here); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "private, local or special") {
		t.Errorf("a private address: %v", err)
	}
}
