package registry

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry/vars"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

const kvManifest = "manifest_version = 1\nname = \"other\"\nversion = \"v1\"\n[kv]\nkeys = 7\n"

func granted(terms kv.Terms) plugin.Grant { return plugin.Grant{}.With(kv.Name, terms) }

func TestAddVersion(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	p, v, err := f.AddVersion(ctx, AddVersion{
		Name: "shop", Mount: "/store", Module: []byte("module 1"), Manifest: []byte(kvManifest), By: "ann",
	})
	wantCode(t, err, "")
	ask := granted(kv.Terms{Keys: 7})
	wantPlugin := plugin.Plugin{Name: "shop", Mount: "/store", Space: firstSpace, Grant: ask, Versions: 1, Created: noon}
	wantVersion := plugin.Version{
		Number: 1, Digest: plugin.DigestOf([]byte("module 1")), Size: 8, Label: "v1", By: "ann",
		Created: noon, Ask: ask, Mount: "/store",
	}
	same(t, "plugin", wantPlugin, p)
	same(t, "version", wantVersion, v)

	f.reopen()
	stored, err := f.Plugin(ctx, "shop")
	wantCode(t, err, "")
	same(t, "plugin, reopened", wantPlugin, stored)
	version, err := f.Version(ctx, "shop", 1)
	wantCode(t, err, "")
	same(t, "version, reopened", wantVersion, version)
	module, err := f.Module(v.Digest)
	wantCode(t, err, "")
	same(t, "module", "module 1", string(module))
	text, err := f.ManifestText(ctx, "shop", 1)
	wantCode(t, err, "")
	same(t, "manifest", kvManifest, string(text))
	m, err := f.Manifest(ctx, "shop", 1)
	wantCode(t, err, "")
	same(t, "ask of the manifest", wantVersion.Ask, m.Ask())
}

func TestAddVersionWithoutManifest(t *testing.T) {
	f := open(t)
	p, v := f.upload("shop", "m")
	same(t, "mount", plugin.Mounts("/shop"), p.Mount)
	same(t, "ask", plugin.Grant{}, v.Ask)
	m, err := f.Manifest(t.Context(), "shop", 1)
	wantCode(t, err, "")
	same(t, "name of the default manifest", "shop", m.Name)
}

func TestAddVersionRepeated(t *testing.T) {
	f := open(t)
	first := AddVersion{Name: "shop", Module: []byte("m"), Manifest: []byte(kvManifest)}
	for _, c := range []struct {
		name   string
		change func(*AddVersion)
		want   int
	}{
		{"first", func(*AddVersion) {}, 1},
		{"same", func(*AddVersion) {}, 1},
		{"same by another", func(a *AddVersion) { a.By = "bob" }, 1},
		{"same with a grant", func(a *AddVersion) { a.Grant = true }, 1},
		{"other mount", func(a *AddVersion) { a.Mount = "/elsewhere" }, 2},
		{"that mount again", func(a *AddVersion) { a.Mount = "/elsewhere" }, 2},
		{"no mount in particular", func(*AddVersion) {}, 2},
		{"other label", func(a *AddVersion) { a.Label = "hotfix" }, 3},
		{"other module", func(a *AddVersion) { a.Module = []byte("n") }, 4},
		{"other manifest", func(a *AddVersion) { a.Manifest = []byte(kvManifest + "#") }, 5},
		{"an older one again", func(*AddVersion) {}, 6},
	} {
		a := first
		c.change(&a)
		p, v, err := f.AddVersion(t.Context(), a)
		if err != nil || v.Number != c.want || p.Versions != c.want {
			t.Errorf("%s: version %d of %d, %v; want %d", c.name, v.Number, p.Versions, err, c.want)
		}
		if p.Mount != "/shop" {
			t.Errorf("%s: an upload moved the plugin to %s", c.name, p.Mount)
		}
	}
	versions, err := f.Versions(t.Context(), "shop")
	wantCode(t, err, "")
	var numbers []int
	for _, v := range versions {
		numbers = append(numbers, v.Number)
	}
	same(t, "versions, the newest first", []int{6, 5, 4, 3, 2, 1}, numbers)
}

func TestGrants(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	manifest := func(keys string) []byte {
		return []byte("manifest_version = 1\nname = \"shop\"\n[kv]\nkeys = " + keys + "\n")
	}
	upload := func(a AddVersion) plugin.Grant {
		t.Helper()
		a.Name, a.Module = "shop", []byte("m")
		p, _, err := f.AddVersion(ctx, a)
		wantCode(t, err, "")
		return p.Grant
	}
	keys := func(n int64) plugin.Grant { return granted(kv.Terms{Keys: n}) }
	same(t, "a new plugin is granted what it asks for", keys(10), upload(AddVersion{Manifest: manifest("10")}))
	same(t, "a further version is not", keys(10), upload(AddVersion{Manifest: manifest("20")}))
	same(t, "unless it is said so", keys(20), upload(AddVersion{Manifest: manifest("20"), Grant: true, By: "bob"}))
	same(t, "also with the version", keys(30), upload(AddVersion{Manifest: manifest("30"), Grant: true}))
	same(t, "less is granted already", keys(30), upload(AddVersion{Manifest: manifest("5"), Grant: true}))
	p, err := f.Grant(ctx, "shop", 1, keys(40), "ann")
	wantCode(t, err, "")
	same(t, "Grant", keys(40), p.Grant)
	p, err = f.Grant(ctx, "shop", 1, keys(1), "ann")
	wantCode(t, err, "")
	same(t, "Grant of less", keys(40), p.Grant)

	f.reopen()
	p, err = f.Plugin(ctx, "shop")
	wantCode(t, err, "")
	same(t, "grant, reopened", keys(40), p.Grant)
	events, err := f.Audit(ctx, 0, 0)
	wantCode(t, err, "")
	var grants []plugin.Event
	for _, e := range events {
		if e.Prev = ""; e.Action == plugin.ActionGrant {
			grants = append(grants, e)
		}
	}
	same(t, "events", []plugin.Event{
		{Number: 3, Time: noon, By: "bob", Action: plugin.ActionGrant, Plugin: "shop", Version: 2, Changes: []plugin.Difference{{What: "grant.kv_keys", Before: "10", After: "20"}}},
		{Number: 6, Time: noon, By: "ann", Action: plugin.ActionGrant, Plugin: "shop", Version: 1, Changes: []plugin.Difference{{What: "grant.kv_keys", Before: "30", After: "40"}}},
	}, grants)
	if detail := fmt.Sprint(events[3].Changes); !strings.Contains(detail, "grant.kv_keys: 20 -> 30") {
		t.Errorf("the upload that granted more is told as %q", detail)
	}
}

func TestActivate(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	f.upload("shop", "m1")
	f.upload("shop", "m2")
	grant := granted(kv.Terms{Keys: 9})

	p, d := f.activate("shop", Change{Version: 2, Mount: "h.example/shop", Grant: &grant, Set: map[string]string{"a": "1", "b": "2"}, By: "bob"})
	vars := map[string]string{"a": "1", "b": "2"}
	wantD := plugin.Deployment{Number: 1, Version: 2, Mount: "h.example/shop", Grant: grant, Vars: vars, By: "bob", Created: noon}
	wantP := plugin.Plugin{
		Name: "shop", Mount: "h.example/shop", Space: firstSpace, Vars: vars, Grant: grant,
		Deployment: 1, Active: 2, Versions: 2, Created: noon,
	}
	same(t, "deployment", wantD, d)
	same(t, "plugin", wantP, p)

	// Back to the version before; everything else stays.
	p, d = f.activate("shop", Change{Version: 1})
	same(t, "number", 2, d.Number)
	wantP.Deployment, wantP.Active, wantP.Previous = 2, 1, 2
	same(t, "plugin after the rollback", wantP, p)

	// The version that serves, with other vars.
	p, d = f.activate("shop", Change{Set: map[string]string{"b": "3"}, Unset: []string{"a", "never_set"}})
	same(t, "vars", map[string]string{"b": "3"}, p.Vars)
	same(t, "version", 1, d.Version)

	f.reopen()
	stored, err := f.Plugin(ctx, "shop")
	wantCode(t, err, "")
	same(t, "plugin, reopened", p, stored)
	all, err := f.Deployments(ctx, "shop", 0, 0)
	wantCode(t, err, "")
	same(t, "how many", 3, len(all))
	same(t, "first deployment, reopened", wantD, all[2])
	last, err := f.Deployments(ctx, "shop", 0, 2)
	wantCode(t, err, "")
	same(t, "the newest two", all[:2], last)
	same(t, "order", []int{3, 2}, []int{last[0].Number, last[1].Number})
	older, err := f.Deployments(ctx, "shop", 3, 1)
	wantCode(t, err, "")
	same(t, "the one before the newest", all[1:2], older)
}

func TestNextIsWhatActivateRecords(t *testing.T) {
	f := open(t)
	before, _ := f.upload("shop", "m")
	for _, c := range []Change{
		{Version: 1},
		{Mount: "/elsewhere"},
		{Grant: new(granted(kv.Terms{}))},
		{Set: map[string]string{"a": "1"}},
		{Unset: []string{"a"}, Set: map[string]string{"b": "2"}},
		{},
	} {
		want, err := c.Next(before)
		wantCode(t, err, "")
		got, d := f.activate("shop", c)
		want.Deployment = d.Number
		same(t, "plugin", want, got)
		before = got
	}
}

func TestNextLeavesThePlugin(t *testing.T) {
	p := plugin.Plugin{Vars: map[string]string{"a": "1"}}
	c := Change{Set: map[string]string{"b": "2"}, Unset: []string{"a"}}
	next, err := c.Next(p)
	wantCode(t, err, "")
	same(t, "vars before", map[string]string{"a": "1"}, p.Vars)
	same(t, "vars after", map[string]string{"b": "2"}, next.Vars)
}

func TestChangeOfVars(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	f.upload("shop", "m")
	p, d, err := f.Change(ctx, "shop", Change{Set: map[string]string{"key": "1"}, By: "ann"})
	wantCode(t, err, "")
	same(t, "no deployment yet", plugin.Deployment{}, d)
	same(t, "vars that wait", map[string]string{"key": "1"}, p.Vars)

	_, d = f.activate("shop", Change{Version: 1})
	same(t, "vars of the first deployment", map[string]string{"key": "1"}, d.Vars)
	p, d, err = f.Change(ctx, "shop", Change{Set: map[string]string{"other": "2"}, Unset: []string{"key"}, By: "ann"})
	wantCode(t, err, "")
	same(t, "a new deployment", 2, d.Number)
	same(t, "of the same version", 1, d.Version)
	same(t, "deployment that serves", 2, p.Deployment)
	same(t, "vars", map[string]string{"other": "2"}, d.Vars)
}

func TestVarsRefused(t *testing.T) {
	f := open(t)
	f.upload("shop", "m")
	for _, c := range []struct {
		name string
		set  map[string]string
	}{
		{"empty name", map[string]string{"": "1"}},
		{"name", map[string]string{"api key": "1"}},
		{"long name", map[string]string{strings.Repeat("k", 65): "1"}},
		{"not text", map[string]string{"key": "\xff"}},
		{"size", map[string]string{"key": strings.Repeat("x", vars.Max)}},
		{"size together", map[string]string{"a": strings.Repeat("x", vars.Max/2), "b": strings.Repeat("x", vars.Max/2)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := f.Change(t.Context(), "shop", Change{Set: c.set})
			wantCode(t, err, fault.Invalid)
			_, _, err = f.Activate(t.Context(), "shop", Change{Version: 1, Set: c.set})
			wantCode(t, err, fault.Invalid)
		})
	}
	// The vars that JSON makes longest still fit a record.
	f.activate("shop", Change{Version: 1, Set: map[string]string{"k": strings.Repeat("\x01", vars.Max-1)}})
}

func TestDeleteKeepsDataUntilTheNameComesBack(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	before, _ := f.upload("shop", "m1")
	f.activate("shop", Change{Version: 1, Set: map[string]string{"key": "1"}, Grant: new(granted(kv.Terms{}))})
	setKey(t, f.store, before.Space)
	wantCode(t, f.Delete(ctx, "shop", false, "ann"), "")
	wantCode(t, f.Delete(ctx, "shop", false, "ann"), fault.NotFound)

	p, err := f.Plugin(ctx, "shop")
	wantCode(t, err, "")
	if !p.Deleted || p.Deployment != 0 || p.Active != 0 {
		t.Errorf("deleted plugin is %+v", p)
	}
	_, _, err = f.Activate(ctx, "shop", Change{Version: 1})
	wantCode(t, err, fault.NotFound)

	f.reopen()
	same(t, "files", []string{file("m1")}, f.files())
	p, v := f.upload("shop", "m1")
	same(t, "key space", before.Space, p.Space)
	same(t, "number", 2, v.Number)
	same(t, "vars", map[string]string{"key": "1"}, p.Vars)
	if p.Deleted || p.Grant.Terms[kv.Name] == nil || p.Mount != "/shop" {
		t.Errorf("restored plugin is %+v", p)
	}
	same(t, "keys", int64(1), usage(t, f.store, p.Space).Keys)
	_, d := f.activate("shop", Change{Version: 2})
	same(t, "deployments go on", 2, d.Number)
}

func TestRestoreElsewhere(t *testing.T) {
	f := open(t)
	f.upload("shop", "m")
	wantCode(t, f.Delete(t.Context(), "shop", false, ""), "")
	p, _, err := f.AddVersion(t.Context(), AddVersion{Name: "shop", Mount: "/new", Module: []byte("m")})
	wantCode(t, err, "")
	same(t, "mount", plugin.Mounts("/new"), p.Mount)
}

func TestPurge(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	shared, own := "shared module", "own module"
	before, _ := f.upload("shop", shared)
	f.upload("shop", own)
	f.upload("other", shared)
	f.activate("shop", Change{Version: 2})
	setKey(t, f.store, before.Space)

	wantCode(t, f.Delete(ctx, "shop", true, "ann"), "")
	_, err := f.Plugin(ctx, "shop")
	wantCode(t, err, fault.NotFound)
	same(t, "keys before the cleaning", int64(1), usage(t, f.store, before.Space).Keys)
	wantCode(t, f.Clean(ctx), "")
	same(t, "files", []string{file(shared)}, f.files())
	same(t, "records below the plugin", 0, len(f.keys(before.Space)))
	_, err = f.store.Commit(ctx, &store.Effects{Now: noon, Parts: []store.Part{{Space: store.Space(before.Space), Ops: []store.Op{{Key: []byte("k")}}}}})
	wantCode(t, err, fault.NotFound)

	// A plugin of that name starts from nothing.
	p, v := f.upload("shop", shared)
	if p.Space == before.Space {
		t.Error("the key space of a purged plugin was used again")
	}
	same(t, "number", 1, v.Number)
	deployments, err := f.Deployments(ctx, "shop", 0, 0)
	wantCode(t, err, "")
	same(t, "deployments", 0, len(deployments))
}

func TestPurgeOfADeletedPlugin(t *testing.T) {
	f := open(t)
	f.upload("shop", "m")
	wantCode(t, f.Delete(t.Context(), "shop", false, ""), "")
	wantCode(t, f.Delete(t.Context(), "shop", true, ""), "")
	wantCode(t, f.Clean(t.Context()), "")
	_, err := f.Plugin(t.Context(), "shop")
	wantCode(t, err, fault.NotFound)
	same(t, "files", []string(nil), f.files())
}
