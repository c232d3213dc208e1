package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/rogpeppe/go-internal/testscript"
)

type issuerKey struct{}

// fakeIssuer is an issuer of OIDC, which does one thing wrong if it is told to, and the
// service that gives a job of GitHub Actions its ID token.
type fakeIssuer struct {
	url string
	key *ecdsa.PrivateKey

	mu    sync.Mutex
	wrong string
	codes map[string]url.Values // what each code was asked for with
}

const (
	clientID    = "cli"
	githubToken = "runner"
)

// issuer starts the issuer and sets ISSUER, or has it do something wrong:
//
//	issuer
//	issuer wrong nothing|deny|nonce|audience|expired|key|token
func issuer(ts *testscript.TestScript, _ bool, args []string) {
	f := ts.Value(issuerKey{}).(*fakeIssuer)
	if len(args) == 2 {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.wrong = args[1]
		return
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	f.key, f.codes = key, map[string]url.Values{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": f.url, "authorization_endpoint": f.url + "/auth", "token_endpoint": f.url + "/token", "jwks_uri": f.url + "/keys",
			"id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one", Algorithm: "ES256"}}})
	})
	mux.HandleFunc("GET /auth", f.authorize)
	mux.HandleFunc("POST /token", f.exchange)
	mux.HandleFunc("GET /github", f.github)
	server := httptest.NewServer(mux)
	ts.Defer(server.Close)
	f.url = server.URL
	ts.Setenv("ISSUER", server.URL)
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (f *fakeIssuer) does(wrong string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wrong == wrong
}

// authorize sends the browser back, as if somebody had logged in, or would not.
func (f *fakeIssuer) authorize(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	back, err := url.Parse(asked.Get("redirect_uri"))
	if err != nil || back.Hostname() != "127.0.0.1" || asked.Get("client_id") != clientID || asked.Get("response_type") != "code" ||
		asked.Get("code_challenge_method") != "S256" || asked.Get("nonce") == "" || !strings.Contains(asked.Get("scope"), "openid") {
		http.Error(w, "no request of the code flow with PKCE", http.StatusBadRequest)
		return
	}
	query := url.Values{"state": {asked.Get("state")}}
	if f.does("deny") {
		query.Set("error", "access_denied")
		query.Set("error_description", "the user said no")
	} else {
		code := rand.Text()
		f.mu.Lock()
		f.codes[code] = asked
		f.mu.Unlock()
		query.Set("code", code)
	}
	back.RawQuery = query.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// exchange gives an ID token for a code, once, to whoever has the verifier of its
// challenge.
func (f *fakeIssuer) exchange(w http.ResponseWriter, r *http.Request) {
	code := r.PostFormValue("code")
	f.mu.Lock()
	asked, known := f.codes[code]
	delete(f.codes, code)
	f.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	user, _, _ := r.BasicAuth()
	if !known || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") ||
		asked.Get("redirect_uri") != r.PostFormValue("redirect_uri") || user+r.PostFormValue("client_id") != clientID {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		answer(w, map[string]string{"error": "invalid_grant", "error_description": "code, verifier, address or client do not match"})
		return
	}
	tokens := map[string]any{"access_token": "a", "token_type": "Bearer"}
	if !f.does("token") {
		tokens["id_token"] = f.sign(clientID, map[string]any{"sub": "4711", "email": "sue@example.org", "email_verified": true, "nonce": asked.Get("nonce")})
	}
	answer(w, tokens)
}

// github is what a runner asks with ACTIONS_ID_TOKEN_REQUEST_TOKEN.
func (f *fakeIssuer) github(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+githubToken || r.URL.Query().Get("run") != "1" {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	answer(w, map[string]string{"value": f.sign(r.URL.Query().Get("audience"), map[string]any{"sub": "repo:acme/shop", "repository": "acme/shop"})})
}

func (f *fakeIssuer) sign(audience string, claims map[string]any) string {
	now, key := time.Now(), f.key
	claims["iss"], claims["aud"], claims["iat"], claims["exp"] = f.url, audience, now.Unix(), now.Add(time.Minute).Unix()
	switch {
	case f.does("nonce"):
		claims["nonce"] = "another"
	case f.does("audience"):
		claims["aud"] = "another"
	case f.does("expired"):
		claims["iat"], claims["exp"] = now.Add(-time.Hour).Unix(), now.Add(-30*time.Minute).Unix()
	case f.does("key"):
		key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	payload, _ := json.Marshal(claims)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "one"))
	if err != nil {
		return err.Error()
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return err.Error()
	}
	text, _ := signed.CompactSerialize()
	return text
}

var loginAddress = regexp.MustCompile(`(?m)^ +(http\S+)$`)

// browse opens the address that a log-in has written to a file, as a browser does:
//
//	browse LOG [challenge|state|twice]
//
// The second word is what somebody else does meanwhile: asks with a challenge of their
// own, sends the browser back with another state before, or with another code after.
func browse(ts *testscript.TestScript, _ bool, args []string) {
	how := strings.Join(args[1:], "")
	var address string
	ts.Check(wait(func() error {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		found := loginAddress.FindStringSubmatch(string(data))
		if err != nil || found == nil {
			return fmt.Errorf("no address in %s: %s", args[0], data)
		}
		address = found[1]
		return nil
	}))
	u, err := url.Parse(address)
	ts.Check(err)
	asked := u.Query()
	back := func(state string) string {
		return asked.Get("redirect_uri") + "?" + url.Values{"state": {state}, "code": {"forged"}}.Encode()
	}
	if how == "state" {
		_, err := request("400", http.MethodGet, back("forged"), "")
		ts.Check(err)
	}
	if how == "challenge" {
		asked.Set("code_challenge", "forged")
		u.RawQuery = asked.Encode()
	}
	text, err := request("200", http.MethodGet, u.String(), "")
	ts.Check(err)
	_, _ = io.WriteString(ts.Stdout(), text)
	if how == "twice" {
		_, _ = request("200", http.MethodGet, back(asked.Get("state")), "") // nobody may listen any more
	}
}
