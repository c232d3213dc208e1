package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// TestClientAndServerAgree: what the client is told to do reaches what stands
// behind the server, for each operation.
func TestClientAndServerAgree(t *testing.T) {
	d := &recorder{}
	c, err := client.New(client.Config{Server: "http://" + adminFor(t, d), Token: "right"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	shop := adminapi.PluginRef{Name: "shop"}
	mainOf := adminapi.DatabaseRef{PluginRef: shop, Database: "main"}
	query := adminapi.LogsQuery{PluginRef: shop, After: "1-2", Level: "warn", Request: "a&b", Version: 3, Since: "2026-11-29T05:00:00Z", Until: "2026-11-29T06:00:00.5+01:00", Tail: 4}
	policy := adminapi.CORS{Origins: []string{"https://a.example"}, Methods: []string{"PUT"}, MaxAge: 9}
	for want, do := range map[string]func(context.Context) error{
		"plugins":       func(ctx context.Context) error { return second(c.Plugins(ctx)) },
		"plugin shop":   func(ctx context.Context) error { return second(c.Plugin(ctx, "shop")) },
		"versions shop": func(ctx context.Context) error { return second(c.Versions(ctx, "shop")) },
		"deploy shop mount=a.b/c /d label=x & y by=admin grant=true noactivate=true 4 bytes": func(ctx context.Context) error {
			return second(c.Deploy(ctx, adminapi.Upload{PluginRef: shop, Mount: []string{"a.b/c", "/d"}, Label: "x & y", Grant: true}, []byte("\x00asm")))
		},
		"deploy shop mount= label= by=admin grant=false noactivate=false 4 bytes": func(ctx context.Context) error {
			return second(c.Deploy(ctx, adminapi.Upload{PluginRef: shop, Activate: true}, []byte("\x00asm")))
		},
		"activate shop 2 true by admin": func(ctx context.Context) error {
			return second(c.Activate(ctx, "shop", adminapi.Activation{Version: 2, Grant: true}))
		},
		`roll out shop 2 5%:2m by "ip" false by admin`: func(ctx context.Context) error {
			return second(c.Activate(ctx, "shop", adminapi.Activation{Version: 2, Canary: "5%:2m", Key: "ip"}))
		},
		"rollout shop": func(ctx context.Context) error { return second(c.Rollout(ctx, "shop")) },
		"promote shop true by admin": func(ctx context.Context) error {
			return second(c.ChangeRollout(ctx, "shop", adminapi.RolloutAct{Act: "promote", Full: true}))
		},
		"pause shop false by admin": func(ctx context.Context) error {
			return second(c.ChangeRollout(ctx, "shop", adminapi.RolloutAct{Act: "resume"}))
		},
		"abort shop by admin": func(ctx context.Context) error {
			return second(c.ChangeRollout(ctx, "shop", adminapi.RolloutAct{Act: "abort"}))
		},
		"preview shop 2 30m0s true by admin": func(ctx context.Context) error {
			return second(c.Preview(ctx, "shop", adminapi.NewPreview{Version: 2, Minutes: 30, Writes: true}))
		},
		"end previews shop": func(ctx context.Context) error {
			return second(c.Preview(ctx, "shop", adminapi.NewPreview{End: true}))
		},
		"pin shop 2 true by admin": func(ctx context.Context) error { return c.Pin(ctx, "shop", adminapi.Pin{Version: 2}) },
		"deployments shop before 0": func(ctx context.Context) error {
			return c.Deployments(ctx, "shop", func(adminapi.Deployment) bool { return true })
		},
		"delete shop true by admin": func(ctx context.Context) error { return c.Delete(ctx, "shop", true) },
		"vars shop":                 func(ctx context.Context) error { return second(c.Vars(ctx, "shop")) },
		"vars shop set map[api_key:s3 cret] unset [] by admin": func(ctx context.Context) error { return second(c.SetVar(ctx, "shop", "api_key", []byte("s3 cret"))) },
		"vars shop set map[a:1 b:] unset [c] by admin": func(ctx context.Context) error {
			return second(c.ChangeVars(ctx, "shop", adminapi.VarsChange{Set: map[string]string{"a": "1", "b": ""}, Unset: []string{"c"}}))
		},
		"prune {Plugin:shop Versions:3 VersionsAge:0 Deployments:0 Events:0 DryRun:true} by admin": func(ctx context.Context) error {
			return second(c.Prune(ctx, adminapi.Prune{Plugin: "shop", Versions: 3, DryRun: true}))
		},
		`pause shop writes=true 1m0s "" text/html; charset=utf-8 by admin`: func(ctx context.Context) error {
			return second(c.Pause(ctx, "shop", adminapi.Pause{Writes: true}))
		},
		"resume shop by admin":          func(ctx context.Context) error { return c.Resume(ctx, "shop") },
		"egress shop off=true by admin": func(ctx context.Context) error { return c.Egress(ctx, "shop", true) },
		"egress  off=false by admin":    func(ctx context.Context) error { return c.Egress(ctx, "", false) },
		"running shop":                  func(ctx context.Context) error { return second(c.Running(ctx, "shop")) },
		"kill a/b may=true by admin":    func(ctx context.Context) error { return second(c.Kill(ctx, "a/b")) },
		"secrets shop":                  func(ctx context.Context) error { return second(c.Secrets(ctx, "shop")) },
		"secret shop api_key=s3 cret by admin": func(ctx context.Context) error {
			return second(c.SetSecret(ctx, "shop", "api_key", []byte("s3 cret")))
		},
		"module shop 0123456789ab": func(ctx context.Context) error {
			var got strings.Builder
			err := c.Module(ctx, "shop", "sha256:"+strings.Repeat("0123456789abcdef", 4), &got)
			if got.String() != "a module" {
				return fmt.Errorf("%q: %w", got.String(), err)
			}
			return err
		},
		"vars shop set map[] unset [old_key] by admin": func(ctx context.Context) error { return second(c.UnsetSecret(ctx, "shop", "old_key")) },
		"rotate the key by admin":                      func(ctx context.Context) error { return second(c.RotateKey(ctx)) },
		"limits shop":                                  func(ctx context.Context) error { return second(c.Limits(ctx, "shop")) },
		"limits shop map[concurrency:7 deadline:2s memory:128MiB] by admin": func(ctx context.Context) error {
			return second(c.SetLimits(ctx, "shop", adminapi.Limits{Memory: 128 << 20, DeadlineMillis: 2000, Concurrency: 7}))
		},
		"activate shop 2/store x.y/ false by admin": func(ctx context.Context) error {
			return second(c.Activate(ctx, "shop", adminapi.Activation{Version: 2, Mount: []string{"/store", "x.y/"}}))
		},
		"vars shop set map[] unset [api_key] by admin": func(ctx context.Context) error { return second(c.UnsetVar(ctx, "shop", "api_key")) },
		"logs {PluginRef:{Name:shop} After:1-2 Level:warn Request:a&b Version:3 Since:2026-11-29T05:00:00Z Until:2026-11-29T06:00:00.5+01:00 Tail:4}": func(ctx context.Context) error {
			return second(c.Logs(ctx, query))
		},
		"follow {PluginRef:{Name:shop} After:1-2 Level:warn Request:a&b Version:3 Since:2026-11-29T05:00:00Z Until:2026-11-29T06:00:00.5+01:00 Tail:4}": func(ctx context.Context) error {
			var got []adminapi.LogLine
			err := c.FollowLogs(ctx, query, func(l adminapi.LogLine) error { got = append(got, l); return nil })
			if fault.CodeOf(err) != fault.Unavailable {
				return fmt.Errorf("the end of the lines: %w", err)
			}
			if diff := cmp.Diff(theLines, got); diff != "" {
				return errors.New(diff)
			}
			return nil
		},
		"cors shop":             func(ctx context.Context) error { return second(c.CORS(ctx, "shop")) },
		"no cors shop by admin": func(ctx context.Context) error { return second(c.UnsetCORS(ctx, "shop")) },
		"cors shop {Origins:[https://a.example] Methods:[PUT] Headers:[] Expose:[] Credentials:false MaxAge:9} by admin": func(ctx context.Context) error {
			return second(c.SetCORS(ctx, "shop", policy))
		},
		`list shop prefix="a&" after="a&b" limit=5 reverse=true`: func(ctx context.Context) error {
			return second(c.KVList(ctx, adminapi.KeysQuery{PluginRef: shop, Prefix: "a&", After: "a&b", Limit: 5, Reverse: true}))
		},
		`get shop "a/../b"`: func(ctx context.Context) error { return second(c.KVGet(ctx, "shop", []byte("a/../b"))) },
		`put shop "\xff"="\x00v" for 1m30s by admin`: func(ctx context.Context) error {
			return c.KVPut(ctx, "shop", []byte{0xff}, []byte("\x00v"), 90*time.Second)
		},
		`delete shop "a b" by admin`: func(ctx context.Context) error { return c.KVDelete(ctx, "shop", []byte("a b")) },
		"tokens":                     func(ctx context.Context) error { return second(c.Tokens(ctx)) },
		"create ann deployer shop-* team by admin": func(ctx context.Context) error {
			return second(c.CreateToken(ctx, adminapi.TokenSpec{Name: "ann", Role: "deployer", Plugins: "shop-*", Team: "team"}))
		},
		"create bob viewer *  by admin": func(ctx context.Context) error {
			return second(c.CreateToken(ctx, adminapi.TokenSpec{Name: "bob", Role: "viewer", Forever: true}))
		},
		"revoke abc by admin": func(ctx context.Context) error { return c.RevokeToken(ctx, "abc") },
		"rotate abc 1h0m0s by admin": func(ctx context.Context) error {
			return second(c.RotateToken(ctx, "abc", adminapi.Rotation{}))
		},
		"teams": func(ctx context.Context) error { return second(c.Teams(ctx)) },
		"team {Name:a.b Plugins:shop Memory:1 Disk:2 Weight:0} by admin": func(ctx context.Context) error {
			return c.SetTeam(ctx, "a.b", adminapi.TeamSpec{Plugins: "shop", Memory: 1, Disk: 2})
		},
		"no team a.b by admin": func(ctx context.Context) error { return c.DeleteTeam(ctx, "a.b") },
		"audit after=0 limit=1000 plugin=shop since=2026-11-29T05:00:00Z": func(ctx context.Context) error {
			return second(c.Audit(ctx, "shop", "2026-11-29T05:00:00Z"))
		},
		"approve shop 2 abab by admin": func(ctx context.Context) error {
			return second(c.Approve(ctx, "shop", adminapi.Approve{Version: 2, Digest: strings.Repeat("ab", 32)}))
		},
		`reject shop 2 "no" by admin`: func(ctx context.Context) error {
			return c.Reject(ctx, "shop", adminapi.Reject{Version: 2, Reason: "no"})
		},
		"approvals": func(ctx context.Context) error { return second(c.Approvals(ctx)) },
		"audit lines after=0": func(ctx context.Context) error {
			point := func(adminapi.AuditPoint) error { return nil }
			return c.AuditLines(ctx, point, point, func(string) error { return nil })
		},
		"databases shop": func(ctx context.Context) error { return second(c.Databases(ctx, "shop")) },
		`query shop main ["SELECT 0"] "SELECT 1" write=true limit=5 by admin`: func(ctx context.Context) error {
			got, err := c.Query(ctx, mainOf, adminapi.Query{Before: []string{"SELECT 0"}, Statement: "SELECT 1", Write: true, Limit: 5})
			if diff := cmp.Diff(theResult, got); diff != "" {
				return fmt.Errorf("%s, %w", diff, err)
			}
			return err
		},
		"export shop main by admin": func(ctx context.Context) error {
			return c.ExportDatabase(ctx, mainOf, func(r io.Reader) error { return wantText(r, theBackup) })
		},
		"import shop main 3600000 bytes by admin": func(ctx context.Context) error {
			return c.ImportDatabase(ctx, mainOf, strings.NewReader(theBackup))
		},
		"plan shop 2": func(ctx context.Context) error { return second(c.Migrations(ctx, "shop", 2)) },
		"backup": func(ctx context.Context) error {
			return c.Backup(ctx, func(r io.Reader) error { return wantText(r, theBackup) })
		},
		"backups":               func(ctx context.Context) error { return second(c.Backups(ctx)) },
		"begin backup by admin": func(ctx context.Context) error { return c.BeginBackup(ctx) },
	} {
		d.call = ""
		if err := do(t.Context()); err != nil || d.call != want {
			t.Errorf("the server was asked for %q, %v; want %q", d.call, err, want)
		}
	}
	if got, err := c.Status(t.Context()); err != nil || got.Version != "v1.2.3" {
		t.Errorf("status %+v, %v", got, err)
	}
}

func second[T any](_ T, err error) error { return err }
