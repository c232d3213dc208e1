package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/access"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// accessRecorder is an Access that notes its last call.
type accessRecorder struct {
	note func(string, ...any) error
}

// noterOf returns what notes the calls of a backend; for one that notes none,
// what notes nothing.
func noterOf(d backend) func(string, ...any) error {
	if r, ok := d.(interface{ note(string, ...any) error }); ok {
		return r.note
	}
	return func(string, ...any) error { return nil }
}

func (r accessRecorder) Tokens(context.Context) []auth.Pass {
	_ = r.note("tokens")
	return []auth.Pass{{ID: "aaaaaaaa", Name: "ann", Role: auth.Viewer, Plugins: "*", Expires: time.Unix(1, 0)}}
}

func (r accessRecorder) Create(_ context.Context, spec auth.Pass, by string) (access.Made, error) {
	return access.Made{Pass: spec, Secret: "s"}, r.note("create %s %s %s %s by %s", spec.Name, spec.Role, spec.Plugins, spec.Team, by)
}

func (r accessRecorder) Revoke(_ context.Context, id, by string) error {
	return r.note("revoke %s by %s", id, by)
}

func (r accessRecorder) Rotate(_ context.Context, id string, grace time.Duration, by string) (access.Made, error) {
	return access.Made{Secret: "s"}, r.note("rotate %s %s by %s", id, grace, by)
}

func (r accessRecorder) Teams(context.Context) []auth.Team {
	_ = r.note("teams")
	return nil
}

func (r accessRecorder) SetTeam(_ context.Context, t auth.Team, by string) error {
	return r.note("team %+v by %s", t, by)
}

func (r accessRecorder) DeleteTeam(_ context.Context, name, by string) error {
	return r.note("no team %s by %s", name, by)
}

func (r accessRecorder) Rules(context.Context) []auth.Rule {
	_ = r.note("rules")
	return []auth.Rule{{Name: "people", Login: true}}
}

func (r accessRecorder) SetRule(_ context.Context, rule auth.Rule, by string) error {
	return r.note("rule %+v by %s", rule, by)
}

func (r accessRecorder) DeleteRule(_ context.Context, name, by string) error {
	return r.note("no rule %s by %s", name, by)
}

func (r accessRecorder) Login(_ context.Context, idToken, rule string, _ netip.Addr) (access.Made, error) {
	return access.Made{Secret: "s"}, r.note("login %s %s", idToken, rule)
}

// realAccess returns Access on a store of its own, with a clock that the test sets.
func realAccess(t *testing.T, clock func() time.Time) *access.Access {
	t.Helper()
	dir := t.TempDir()
	st, err := badger.Open(badger.Config{Dir: filepath.Join(dir, "store"), Clock: clock, MinFree: -1, ScrubEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Open(t.Context(), st, filepath.Join(dir, "modules"), clock, capabilities.All(capabilities.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	file, err := auth.OpenFile(filepath.Join(dir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := access.Open(t.Context(), access.Config{Registry: reg, File: file, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		_ = st.Close()
	})
	return a
}

// declared is what the document says of who may use an operation.
type declared struct {
	method, path string
	Role         string `json:"x-role"`
	Plugins      string `json:"x-plugins"`
	good         attempt
}

// TestRoles sends each operation of the route table with a token of each role, for
// plugins of which the one of the operation is and is not, and with tokens that
// let nobody in; and wants what the table declares.
func TestRoles(t *testing.T) {
	var now atomic.Pointer[time.Time]
	start := time.Now()
	now.Store(&start)
	clock := func() time.Time { return *now.Load() }
	keeper := realAccess(t, clock)
	d := &recorder{}
	addr := adminFor(t, d, func(cfg *Config) { cfg.Token = keeper })

	made := func(name string, role auth.Role, plugins auth.Pattern, expires time.Time) access.Made {
		m, err := keeper.Create(t.Context(), auth.Pass{Name: name, Role: role, Plugins: plugins, Expires: expires}, "test")
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	type caller struct {
		name   string
		lines  []string
		role   auth.Role
		right  bool // for the plugin of the operation
		all    bool // for every plugin
		status int  // that it gets for anything; 0 = as declared
	}
	bearer := func(secret string) []string { return []string{"Authorization: Bearer " + secret} }
	var callers []caller
	for _, role := range auth.Roles {
		whole := made("all-"+role.String(), role, auth.AllPlugins, time.Time{})
		callers = append(callers, caller{name: role.String() + " of all", lines: bearer(whole.Secret), role: role, right: true, all: true})
		if role == auth.Owner {
			continue
		}
		right := made("right-"+role.String(), role, "aaa,x-*", time.Time{})
		wrong := made("wrong-"+role.String(), role, "b*", time.Time{})
		callers = append(callers,
			caller{name: role.String() + " of it", lines: bearer(right.Secret), role: role, right: true},
			caller{name: role.String() + " of others", lines: bearer(wrong.Secret), role: role})
	}
	owner := made("owner", auth.Owner, auth.AllPlugins, time.Time{})
	expired := made("expired", auth.Owner, auth.AllPlugins, start.Add(time.Hour))
	revoked := made("revoked", auth.Owner, auth.AllPlugins, time.Time{})
	if err := keeper.Revoke(t.Context(), revoked.ID, "test"); err != nil {
		t.Fatal(err)
	}
	stranger, _, _ := auth.NewSecret()
	later := start.Add(2 * time.Hour)
	now.Store(&later)
	with := func(line string) []string { return append(bearer(owner.Secret), line) }
	callers = append(callers,
		caller{name: "no token", status: 401},
		caller{name: "a wrong token", lines: bearer(stranger), status: 401},
		caller{name: "a wrong secret", lines: bearer(owner.Secret[:20] + string(owner.Secret[20]^1) + owner.Secret[21:]), status: 401},
		caller{name: "an expired token", lines: bearer(expired.Secret), status: 401},
		caller{name: "a revoked token", lines: bearer(revoked.Secret), status: 401},
		caller{name: "another site's page", lines: with("Sec-Fetch-Site: cross-site"), status: 403},
		caller{name: "a page of a sibling", lines: with("Sec-Fetch-Site: same-site"), status: 403},
		caller{name: "another origin's page", lines: with("Origin: https://evil.example"), status: 403},
		caller{name: "a page without an origin", lines: with("Origin: null"), status: 403},
	)

	ops := declaredOperations(t, addr)
	if len(ops) < 30 {
		t.Errorf("the document has %d operations", len(ops))
	}
	for _, op := range ops {
		if op.path == adminapi.PathLogin {
			continue // it is how one gets a token
		}
		least, err := auth.ParseRole(op.Role)
		if err != nil || !slices.Contains([]string{"named", "some", "all"}, op.Plugins) {
			t.Errorf("%s %s declares %+v", op.method, op.path, op)
			continue
		}
		for _, c := range callers {
			ok := c.status == 0 && c.role >= least &&
				(op.Plugins == "some" || op.Plugins == "named" && c.right || op.Plugins == "all" && c.all)
			d.call = ""
			later := clock().Add(time.Hour) // so that wrong tokens are not too many
			now.Store(&later)
			got := op.good.sendAs(t, addr, c.lines)
			switch denied := got.StatusCode == 401 || got.StatusCode == 403; {
			case ok && (denied || got.StatusCode/100 == 5):
				if !slices.Contains([]string{adminapi.PathPrune, adminapi.PathRotate, adminapi.PathToken, adminapi.PathDataCopy}, op.path) || got.StatusCode != 403 { // its handler looks at more
					t.Errorf("%s %s: %s is refused: %d %s", op.method, op.path, c.name, got.StatusCode, got.Text)
				}
			case !ok && (!denied || d.call != ""):
				t.Errorf("%s %s: %s is let through: %d, call %q", op.method, op.path, c.name, got.StatusCode, d.call)
			case c.status != 0 && got.StatusCode != c.status:
				t.Errorf("%s %s: %s gets %d, want %d", op.method, op.path, c.name, got.StatusCode, c.status)
			}
			if !ok {
				checkRefusal(t, c.name, got)
			}
		}
	}
}

// checkRefusal wants a reason that helps whoever has the token, and no one else.
func checkRefusal(t *testing.T, who string, got servertest.Response) {
	t.Helper()
	p := servertest.CheckProblem(t, got)
	want := map[string]string{
		"no token": "a token is needed", "a wrong token": "knows no such token", "a wrong secret": "not whole",
		"an expired token": `the token "expired"`, "a revoked token": `the token "revoked"`,
	}
	if text := want[who]; !strings.Contains(p.Detail, text) {
		t.Errorf("%s is told %q, want %q", who, p.Detail, text)
	}
	if got.StatusCode == 401 && got.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("%s gets no WWW-Authenticate", who)
	}
}

// declaredOperations reads who may use which operation from the document.
func declaredOperations(t *testing.T, addr string) (all []declared) {
	t.Helper()
	doc, _ := document(t, addr)
	for _, op := range operations(t, addr) {
		d := declared{method: op.method, path: op.path, good: op.good(t)}
		if err := json.Unmarshal(doc.Paths[op.path][strings.ToLower(op.method)], &d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// sendAs sends a request with the lines of its header that say who sends it.
func (a attempt) sendAs(t *testing.T, addr string, who []string) servertest.Response {
	t.Helper()
	path := a.op.path
	for name, value := range a.path {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	if len(a.query) > 0 {
		path += "?" + a.query.Encode()
	}
	lines := append(slices.Clone(who), fmt.Sprintf("Content-Length: %d", len(a.body)), "Connection: close")
	if a.mediaType != "" {
		lines = append(lines, "Content-Type: "+a.mediaType)
	}
	return servertest.RoundTrip(t, addr, servertest.Local(a.op.method, path, a.body, lines...))
}

// TestListsShowWhatTheAskerMaySee: of each list over all plugins, those that the
// pattern of the token covers.
func TestListsShowWhatTheAskerMaySee(t *testing.T) {
	ctx := auth.With(t.Context(), auth.Identity{Role: auth.Viewer, Plugins: "shop-*"})
	all := []adminapi.Plugin{{Name: "shop-a"}, {Name: "blog"}, {Name: "shop-b"}}
	if got := visible(ctx, all, nameOf); len(got) != 2 || got[0].Name != "shop-a" || got[1].Name != "shop-b" {
		t.Errorf("%v", got)
	}
	if got := visible(t.Context(), all, nameOf); len(got) != 0 {
		t.Errorf("nobody sees %v", got)
	}
}

func TestSameOriginIsNotForeign(t *testing.T) {
	addr := adminFor(t, &recorder{})
	for _, line := range []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none", "Origin: http://" + addr} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr+adminapi.PathPlugins, nil)
		if err != nil {
			t.Fatal(err)
		}
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
		req.Header.Set("Authorization", "Bearer right")
		transport := &http.Transport{DisableKeepAlives: true}
		got, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		if got.StatusCode != 200 {
			t.Errorf("%s: status %d", line, got.StatusCode)
		}
	}
}
