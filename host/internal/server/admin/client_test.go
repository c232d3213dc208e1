package admin

import (
	"context"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
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
	policy := adminapi.CORS{Origins: []string{"https://a.example"}, Methods: []string{"PUT"}, MaxAge: 9}
	for want, do := range map[string]func(context.Context) error{
		"plugins":       func(ctx context.Context) error { return second(c.Plugins(ctx)) },
		"plugin shop":   func(ctx context.Context) error { return second(c.Plugin(ctx, "shop")) },
		"versions shop": func(ctx context.Context) error { return second(c.Versions(ctx, "shop")) },
		"deploy shop mount=a.b/c label=x & y by=admin grant=true noactivate=true 4 bytes": func(ctx context.Context) error {
			return second(c.Deploy(ctx, adminapi.Upload{PluginRef: shop, Mount: "a.b/c", Label: "x & y", Grant: true}, []byte("\x00asm")))
		},
		"deploy shop mount= label= by=admin grant=false noactivate=false 4 bytes": func(ctx context.Context) error {
			return second(c.Deploy(ctx, adminapi.Upload{PluginRef: shop, Activate: true}, []byte("\x00asm")))
		},
		"activate shop 2 true by admin": func(ctx context.Context) error {
			return second(c.Activate(ctx, "shop", adminapi.Activation{Version: 2, Grant: true}))
		},
		"deployments shop before 0": func(ctx context.Context) error {
			return c.Deployments(ctx, "shop", func(adminapi.Deployment) bool { return true })
		},
		"delete shop true by admin": func(ctx context.Context) error { return c.Delete(ctx, "shop", true) },
		"vars shop":                 func(ctx context.Context) error { return second(c.Vars(ctx, "shop")) },
		"vars shop set map[api_key:s3 cret] unset [] by admin": func(ctx context.Context) error { return second(c.SetVar(ctx, "shop", "api_key", []byte("s3 cret"))) },
		"vars shop set map[a:1 b:] unset [c] by admin": func(ctx context.Context) error {
			return second(c.ChangeVars(ctx, "shop", adminapi.VarsChange{Set: map[string]string{"a": "1", "b": ""}, Unset: []string{"c"}}))
		},
		"prune {Plugin:shop Versions:3 Deployments:0 Events:0 DryRun:true} by admin": func(ctx context.Context) error {
			return second(c.Prune(ctx, adminapi.Prune{Plugin: "shop", Versions: 3, DryRun: true}))
		},
		"limits shop": func(ctx context.Context) error { return second(c.Limits(ctx, "shop")) },
		"limits shop memory=128MiB deadline=2s concurrency=7 by admin": func(ctx context.Context) error {
			return second(c.SetLimits(ctx, "shop", adminapi.Limits{Memory: 128 << 20, DeadlineMillis: 2000, Concurrency: 7}))
		},
		"activate shop 2/store false by admin": func(ctx context.Context) error {
			return second(c.Activate(ctx, "shop", adminapi.Activation{Version: 2, Mount: "/store"}))
		},
		"vars shop set map[] unset [api_key] by admin": func(ctx context.Context) error { return second(c.UnsetVar(ctx, "shop", "api_key")) },
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
		"audit after=0 limit=1000":   func(ctx context.Context) error { return second(c.Audit(ctx)) },
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
