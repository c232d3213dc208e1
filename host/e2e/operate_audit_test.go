package e2e

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// operated is a request of an operation that changes something, and the events that
// the audit must have of it.
type operated struct {
	id     string // of the operation
	path   string // after /v1
	body   string
	events string // their actions; "" = nothing changes
}

// TestAudit sends each operation of the admin API and wants one event of each change,
// in its place in the chain, none of what changes nothing, of a refusal or of a read.
func TestAudit(t *testing.T) {
	t.Parallel()
	config := writeFile(t, "config.toml", []byte("keep_versions = 9\n"))
	issuer := newSigner(t)
	s := serve(t, t.TempDir(), "--config", config, "--backup-to", t.TempDir())
	module := func(name, answer string) string {
		return string(pack(t, enginetest.Ledger(answer), name, "[kv]", "[config]", "home = { default = \"x\" }", "key = { secret = true, required = false }",
			"[queue.mail]", "request = \"POST /mail\"", "[[cron]]", "schedule = \"@yearly\"", "request = \"POST /tick\"", "[services]", "ledger = \"spin\"", "[sql.main]"))
	}
	table := s.operations()
	token, rule := "", fmt.Sprintf(`{"issuer":%q,"audience":"wasmoor","claims":{"sub":"me"},"private":true,"role":"viewer"}`, issuer.url)
	digest := s.asking("asks")
	stopped := s.running("spin", pack(t, enginetest.Loop(), "spin", "[limits]", "deadline = \"30s\""))
	defer stopped()
	s.deploy("chat", pack(t, enginetest.Version("hi"), "chat", "[[socket]]", "pattern = \"GET /room\""))
	open := s.ws("/chat/room")
	open.hear("hi")
	archive, err := send(t.Context(), "GET", s.admin+"/v1/plugins/spin/data", s.token, nil)
	if err != nil || archive.status != http.StatusOK {
		t.Fatal(archive, err)
	}
	steps := []operated{
		{"deploy", "/plugins/shop/versions", module("shop", "one"), "install activate"},
		{"deploy", "/plugins/shop/versions", module("shop", "two"), "upload activate"},
		{"activate", "/plugins/shop/deployments", `{"version":1}`, "activate"},
		{"reject", "/plugins/asks/rejections", `{"version":1}`, "reject"},
		{"approve", "/plugins/asks/approvals", fmt.Sprintf(`{"version":2,"ask_digest":%q}`, digest), "activate"},
		{"pause-queue", "/plugins/shop/queues/mail/pause", "", "queue-pause"},
		{"pause-queue", "/plugins/shop/queues/mail/pause", "", ""},
		{"resume-queue", "/plugins/shop/queues/mail/pause", "", "queue-resume"},
		{"resume-queue", "/plugins/shop/queues/mail/pause", "", ""},
		{"send-message", "/plugins/shop/queues/mail/messages?id=one&delay=1h", "hello", "queue-send"},
		{"send-message", "/plugins/shop/queues/mail/messages?id=one", "hello", ""},
		{"purge-messages", "/plugins/shop/queues/mail/messages", "", "queue-purge"},
		{"purge-messages", "/plugins/shop/queues/mail/messages", "", ""},
		{"retry-messages", "/plugins/shop/queues/mail/retry", `{}`, ""},
		{"close-sockets", "/plugins/chat/sockets/close", `{"all":true,"reason":"enough"}`, "socket-close"},
		{"close-sockets", "/plugins/shop/sockets/close", `{"all":true}`, ""},
		{"run-cron", "/plugins/shop/crons/tick/run", "", "cron-run"},
		{"activate", "/plugins/shop/deployments", `{"version":2,"canary":"5%:1h,50%:1h"}`, "rollout"},
		{"change-rollout", "/plugins/shop/rollout", `{"act":"pause"}`, "rollout"},
		{"change-rollout", "/plugins/shop/rollout", `{"act":"pause"}`, ""},
		{"change-rollout", "/plugins/shop/rollout", `{"act":"promote"}`, "rollout"},
		{"change-rollout", "/plugins/shop/rollout", `{"act":"abort"}`, "rollout"},
		{"preview", "/plugins/shop/previews", `{"version":2}`, "preview"},
		{"preview", "/plugins/shop/previews", `{"end":true}`, "preview"},
		{"preview", "/plugins/shop/previews", `{"end":true}`, ""},
		{"pin-version", "/plugins/shop/pins", `{"version":2}`, "pin"},
		{"pin-version", "/plugins/shop/pins", `{"version":2}`, ""},
		{"pin-version", "/plugins/shop/pins", `{"version":2,"unpin":true}`, "unpin"},
		{"set-var", "/plugins/shop/vars/home", "y", "activate"},
		{"unset-var", "/plugins/shop/vars/home", "", "activate"},
		{"change-vars", "/plugins/shop/vars", `{"set":{"home":"z"}}`, "activate"},
		{"set-secret", "/plugins/shop/secrets/key", "s3cret", "activate"},
		{"unset-secret", "/plugins/shop/secrets/key", "", "activate"},
		{"rotate-key", "/secrets/rotate-key", "", "rotate"},
		{"set-limits", "/plugins/shop/limits", `{"memory":1048576}`, "activate"},
		{"bind-services", "/plugins/shop/services", `{"bind":{"ledger":"asks"}}`, "activate"},
		{"bind-services", "/plugins/shop/services", `{"unbind":["ledger"]}`, "activate"},
		{"set-cors", "/plugins/shop/cors", `{"origins":["https://a.example"]}`, "activate"},
		{"unset-cors", "/plugins/shop/cors", "", "activate"},
		{"pause", "/plugins/shop/pause", `{}`, "pause"},
		{"resume", "/plugins/shop/pause", "", "resume"},
		{"resume", "/plugins/shop/pause", "", ""},
		{"set-egress", "/plugins/shop/egress", `{"off":true}`, "egress"},
		{"set-egress", "/plugins/shop/egress", `{"off":true}`, ""},
		{"set-egress-of-all", "/egress", `{"off":true}`, "egress"},
		{"set-egress-of-all", "/egress", `{"off":false}`, "egress"},
		{"kill-requests", "/requests/kill", `{"id":"endless"}`, "kill"},
		{"put-key", "/plugins/shop/kv/value?key=a", "1", "kv-put"},
		{"delete-key", "/plugins/shop/kv/value?key=a", "", "kv-delete"},
		{"import-keys", "/plugins/shop/kv/import", `{"key":"a","value":"1"}`, "kv-import"},
		{"import-keys", "/plugins/shop/kv/import?dry_run=true", `{"key":"b","value":"1"}`, ""},
		{"copy-data", "/plugins/shop/data/copy", `{"from":"spin","replace":true}`, "data-copy"},
		{"import-data", "/plugins/shop/data?replace=true", archive.body, "data-import"},
		{"export-data", "/plugins/shop/data", "", "data-export"},
		{"export-keys", "/plugins/shop/kv/export", "", "kv-export"},
		{"query-database", "/plugins/shop/databases/main/query", `{"statement":"CREATE TABLE t (v)","write":true}`, "sql-write"},
		{"query-database", "/plugins/shop/databases/main/query", `{"statement":"SELECT count(*) FROM t"}`, "sql-query"},
		{"export-database", "/plugins/shop/databases/main/file", "", "sql-export"},
		{"import-database", "/plugins/shop/databases/main/file", "FILE", "sql-import"},
		{"set-team", "/teams/crew", `{"plugins":"crew-*","disk":4096}`, "team-set"},
		{"set-team", "/teams/crew", `{"plugins":"crew-*","disk":4096}`, ""},
		{"delete-team", "/teams/crew", "", "team-delete"},
		{"set-rule", "/trust/me", rule, "trust-set"},
		{"set-rule", "/trust/me", rule, ""},
		{"log-in", "/login", fmt.Sprintf(`{"id_token":%q}`, issuer.sign(t, "me")), "login"},
		{"delete-rule", "/trust/me", "", "trust-delete"},
		{"create-token", "/tokens", `{"name":"ann","role":"viewer"}`, "token-create"},
		{"rotate-token", "/tokens/TOKEN/rotate", `{}`, "token-rotate"},
		{"revoke-token", "/tokens/TOKEN", "", "token-revoke"},
		{"reload-settings", "/config/reload", `{}`, "reload"},
		{"reload-settings", "/config/reload", `{}`, ""},
		{"begin-backup", "/backups", "", "backup"},
		{"stream-backup", "/backup", "", "backup"},
		{"prune", "/prune", `{"deployments":1}`, "prune"},
		{"delete-plugin", "/plugins/shop", "", "delete"},
		{"delete-plugin", "/plugins/shop?purge=true", "", "purge"},
	}
	if err := os.WriteFile(config, []byte("keep_versions = 8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sent, file := map[string]bool{}, ""
	for _, o := range steps {
		op, ok := table[o.id]
		if !ok {
			t.Fatalf("there is no operation %s", o.id)
		}
		sent[o.id] = true
		path := "/v1" + strings.Replace(o.path, "TOKEN", token, 1)
		before := s.events()
		for _, who := range []string{"", "wasmoor_wrong"} {
			if o.id != "log-in" {
				if a := s.operate(t, op.method, path, who, o); a.status != 401 {
					t.Errorf("%s with the token %q: %v", o.id, who, a)
				}
			}
		}
		if got := s.events(); len(got) != len(before) {
			t.Errorf("%s: a refusal has the events %v", o.id, got[len(before):])
		}
		if o.body == "FILE" {
			o.body = file
		}
		a := s.operate(t, op.method, path, s.token, o)
		if o.id == "export-database" {
			file = a.body
		}
		if a.status >= 300 {
			t.Errorf("%s: %v", o.id, a)
			continue
		}
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(a.body), &made); err == nil && strings.Contains(o.id, "token") {
			token = made.ID
		}
		after := s.events()
		if got := strings.Join(after[min(len(before), len(after)):], " "); got != o.events {
			t.Errorf("%s has the events %q, want %q", o.id, got, o.events)
		}
	}
	open.closed(1001, "enough")
	before := len(s.events())
	for id, op := range table {
		switch {
		case sent[id]:
		case op.method != "GET":
			t.Errorf("%s changes something, and is not here", id)
		default:
			path := regexp.MustCompile(`\{(\w+)\}`).ReplaceAllStringFunc(op.path, func(p string) string {
				return map[string]string{"{name}": "spin"}[p] + map[string]string{"{digest}": strings.Repeat("0", 64)}[p]
			})
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond) // of those that go on for ever
			_, _ = send(ctx, "GET", s.admin+path, s.token, nil)
			cancel()
		}
	}
	if got := s.events(); len(got) != before {
		t.Errorf("reads have the events %v", got[before:])
	}
	text := s.mustCLI("", "audit", "--json")
	if strings.Contains(text, "s3cret") || strings.Contains(text, "wsm_") {
		t.Errorf("the audit has a secret:\n%s", text)
	}
	s.mustCLI("", "audit", "verify")
}

// operation is a row of the route table.
type route struct{ method, path string }

// operations returns the route table, by the ids of its operations.
func (s *server) operations() map[string]route {
	s.t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			ID string `json:"operationId"`
		}
	}
	s.api(&doc, "GET", "/openapi.json")
	all := map[string]route{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			all[op.ID] = route{strings.ToUpper(method), path}
		}
	}
	return all
}

// operate sends a request of an operation.
func (s *server) operate(t *testing.T, method, path, token string, o operated) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.admin+path, strings.NewReader(o.body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	kind := mediaType(req.URL.Path)
	if strings.Contains(path, "/messages") {
		kind = "application/octet-stream"
	}
	if strings.HasSuffix(path, "/databases/main/file") {
		kind = "application/vnd.sqlite3"
	}
	if strings.Contains(path, "/secrets/key") {
		kind = mediaType("/vars/key")
	}
	if o.body != "" {
		req.Header.Set("Content-Type", kind)
	}
	a, err := roundTrip(req)
	if err != nil {
		t.Fatalf("%s: %v", o.id, err)
	}
	return a
}

// events returns the actions that the audit has, the oldest first.
func (s *server) events() (all []string) {
	s.t.Helper()
	var events []struct{ Action string }
	s.api(&events, "GET", "/v1/audit")
	for _, e := range events {
		all = append(all, e.Action)
	}
	return all
}

// asking uploads two versions of a plugin that wait for an approval, and returns the
// digest of what the newer one asks for.
func (s *server) asking(name string) string {
	s.t.Helper()
	var made struct{ Secret string }
	s.api(&made, "POST", "/v1/tokens", []byte(`{"name":"dora","role":"deployer"}`)...)
	for _, answer := range []string{"one", "two"} {
		module := pack(s.t, enginetest.Version(answer), name, "[outbound]", "allow = [\"https://api.example\"]")
		if a, err := send(s.t.Context(), "POST", s.admin+"/v1/plugins/"+name+"/versions", made.Secret, bytes.NewReader(module)); err != nil || a.status != http.StatusCreated {
			s.t.Fatalf("%v, %v", a, err)
		}
	}
	var approvals []adminapi.Approval
	s.api(&approvals, "GET", "/v1/approvals")
	for _, a := range approvals {
		if a.Plugin == name && a.Version == 2 {
			return a.Digest
		}
	}
	s.t.Fatalf("nothing waits: %+v", approvals)
	return ""
}

// running deploys a guest that computes for ever, and returns once a request of it with
// the id endless runs.
func (s *server) running(name string, module []byte) (wait func()) {
	s.t.Helper()
	s.deploy(name, module)
	done := make(chan struct{})
	go func() {
		defer close(done)
		req, err := http.NewRequest("GET", s.public+"/"+name+"/", nil)
		if err == nil {
			req.Header.Set("X-Request-Id", "endless")
			_, _ = roundTrip(req)
		}
	}()
	err := until(s.t.Context(), func() bool {
		a, err := s.tryAdmin(s.t.Context(), "GET", "/v1/plugins/"+name+"/requests", nil)
		return err == nil && strings.Contains(a.body, `"running"`)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return func() { <-done }
}

// signer is an issuer of OIDC.
type signer struct {
	url string
	key *rsa.PrivateKey
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &signer{key: key}
	text := base64.RawURLEncoding.EncodeToString
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/keys" {
			fmt.Fprintf(w, `{"keys":[{"kty":"RSA","kid":"k","alg":"RS256","n":%q,"e":%q}]}`, text(key.N.Bytes()), text(big.NewInt(int64(key.E)).Bytes()))
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"%s/keys","authorization_endpoint":"%s/a","token_endpoint":"%s/t"}`, i.url, i.url, i.url, i.url)
	}))
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// sign returns an ID token.
func (i *signer) sign(t *testing.T, subject string) string {
	t.Helper()
	now, text := time.Now().Unix(), base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"iss":%q,"aud":"wasmoor","sub":%q,"iat":%d,"exp":%d}`, i.url, subject, now, now+300)
	signed := text([]byte(`{"alg":"RS256","kid":"k","typ":"JWT"}`)) + "." + text([]byte(claims))
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + text(signature)
}
