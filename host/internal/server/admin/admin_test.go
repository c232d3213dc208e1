package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// recorder is a Deployer and an Operator that notes its last call and answers with err.
type recorder struct {
	call string
	err  error
}

func (r *recorder) note(format string, args ...any) error {
	r.call = fmt.Sprintf(format, args...)
	return r.err
}

// theMetrics is one metric, compressed or not.
type theMetrics struct{}

func (theMetrics) Scrape(_ context.Context, compressed bool) ([]byte, error) {
	return fmt.Appendf(nil, "up{compressed=\"%v\"} 1\n", compressed), nil
}

var anOutcome = deploy.Changed{Plugin: "shop", Mount: "/shop", Version: 2, Digest: "sha256:00", Deployment: 3, Activated: true}

func (r *recorder) Deploy(_ context.Context, up deploy.Upload) (deploy.Changed, error) {
	return anOutcome, r.note("deploy %s mount=%s label=%s by=%s grant=%v noactivate=%v %d bytes", up.Name, up.Mount, up.Label, up.By, up.Grant, up.NoActivate, len(up.Module))
}

func (r *recorder) Activate(_ context.Context, name string, version int, mount string, grant, force bool, by string) (deploy.Changed, error) {
	if force {
		mount += " by force"
	}
	return anOutcome, r.note("activate %s %d%s %v by %s", name, version, mount, grant, by)
}

func (r *recorder) Approve(_ context.Context, name string, version int, seen, by string) (deploy.Changed, error) {
	return anOutcome, r.note("approve %s %d %.4s by %s", name, version, seen, by)
}

func (r *recorder) Reject(_ context.Context, name string, version int, reason, by string) error {
	return r.note("reject %s %d %q by %s", name, version, reason, by)
}

func (r *recorder) RollOut(_ context.Context, name string, version int, canary plugin.Canary, grant bool, by string) (deploy.Changed, error) {
	return anOutcome, r.note("roll out %s %d %s by %q %v by %s", name, version, canary.Plan, canary.Key, grant, by)
}

func (r *recorder) Promote(_ context.Context, name string, full bool, by string) error {
	return r.note("promote %s %v by %s", name, full, by)
}

func (r *recorder) PauseRollout(_ context.Context, name string, pause bool, by string) error {
	return r.note("pause %s %v by %s", name, pause, by)
}

func (r *recorder) Abort(_ context.Context, name, by string) error {
	return r.note("abort %s by %s", name, by)
}

func (r *recorder) Preview(_ context.Context, name string, version int, lasts time.Duration, writes bool, by string) (deploy.Preview, error) {
	return deploy.Preview{}, r.note("preview %s %d %v %v by %s", name, version, lasts, writes, by)
}

func (r *recorder) EndPreviews(_ context.Context, name, _ string) (int, error) {
	r.call = "end previews " + name
	return 1, nil
}

func (r *recorder) Rollout(_ context.Context, name string) (adminapi.Rollout, error) {
	if r.call == "" { // else it is shown after a change
		r.call = "rollout " + name
	}
	return adminapi.Rollout{Plugin: name}, r.err
}

func (r *recorder) Pin(_ context.Context, name string, version int, pinned bool, by string) error {
	return r.note("pin %s %d %v by %s", name, version, pinned, by)
}

func (r *recorder) Delete(_ context.Context, name string, purge bool, by string) error {
	return r.note("delete %s %v by %s", name, purge, by)
}

func (r *recorder) Plugins(context.Context) ([]adminapi.Plugin, error) {
	return []adminapi.Plugin{}, r.note("plugins")
}

func (r *recorder) Plugin(_ context.Context, name string) (adminapi.Plugin, error) {
	return adminapi.Plugin{Name: name, State: adminapi.StateServing, Routes: []string{}, Usage: adminapi.Usage{Keys: 1, Bytes: 2}}, r.note("plugin %s", name)
}

func (r *recorder) Versions(_ context.Context, name string) ([]adminapi.Version, error) {
	return []adminapi.Version{}, r.note("versions %s", name)
}

func (r *recorder) Module(_ context.Context, name string, digest plugin.Digest) (io.ReadCloser, int64, error) {
	return io.NopCloser(strings.NewReader("a module")), 8, r.note("module %s %s", name, digest.Short())
}

func (r *recorder) Deployments(_ context.Context, name string, before int) ([]adminapi.Deployment, error) {
	return []adminapi.Deployment{}, r.note("deployments %s before %d", name, before)
}

func (r *recorder) Vars(_ context.Context, name string) ([]adminapi.Var, error) {
	return []adminapi.Var{}, r.note("vars %s", name)
}

func (r *recorder) SetVars(_ context.Context, name string, set map[string]string, unset []string, by string) (deploy.Changed, error) {
	return anOutcome, r.note("vars %s set %v unset %v by %s", name, set, unset, by)
}

func (r *recorder) Pause(_ context.Context, name string, p plugin.Pause, by string) (int, error) {
	return 3, r.note("pause %s writes=%v %s %q %s by %s", name, p.Writes, p.RetryAfter, p.Page, p.PageType, by)
}

func (r *recorder) Resume(_ context.Context, name, by string) error {
	return r.note("resume %s by %s", name, by)
}

func (r *recorder) Egress(_ context.Context, name string, off bool, by string) error {
	return r.note("egress %s off=%v by %s", name, off, by)
}

func (r *recorder) Running(_ context.Context, name string) ([]dispatch.Request, error) {
	return []dispatch.Request{{ID: "r", Method: "GET", State: dispatch.Running, Age: time.Second}}, r.note("running %s", name)
}

func (r *recorder) Kill(_ context.Context, id string, may func(string) error, by string) (int, error) {
	return 1, r.note("kill %s may=%v by %s", id, may("shop") == nil, by)
}

func (r *recorder) Secrets(_ context.Context, name string) ([]adminapi.Secret, error) {
	return []adminapi.Secret{{Name: "key", State: adminapi.SecretSet}}, r.note("secrets %s", name)
}

func (r *recorder) SetSecret(_ context.Context, name, key, value, by string) (deploy.Changed, error) {
	return anOutcome, r.note("secret %s %s=%s by %s", name, key, value, by)
}

func (r *recorder) RotateKey(_ context.Context, by string) (adminapi.RotatedKey, error) {
	return adminapi.RotatedKey{Key: "00", Keys: 2}, r.note("rotate the key by %s", by)
}

func (r *recorder) Limits(_ context.Context, name string) (adminapi.LimitsShown, error) {
	return adminapi.LimitsShown{}, r.note("limits %s", name)
}

func (r *recorder) SetLimits(_ context.Context, name string, limits limit.Override, by string) (deploy.Changed, error) {
	return anOutcome, r.note("limits %s %s by %s", name, maps.Collect(limits.All()), by)
}

func (r *recorder) Prune(_ context.Context, in adminapi.Prune, by string) (adminapi.Pruned, error) {
	return adminapi.Pruned{}, r.note("prune %+v by %s", in, by)
}

func (r *recorder) CORS(_ context.Context, name string) (adminapi.CORS, error) {
	return adminapi.CORS{Origins: []string{"*"}}, r.note("cors %s", name)
}

func (r *recorder) SetCORS(_ context.Context, name string, policy plugin.CORS, by string) (deploy.Changed, error) {
	return anOutcome, r.note("cors %s %+v by %s", name, policy, by)
}

func (r *recorder) UnsetCORS(_ context.Context, name, by string) (deploy.Changed, error) {
	return anOutcome, r.note("no cors %s by %s", name, by)
}

func (r *recorder) KVGet(_ context.Context, name string, key []byte) ([]byte, error) {
	return []byte("\xffvalue"), r.note("get %s %q", name, key)
}

func (r *recorder) KVList(_ context.Context, name string, q store.Query) (adminapi.KeyPage, error) {
	return adminapi.KeyPage{Entries: []adminapi.KeyEntry{{Key: adminapi.KeyOf([]byte("a")), Size: 3}, {Key: adminapi.KeyOf([]byte{0xff})}}, More: true},
		r.note("list %s prefix=%q after=%q limit=%d reverse=%v", name, q.Prefix, q.After, q.Limit, q.Reverse)
}

func (r *recorder) KVPut(_ context.Context, name string, key, value []byte, ttl time.Duration, by string) error {
	return r.note("put %s %q=%q for %s by %s", name, key, value, ttl, by)
}

func (r *recorder) KVDelete(_ context.Context, name string, key []byte, by string) error {
	return r.note("delete %s %q by %s", name, key, by)
}

func (r *recorder) Audit(_ context.Context, in adminapi.EventsQuery, may func(string) bool) ([]adminapi.Event, error) {
	if !may("shop") || !may("") {
		return nil, r.note("audit of a part")
	}
	return []adminapi.Event{{Number: in.After + 1, Action: "delete", Plugin: "shop", By: "ann"}},
		r.note("audit after=%d limit=%d plugin=%s since=%s", in.After, in.Limit, in.Plugin, in.Since)
}

func (r *recorder) Approvals(context.Context) ([]adminapi.Approval, error) {
	return []adminapi.Approval{{Plugin: "shop", Version: 2, Asks: []adminapi.Ask{{What: "kv", Reason: "orders"}}, Digest: "00"}}, r.note("approvals")
}

func (r *recorder) AuditLines(_ context.Context, after uint64) (adminapi.AuditLines, error) {
	return adminapi.AuditLines{Lines: []string{}}, r.note("audit lines after=%d", after)
}

func (r *recorder) Requests(_ context.Context, id string) ([]adminapi.Request, error) {
	return []adminapi.Request{{ID: id, Plugin: "shop", Conflict: &adminapi.Conflict{Key: adminapi.Key{Text: "k"}, Space: 16, Area: "kv"}}}, r.note("requests %s", id)
}

func (r *recorder) Logs(_ context.Context, in adminapi.LogsQuery) (adminapi.LogPage, error) {
	return adminapi.LogPage{Lines: theLines, Cursor: "1-2"}, r.note("logs %+v", in)
}

// Follow has theLines, and no more.
func (r *recorder) Follow(_ context.Context, in adminapi.LogsQuery) (func(context.Context) ([]adminapi.LogLine, error), func(), error) {
	told := false
	return func(context.Context) ([]adminapi.LogLine, error) {
		if told {
			return nil, io.EOF
		}
		told = true
		return theLines, nil
	}, func() {}, r.note("follow %+v", in)
}

var theLines = []adminapi.LogLine{
	{Cursor: "1-1", Level: "info", Version: 3, RequestID: "r", Message: "a\n\x1b<b", Guest: []adminapi.LogAttr{{Name: "k", Value: "v"}}},
	{Cursor: "1-2", Dropped: 7},
}

// theToken lets in who says "Bearer right".
type theToken struct{}

func (theToken) Identify(authorization string, _ netip.Addr) (auth.Identity, error) {
	if authorization != "Bearer right" {
		return auth.Identity{}, fault.New(fault.Unauthenticated, "", "no")
	}
	return auth.Identity{Name: "admin", Role: auth.Owner, Plugins: auth.AllPlugins}, nil
}

// secret must not be shown to a client.
const secret = "s3cret /etc/passwd goroutine 7"

const right = "Authorization: Bearer right"

// backend is all that the API stands on.
type backend interface {
	Deployer
	Operator
}

// theSettings are those of a server that has one, and never another.
type theSettings struct{}

func (theSettings) Show() []adminapi.Setting {
	return []adminapi.Setting{{Key: "data", Value: "wasmoor-data", Source: "default"}}
}

func (theSettings) Reload(context.Context, string) ([]adminapi.SettingChange, error) { return nil, nil }

func adminFor(t *testing.T, d backend, change ...func(*Config)) string {
	t.Helper()
	cfg := Config{Deployer: d, Operator: d, Access: accessRecorder{noterOf(d)}, Backups: backupRecorder{noterOf(d)}, Data: dataRecorder{noterOf(d)}, Databases: databaseRecorder{noterOf(d)}, Queues: queueRecorder{noterOf(d)}, Crons: cronRecorder{noterOf(d)}, Services: serviceRecorder{noterOf(d)}, Sockets: socketRecorder{noterOf(d)}, Token: theToken{}, Metrics: theMetrics{}, Settings: theSettings{}, Version: "v1.2.3", PublicURL: "http://127.0.0.1:8080", Started: time.Now().Add(-time.Minute)}
	for _, f := range change {
		f(&cfg)
	}
	return servertest.Listen(t, New(cfg))
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's clock for the Date header runs as long as the process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
	)
}

func TestAdminAPI(t *testing.T) {
	d := &recorder{}
	addr := adminFor(t, d)
	const changedJSON = `{"plugin":"shop","mount":["/shop"],"version":2,"digest":"sha256:00","deployment":3,"activated":true,"waiting":[],"routes":[],"steps":[],"notices":[]}`
	for _, tc := range []struct {
		method, path, body string
		status             int
		call, want         string
	}{
		{"GET", "/v1/plugins", "", 200, "plugins", "[]"},
		{"GET", "/v1/plugins/shop", "", 200, "plugin shop", `{"name":"shop","mount":null,"state":"serving","version":0,"versions":0,"deployment":0,"routes":[],"created":"0001-01-01T00:00:00Z","usage":{"keys":1,"bytes":2},"requests":0,"failures":0,"conflicts":0,"wait_millis":0,"run_millis":0,"in_flight":0,"idle":0,"busy":0}`},
		{"DELETE", "/v1/plugins/shop", "", 204, "delete shop false by admin", ""},
		{"DELETE", "/v1/plugins/shop?purge=true", "", 204, "delete shop true by admin", ""},
		{"GET", "/v1/plugins/shop/versions", "", 200, "versions shop", "[]"},
		{"POST", "/v1/plugins/shop/versions", "\x00asm", 201, "deploy shop mount= label= by=admin grant=false noactivate=false 4 bytes", changedJSON},
		{"POST", "/v1/plugins/shop/versions?mount=a.b%2Fc&label=x%20y&grant=true&activate=false", "\x00asm", 201, "deploy shop mount=a.b/c label=x y by=admin grant=true noactivate=true 4 bytes", changedJSON},
		{"GET", "/v1/plugins/shop/deployments", "", 200, "deployments shop before 0", "[]"},
		{"GET", "/v1/plugins/shop/deployments?before=101", "", 200, "deployments shop before 101", "[]"},
		{"POST", "/v1/plugins/shop/deployments", `{"version":2}`, 201, "activate shop 2 false by admin", changedJSON},
		{"POST", "/v1/plugins/shop/deployments", `{"version":2,"grant":true}`, 201, "activate shop 2 true by admin", changedJSON},
		{"GET", "/v1/plugins/shop/vars", "", 200, "vars shop", "[]"},
		{"PUT", "/v1/plugins/shop/pause", `{}`, 200, `pause shop writes=false 1m0s "" text/html; charset=utf-8 by admin`, `{"running":3}`},
		{"PUT", "/v1/plugins/shop/pause", `{"writes":true,"retry_after":5,"page":"x","plain":true}`, 200, `pause shop writes=true 5s "x" text/plain; charset=utf-8 by admin`, `{"running":3}`},
		{"DELETE", "/v1/plugins/shop/pause", "", 204, "resume shop by admin", ""},
		{"PUT", "/v1/plugins/shop/egress", `{"off":true}`, 204, "egress shop off=true by admin", ""},
		{"PUT", "/v1/egress", `{"off":false}`, 204, "egress  off=false by admin", ""},
		{"GET", "/v1/plugins/shop/requests", "", 200, "running shop", `[{"id":"r","trigger":"","method":"GET","path":"","version":0,"attempt":0,"state":"running","age_millis":1000}]`},
		{"POST", "/v1/requests/kill", `{"id":"r"}`, 200, "kill r may=true by admin", `{"requests":1}`},
		{"GET", "/v1/plugins/shop/secrets", "", 200, "secrets shop", `[{"name":"key","state":"set","required":false}]`},
		{"PUT", "/v1/plugins/shop/secrets/api_key", "s\n", 200, "secret shop api_key=s\n by admin", changedJSON},
		{"DELETE", "/v1/plugins/shop/secrets/api_key", "", 200, "vars shop set map[] unset [api_key] by admin", changedJSON},
		{"POST", "/v1/secrets/rotate-key", "", 200, "rotate the key by admin", `{"key":"00","keys":2}`},
		{"PUT", "/v1/plugins/shop/vars/api_key", "s\n", 200, "vars shop set map[api_key:s\n] unset [] by admin", changedJSON},
		{"DELETE", "/v1/plugins/shop/vars/api_key", "", 200, "vars shop set map[] unset [api_key] by admin", changedJSON},
		{"GET", "/v1/plugins/shop/cors", "", 200, "cors shop", `{"origins":["*"]}`},
		{"PUT", "/v1/plugins/shop/cors", `{"origins":["https://a"],"credentials":true,"max_age":9}`, 200, "cors shop {Origins:[https://a] Methods:[] Headers:[] Expose:[] Credentials:true MaxAge:9} by admin", changedJSON},
		{"DELETE", "/v1/plugins/shop/cors", "", 200, "no cors shop by admin", changedJSON},
		{"GET", "/v1/plugins/shop/kv", "", 200, `list shop prefix="" after="" limit=0 reverse=false`, `{"entries":[{"key":"a","size":3},{"key_base64":"/w==","size":0}],"more":true}`},
		{"GET", "/v1/plugins/shop/kv?prefix=a%00&after=%ff&limit=5&reverse=true", "", 200, `list shop prefix="a\x00" after="\xff" limit=5 reverse=true`, `{"entries":[{"key":"a","size":3},{"key_base64":"/w==","size":0}],"more":true}`},
		{"GET", "/v1/plugins/shop/kv/value?key=a%2Fb", "", 200, `get shop "a/b"`, "\xffvalue"},
		{"GET", "/v1/plugins/shop/kv/value?key_base64=%2Fw%3D%3D", "", 200, `get shop "\xff"`, "\xffvalue"},
		{"PUT", "/v1/plugins/shop/kv/value?key=a", "\x00\xff", 204, `put shop "a"="\x00\xff" for 0s by admin`, ""},
		{"PUT", "/v1/plugins/shop/kv/value?key=a&ttl=90s", "v", 204, `put shop "a"="v" for 1m30s by admin`, ""},
		{"DELETE", "/v1/plugins/shop/kv/value?key=a", "", 204, `delete shop "a" by admin`, ""},
		{"GET", "/v1/plugins/shop/queues", "", 200, "queues shop", `[{"name":"mail","declared":true,"waiting":2,"handling":0,"age_seconds":0,"dead":1,"handled":0,"failed":0,"conflicts":0,"refused":0}]`},
		{"GET", "/v1/plugins/shop/queues/mail/messages?dead=true&after=02&limit=7", "", 200, `peek shop mail dead=true after="02" limit=7`, `{"messages":[{"id":"01","sent":"1970-01-01T00:00:01Z","attempts":0,"size":2,"body":"hi"}],"more":false}`},
		{"POST", "/v1/plugins/shop/queues/mail/messages?key=k&id=i&delay=2s&wait=1s", "hi", 200, `send shop mail "hi" key="k" id="i" delay="2s" wait="1s" by admin`, `{"id":"01","state":"waiting"}`},
		{"POST", "/v1/plugins/shop/queues/mail/retry", `{"ids":["01"]}`, 200, `retry shop mail ["01"] by admin`, `{"messages":3}`},
		{"DELETE", "/v1/plugins/shop/queues/mail/messages?dead=true", "", 200, "purge shop mail dead=true by admin", `{"messages":4}`},
		{"PUT", "/v1/plugins/shop/queues/mail/pause", "", 204, "pause shop mail true by admin", ""},
		{"GET", "/v1/plugins/shop/sockets?limit=7", "", 200, "sockets shop limit=7", `{"sockets":[{"id":"A1","kind":"sse","pattern":"GET /room","client":"192.0.2.1","opened":"1970-01-01T00:00:01Z","topics":["room"],"waiting":2}],"open":9}`},
		{"POST", "/v1/plugins/shop/sockets/close", `{"id":"A1","reason":"no flooding"}`, 200, `close shop "A1" all=false "no flooding" by admin`, `{"sockets":5}`},
		{"DELETE", "/v1/plugins/shop/queues/mail/pause", "", 204, "pause shop mail false by admin", ""},
		{"GET", "/v1/requests?id=a%25%2Fb", "", 200, "requests a%/b", `[{"id":"a%/b","plugin":"shop","version":0,"trigger":"","method":"","path":"","start":"0001-01-01T00:00:00Z","attempts":0,"outcome":"","bytes_in":0,"bytes_out":0,"times":{"total_millis":0,"wait_millis":0,"wake_millis":0,"run_millis":0,"commit_millis":0},"conflict":{"key":"k","space":16,"area":"kv"}}]`},
		{"GET", "/v1/audit?after=7&limit=20", "", 200, "audit after=7 limit=20 plugin= since=", `[{"number":8,"time":"0001-01-01T00:00:00Z","by":"ann","action":"delete","plugin":"shop"}]`},
	} {
		d.call = ""
		got := servertest.RoundTrip(t, addr, servertest.Local(tc.method, tc.path, tc.body, right, fmt.Sprintf("Content-Length: %d", len(tc.body))))
		if got.StatusCode != tc.status || d.call != tc.call || strings.TrimSuffix(got.Text, "\n") != tc.want {
			t.Errorf("%s %s: status %d, call %q, body %s\nwant %d, %q, %s", tc.method, tc.path, got.StatusCode, d.call, got.Text, tc.status, tc.call, tc.want)
		}
		checkAdminHeaders(t, got)
	}
}

func checkAdminHeaders(t *testing.T, r servertest.Response) {
	t.Helper()
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "", "Server": "",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s %q, want %q", name, got, want)
		}
	}
	if r.Header.Get("X-Request-Id") == "" {
		t.Error("no request id")
	}
}

func TestAdminStatus(t *testing.T) {
	addr := adminFor(t, &recorder{}, func(c *Config) {
		c.Health = []wire.Check{{Name: "store", Healthy: func() error { return errors.New(secret) }}}
	})
	got := servertest.RoundTrip(t, addr, servertest.Local("GET", "/v1/status", "", right))
	var s adminapi.Status
	if err := json.Unmarshal([]byte(got.Text), &s); err != nil {
		t.Fatal(err)
	}
	if s.Go == "" || s.UptimeSeconds < 60 {
		t.Errorf("go %q, uptime %d", s.Go, s.UptimeSeconds)
	}
	s.Go, s.UptimeSeconds = "", 0
	want := adminapi.Status{Version: "v1.2.3", Public: adminapi.Listener{URL: "http://127.0.0.1:8080", Address: "127.0.0.1:8080"}}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestAdminRefusals(t *testing.T) {
	d := &recorder{}
	addr := adminFor(t, d)
	for _, tc := range []struct {
		method, path, body string
		status             int
		code               fault.Code
	}{
		{"GET", "/v1/nothing", "", 404, fault.NotFound},
		{"GET", "/", "", 404, fault.NotFound},
		{"PATCH", "/v1/plugins", "", 405, fault.Invalid},
		{"BREW", "/v1/plugins", "", 405, fault.Invalid},
		{"BREW", "/v1/nothing", "", 404, fault.NotFound},
		{"GET", "/v1/plugins?page=2", "", 422, fault.Invalid},
		{"GET", "/v1/plugins/../status", "", 400, fault.Invalid},
		{"GET", "/v1/plugins/a%2fb", "", 400, fault.Invalid},
		{"GET", "/V1/plugins", "", 404, fault.NotFound},
		{"GET", "/v1/plugins/shop/deployments?before=-1", "", 422, fault.Invalid},
		{"POST", "/v1/plugins/shop/deployments", "", 400, fault.Invalid},
		{"POST", "/v1/plugins/shop/deployments", "{", 400, fault.Invalid},
		{"POST", "/v1/plugins/shop/deployments", "{}", 422, fault.Invalid},
		{"POST", "/v1/plugins/shop/approvals", `{"version":2,"ask_digest":"9f86d081884c"}`, 422, fault.Invalid}, // a part of one
		{"POST", "/v1/plugins/shop/deployments", `{"version":0}`, 422, fault.Invalid},
		{"POST", "/v1/plugins/shop/deployments", `{"version":"2"}`, 422, fault.Invalid},
		{"POST", "/v1/plugins/shop/deployments", `{"version":2,"grnt":true}`, 422, fault.Invalid},
		{"POST", "/v1/plugins/shop/versions?grant=perhaps", "", 422, fault.Invalid},
		{"PUT", "/v1/plugins/shop/vars/a", "\xff", 400, fault.Invalid},
		{"PUT", "/v1/plugins/shop/secrets/a", "\xff", 400, fault.Invalid},
		{"PUT", "/v1/plugins/shop/cors", `{}`, 422, fault.Invalid},
		{"PUT", "/v1/plugins/shop/cors", `{"origins":["*"],"more":1}`, 422, fault.Invalid},
		{"PUT", "/v1/plugins/shop/vars/a", strings.Repeat("a", adminapi.MaxVar+1), 413, fault.TooLarge},
		{"PUT", "/v1/plugins/shop/kv/value?key=a", strings.Repeat("a", store.MaxValue+1), 413, fault.TooLarge},
		{"PUT", "/v1/plugins/shop/kv/value?key=a&ttl=-1s", "", 422, fault.Invalid},
		{"PUT", "/v1/plugins/shop/kv/value?key=a&ttl=soon", "", 422, fault.Invalid},
		{"GET", "/v1/plugins/shop/kv/value", "", 400, fault.Invalid},
		{"GET", "/v1/plugins/shop/kv/value?key=a&key_base64=YQ==", "", 400, fault.Invalid},
		{"GET", "/v1/plugins/shop/kv/value?key_base64=!", "", 422, fault.Invalid},
		{"GET", "/v1/plugins/shop/kv?prefix=%zz", "", 400, fault.Invalid},
		{"GET", "/v1/plugins/shop/kv?prefix=a;limit=1", "", 400, fault.Invalid},
		{"PUT", "/v1/plugins/shop/vars/a", "a", 415, fault.Invalid},
		{"PUT", "/v1/plugins/shop/vars/a%20b", "", 422, fault.Invalid},
		{"GET", "/v1/plugins/shop/kv?limit=-1", "", 422, fault.Invalid},
		{"GET", "/v1/plugins/shop/kv?limit=many", "", 422, fault.Invalid},
	} {
		d.call = ""
		lines := []string{right, fmt.Sprintf("Content-Length: %d", len(tc.body))}
		if tc.status == 415 {
			lines = append(lines, "Content-Type: application/json")
		}
		got := servertest.RoundTrip(t, addr, servertest.Local(tc.method, tc.path, tc.body, lines...))
		p := servertest.CheckProblem(t, got)
		if got.StatusCode != tc.status || p.Code != tc.code || d.call != "" {
			t.Errorf("%s %s: status %d, code %q, call %q, want %d, %q: %s", tc.method, tc.path, got.StatusCode, p.Code, d.call, tc.status, tc.code, got.Text)
		}
		checkAdminHeaders(t, got)
	}
	if got := servertest.RoundTrip(t, addr, servertest.Local("PATCH", "/v1/plugins", "", right)); got.Header.Get("Allow") == "" {
		t.Error("405 without Allow")
	}
	got := servertest.RoundTrip(t, addr, servertest.Local("POST", "/v1/plugins/shop/deployments", `{"version":"2"}`, right, "Content-Length: 15"))
	if p := servertest.CheckProblem(t, got); len(p.Errors) != 1 || p.Errors[0].Location != "body.version" {
		t.Errorf("the error does not say where: %s", got.Text)
	}
}

func TestAdminFaults(t *testing.T) {
	d := &recorder{}
	var log bytes.Buffer
	addr := adminFor(t, d, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	for code, status := range map[fault.Code]int{
		fault.Invalid: 400, fault.NotFound: 404, fault.Conflict: 409, fault.Denied: 403, fault.TooLarge: 413,
		fault.Exhausted: 507, fault.Unavailable: 503, fault.Deadline: 504, fault.Trap: 502, fault.BadReply: 502,
		fault.Unknown: 503, fault.Internal: 500,
	} {
		log.Reset()
		d.err = fault.Wrap(code, "op", "message of "+secret, errors.New("cause"))
		got := servertest.RoundTrip(t, addr, servertest.Local("GET", "/v1/plugins/shop", "", right))
		p := servertest.CheckProblem(t, got)
		shown := code != fault.Internal && code != fault.Unknown
		if got.StatusCode != status || p.Code != code || strings.Contains(p.Detail, "s3cret") != shown || strings.Contains(got.Text, "cause") {
			t.Errorf("%s: status %d, want %d: %s", code, got.StatusCode, status, got.Text)
		}
		if !strings.Contains(log.String(), "s3cret") || !strings.Contains(log.String(), p.RequestID) {
			t.Errorf("%s: the log lacks the error or the request id: %s", code, log.String())
		}
	}
	d.err = fault.New(fault.Invalid, "inspect", "not a module")
	got := servertest.RoundTrip(t, addr, servertest.Local("POST", "/v1/plugins/shop/versions", "x", right, "Content-Length: 1"))
	if p := servertest.CheckProblem(t, got); got.StatusCode != 422 || p.Detail != "not a module" {
		t.Errorf("a refused module: status %d: %s", got.StatusCode, got.Text)
	}
}

type panicking struct{ backend }

func (panicking) Plugins(context.Context) ([]adminapi.Plugin, error) { panic(secret) }

func TestAdminPanicIsContained(t *testing.T) {
	addr := adminFor(t, panicking{})
	got := servertest.RoundTrip(t, addr, servertest.Local("GET", "/v1/plugins", "", right))
	if p := servertest.CheckProblem(t, got); got.StatusCode != 500 || p.Code != fault.Internal || strings.Contains(got.Text, "s3cret") {
		t.Errorf("%d %s", got.StatusCode, got.Text)
	}
}

// openAPI is what the tests read of the document.
type openAPI struct {
	OpenAPI string                                `json:"openapi"`
	Paths   map[string]map[string]json.RawMessage `json:"paths"`
}

func document(t *testing.T, addr string) (doc openAPI, text string) {
	t.Helper()
	got := servertest.RoundTrip(t, addr, servertest.Local("GET", "/openapi.json", ""))
	if err := json.Unmarshal([]byte(got.Text), &doc); got.StatusCode != 200 || err != nil {
		t.Fatalf("status %d, %v", got.StatusCode, err)
	}
	return doc, got.Text
}

// TestEveryRouteWantsTheToken is made from the OpenAPI document: a route that is
// added is tested.
func TestEveryRouteWantsTheToken(t *testing.T) {
	d := &recorder{}
	addr := adminFor(t, d)
	doc, _ := document(t, addr)
	routes := 0
	for path, methods := range doc.Paths {
		for method := range methods {
			routes++
			if path == adminapi.PathLogin {
				continue
			}
			for _, header := range []string{"X: no token", "Authorization:", "Authorization: Bearer", "Authorization: Bearer wrong", "Authorization: Basic right", "Authorization: right"} {
				method, path := strings.ToUpper(method), strings.NewReplacer("{name}", "shop", "{var}", "v").Replace(path)
				got := servertest.RoundTrip(t, addr, servertest.Local(method, path, "", header, "Content-Length: 0"))
				if p := servertest.CheckProblem(t, got); got.StatusCode != 401 || p.Code != fault.Unauthenticated || got.Header.Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("%s %s with %q: status %d", method, path, header, got.StatusCode)
				}
			}
		}
	}
	if d.call != "" {
		t.Errorf("without a token: %s", d.call)
	}
	if routes < 26 {
		t.Errorf("the document has %d routes", routes)
	}
	for _, path := range []string{"/v1", "/v1/", "/v1/nothing", "/v1x", "/docs", "/schemas/Problem.json", "/openapi.yaml", "/"} {
		if got := servertest.RoundTrip(t, addr, servertest.Local("GET", path, "")); got.StatusCode != 401 {
			t.Errorf("%s without a token: status %d", path, got.StatusCode)
		}
	}
	for _, path := range []string{"/livez", "/readyz?verbose"} {
		if got := servertest.RoundTrip(t, addr, servertest.Local("GET", path, "")); got.StatusCode != 200 {
			t.Errorf("%s without a token: status %d", path, got.StatusCode)
		}
	}
}

func TestAdminDrains(t *testing.T) {
	a := New(Config{Deployer: &recorder{}, Operator: &recorder{}, Token: theToken{}})
	addr := servertest.Listen(t, a)
	want := func(path string, status int) {
		t.Helper()
		if got := servertest.RoundTrip(t, addr, servertest.Local("GET", path, "", right)); got.StatusCode != status {
			t.Errorf("%s: status %d, want %d", path, got.StatusCode, status)
		}
	}
	want("/readyz", 200)
	a.Drain()
	want("/readyz", 503)
	want("/livez", 200)
	want("/v1/plugins", 200)
}

func TestOpenAPIDocument(t *testing.T) {
	doc, text := document(t, adminFor(t, &recorder{}))
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("OpenAPI version %q", doc.OpenAPI)
	}
	if strings.Contains(text, "ErrorModel") || strings.Contains(text, "$schema") || !strings.Contains(text, "#/components/schemas/Problem") {
		t.Error("the document shows huma's error and not ours")
	}
	for path, methods := range doc.Paths {
		for method, raw := range methods {
			var op struct {
				OperationID string                     `json:"operationId"`
				Summary     string                     `json:"summary"`
				Security    []map[string][]string      `json:"security"`
				Responses   map[string]json.RawMessage `json:"responses"`
			}
			if err := json.Unmarshal(raw, &op); err != nil {
				t.Fatal(err)
			}
			if op.OperationID == "" || op.Summary == "" || len(op.Security) != 1 || len(op.Responses) != 2 {
				t.Errorf("%s %s is described as %+v", method, path, op)
			}
		}
	}
}

func TestAdminHosts(t *testing.T) {
	addr := adminFor(t, &recorder{})
	_, port, _ := net.SplitHostPort(addr)
	for host, status := range map[string]int{
		"localhost":           200,
		"LOCALHOST.:" + port:  200,
		addr:                  200,
		"127.9.9.9":           200,
		"[::1]:1":             200,
		"admin.example":       403,
		"evil.example":        403,
		"localhost.evil":      403,
		"127.0.0.1.nip.io":    403,
		"10.0.0.1":            403,
		"x.admin.example:123": 403,
	} {
		got := servertest.RoundTrip(t, addr, "GET /v1/plugins HTTP/1.1\r\nHost: "+host+"\r\n"+right+"\r\n\r\n")
		if got.StatusCode != status {
			t.Errorf("%s: status %d, want %d", host, got.StatusCode, status)
		}
		if status != 200 {
			servertest.CheckProblem(t, got)
		}
	}
	if isLocal(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}) || isLocal(&net.TCPAddr{IP: net.IPv4zero}) { // they are reached by any name
		t.Error("a listener others can reach is taken for local")
	}
}

func TestUploadOverTheLimit(t *testing.T) {
	d := &recorder{}
	addr := adminFor(t, d)
	path := "/v1/plugins/shop/versions"
	over := fmt.Sprintf("Content-Length: %d", limit.Module+1)
	for name, raw := range map[string]string{
		"announced":        servertest.Local("POST", path, "\x00asm", right, over),
		"asked beforehand": servertest.Local("POST", path, "", right, over, "Expect: 100-continue"),
	} {
		c := servertest.Dial(t, addr)
		servertest.Send(t, c, raw)
		r := bufio.NewReader(c)
		if got := servertest.Receive(t, r, "POST"); got.StatusCode != 413 {
			t.Errorf("%s: status %d", name, got.StatusCode)
		}
		if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: the connection goes on: %v", name, err)
		}
	}
	if got := servertest.RoundTrip(t, addr, servertest.Local("POST", path, "", over, "Expect: 100-continue")); got.StatusCode != 401 {
		t.Errorf("asked without a token: status %d", got.StatusCode)
	}
	if d.call != "" {
		t.Errorf("an upload over the limit: %s", d.call)
	}
}

// TestChunkedUploadOverTheLimit streams until the server has enough.
func TestChunkedUploadOverTheLimit(t *testing.T) {
	d := &recorder{}
	c := servertest.Dial(t, adminFor(t, d))
	go func() {
		_, _ = io.WriteString(c, servertest.Local("POST", "/v1/plugins/shop/versions", "", right, "Transfer-Encoding: chunked"))
		chunk := "100000\r\n" + strings.Repeat("a", 1<<20) + "\r\n"
		for range limit.Module>>20 + 8 {
			if _, err := io.WriteString(c, chunk); err != nil {
				return
			}
		}
	}()
	if got := servertest.Receive(t, bufio.NewReader(c), "POST"); got.StatusCode != 413 {
		t.Errorf("status %d", got.StatusCode)
	}
	if d.call != "" {
		t.Errorf("an upload over the limit: %s", d.call)
	}
}

func TestTruncatedUpload(t *testing.T) {
	d := &recorder{}
	addr := adminFor(t, d)
	for _, raw := range []string{
		servertest.Local("POST", "/v1/plugins/shop/versions", "\x00asm", right, "Content-Length: 5"),
		servertest.Local("POST", "/v1/plugins/shop/versions", "5\r\n\x00asm", right, "Transfer-Encoding: chunked"),
		servertest.Local("POST", "/v1/plugins/shop/deployments", `{"version":2}`, right, "Content-Length: 14"),
	} {
		c := servertest.Dial(t, addr)
		servertest.Send(t, c, raw)
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got := servertest.Receive(t, bufio.NewReader(c), "POST")
		if servertest.CheckProblem(t, got); got.StatusCode != 400 || d.call != "" {
			t.Errorf("%q: status %d, call %q", raw, got.StatusCode, d.call)
		}
	}
}

func TestAdminGate(t *testing.T) {
	addr := adminFor(t, &recorder{})
	for _, raw := range []string{
		"GET /livez HTTP/1.1\nHost: localhost\r\n\r\n",
		"POST /v1/plugins HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		servertest.CheckRefused(t, addr, "", raw, http.StatusBadRequest)
	}
}

// TestAdminHEAD: HEAD has the status and the header of GET, and no body.
func TestAdminHEAD(t *testing.T) {
	addr := adminFor(t, &recorder{})
	doc, _ := document(t, addr)
	paths := []string{"/livez", "/readyz", pathOpenAPI}
	for path, methods := range doc.Paths {
		if _, ok := methods["head"]; ok {
			t.Errorf("%s: the document lists HEAD", path)
		}
		if _, ok := methods["get"]; ok {
			paths = append(paths, strings.NewReplacer("{name}", "shop", "{var}", "v").Replace(path))
		}
	}
	for _, path := range append(paths, "/v1/plugins/shop/kv/value?key=a", "/v1/nothing") {
		want := servertest.RoundTrip(t, addr, servertest.Local("GET", path, "", right))
		c := servertest.Dial(t, addr)
		servertest.Send(t, c, servertest.Local("HEAD", path, "", right, "Connection: close"))
		r := bufio.NewReader(c)
		got := servertest.Receive(t, r, "HEAD")
		if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
			t.Errorf("%s: HEAD has a body: %q, %v", path, rest, err)
		}
		for _, name := range []string{"Content-Type", "Cache-Control"} {
			if got.Header.Get(name) != want.Header.Get(name) {
				t.Errorf("%s: %s %q, GET has %q", path, name, got.Header.Get(name), want.Header.Get(name))
			}
		}
		if got.StatusCode != want.StatusCode {
			t.Errorf("%s: status %d, GET has %d", path, got.StatusCode, want.StatusCode)
		}
	}
	if got := servertest.RoundTrip(t, addr, servertest.Local("HEAD", "/v1/plugins", "")); got.StatusCode != 401 {
		t.Errorf("without a token: status %d", got.StatusCode)
	}
}

func TestAdminTwoTokens(t *testing.T) {
	addr := adminFor(t, &recorder{})
	for _, second := range []string{right, "authorization: Bearer wrong", "Authorization:"} {
		servertest.CheckRefused(t, addr, "", servertest.Local("GET", "/v1/plugins", "", right, second), 400)
	}
}

// TestAdminHostMessages: a Host that is none is told so, and not that it is a
// name somebody must allow.
func TestAdminHostMessages(t *testing.T) {
	addr := adminFor(t, &recorder{})
	for _, host := range []string{"[zz:::]", "a:99999"} {
		got := servertest.RoundTrip(t, addr, "GET /v1/plugins HTTP/1.1\r\nHost: "+host+"\r\n"+right+"\r\n\r\n")
		if p := servertest.CheckProblem(t, got); got.StatusCode != 400 || !strings.HasPrefix(p.Detail, "Host is not a name") {
			t.Errorf("%s: status %d: %s", host, got.StatusCode, p.Detail)
		}
	}
}

// TestLabelBound: the API takes as long a label as a manifest may have.
func TestLabelBound(t *testing.T) {
	d := &recorder{}
	addr := adminFor(t, d)
	for length, status := range map[int]int{manifest.MaxLabel: 201, manifest.MaxLabel + 1: 422} {
		d.call = ""
		got := servertest.RoundTrip(t, addr, servertest.Local("POST", "/v1/plugins/shop/versions?label="+strings.Repeat("a", length), "x", right, "Content-Length: 1"))
		if got.StatusCode != status || (d.call != "") != (status == 201) {
			t.Errorf("a label of %d bytes: status %d, call %q: %s", length, got.StatusCode, d.call, got.Text)
		}
	}
}

func TestRefusedPathEndsConnection(t *testing.T) {
	servertest.RefusesPaths(t, adminFor(t, &recorder{}))
}

func TestAcceptGoesOn(t *testing.T) {
	servertest.AcceptGoesOn(t, "admin", func(log *slog.Logger) servertest.Listener {
		return New(Config{Deployer: &recorder{}, Operator: &recorder{}, Token: theToken{}, Log: log})
	})
}
