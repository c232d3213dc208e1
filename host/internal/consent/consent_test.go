package consent_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/consent"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/policy"
)

var all = capabilities.All(capabilities.Config{})

func to(origins string) plugin.Grant {
	return plugin.Grant{}.With(outbound.Name, outbound.Terms(origins))
}

func as(t *testing.T, name string, role auth.Role) context.Context {
	if role == auth.Nobody {
		return t.Context()
	}
	return auth.With(t.Context(), auth.Identity{Name: name, Role: role, Plugins: auth.AllPlugins})
}

func gate(t *testing.T, text string) *consent.Gate {
	t.Helper()
	rules, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	g := new(consent.Gate)
	g.Use(rules)
	return g
}

const (
	rule     = "[[approve]]\nplugins = \"shop\"\nhosts = [\"https://one.example\"]\nmounts = [\"/shop-*\"]\n"
	separate = "separate_approver = true\n"
)

// said is what a consent means, in a word.
func said(c consent.Consent, err error) string {
	switch {
	case fault.CodeOf(err) == fault.Denied:
		return "denied"
	case err != nil:
		return err.Error()
	case c.Why() != "":
		return strings.TrimPrefix(c.Why(), "by policy ")
	case c.Approves():
		return "approves"
	case c.Withholds():
		return "withholds"
	}
	return "none"
}

func TestUpload(t *testing.T) {
	one, two := plugin.Version{Ask: to("https://one.example")}, plugin.Version{Ask: to("https://two.example")}
	at := func(m plugin.Mounts) plugin.Version { return plugin.Version{Ask: one.Ask, Mount: m} }
	for _, c := range []struct {
		name, policy string
		role         auth.Role
		version      plugin.Version
		grant        bool
		want         string
	}{
		{"nobody is known", "", auth.Nobody, two, false, "none"},
		{"a deployer", "", auth.Deployer, two, false, "withholds"},
		{"a deployer who says grant", "", auth.Deployer, two, true, "denied"},
		{"an operator", "", auth.Operator, two, false, "approves"},
		{"an operator who says grant", "", auth.Operator, two, true, "approves"},
		{"a deployer, by rule", rule, auth.Deployer, one, false, "rule 1"},
		{"a deployer, by no rule", rule, auth.Deployer, two, false, "withholds"},
		{"a deployer who asks for nothing", rule, auth.Deployer, plugin.Version{}, false, "withholds"},
		{"a deployer at a mount of a rule", rule, auth.Deployer, at("/shop-x"), false, "rule 1"},
		{"a deployer at another mount", rule, auth.Deployer, at("/cart"), false, "withholds"},
		{"an operator beside a rule", rule, auth.Operator, one, false, "approves"},
		{"an owner whom another has to approve", separate, auth.Owner, two, false, "withholds"},
		{"who says grant all the same", separate, auth.Owner, two, true, "denied"},
		{"an operator whom another has to approve, with a rule", separate + rule, auth.Operator, one, false, "withholds"},
		{"a deployer, by rule, where another has to approve", separate + rule, auth.Deployer, one, false, "rule 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := gate(t, c.policy).Upload(as(t, "ann", c.role), "shop", plugin.Plugin{Mount: "/shop"}, c.version, c.grant)
			if said(got, err) != c.want {
				t.Errorf("it %s, want: %s", said(got, err), c.want)
			}
		})
	}
	var none *consent.Gate
	if got, err := none.Upload(as(t, "ann", auth.Deployer), "shop", plugin.Plugin{}, one, false); said(got, err) != "withholds" {
		t.Errorf("without a gate it %s", said(got, err))
	}
}

// versions are stored ones of which ann deployed each.
type versions struct{}

func (versions) Version(_ context.Context, _ string, number int) (plugin.Version, error) {
	return plugin.Version{Number: number, By: "ann"}, nil
}

func TestActivation(t *testing.T) {
	for _, c := range []struct {
		name, policy, who string
		role              auth.Role
		grant             bool
		want              string
	}{
		{"a deployer", "", "ann", auth.Deployer, false, "withholds"},
		{"a deployer, whatever the rules say", rule, "ann", auth.Deployer, false, "withholds"},
		{"a deployer who grants", "", "ann", auth.Deployer, true, "denied"},
		{"an operator", "", "ann", auth.Operator, true, "approves"},
		{"who deployed it", separate, "ann", auth.Operator, false, "withholds"},
		{"who deployed it and grants", separate, "ann", auth.Operator, true, "denied"},
		{"another", separate, "olga", auth.Operator, true, "approves"},
		{"nobody is known", separate, "", auth.Nobody, true, "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := gate(t, c.policy).Activation(as(t, c.who, c.role), versions{}, plugin.Plugin{Name: "shop"}, 2, "", c.grant)
			if said(got, err) != c.want {
				t.Errorf("it %s, want: %s", said(got, err), c.want)
			}
		})
	}
}

func TestOfAnotherPlugin(t *testing.T) {
	ctx := auth.With(t.Context(), auth.Identity{Name: "olga", Role: auth.Operator, Plugins: "cart"})
	if got, err := gate(t, "").Activation(ctx, versions{}, plugin.Plugin{Name: "shop"}, 2, "", true); said(got, err) != "denied" {
		t.Errorf("an operator of another plugin %s", said(got, err))
	}
}

// TestMountsBelongToAllTeams: an operator of one team lets its plugins serve below their
// names, and nowhere else: whoever operates all plugins may, or a rule.
func TestMountsBelongToAllTeams(t *testing.T) {
	team := auth.With(t.Context(), auth.Identity{Name: "olga", Role: auth.Operator, Plugins: "shop,shop-*"})
	p := plugin.Plugin{Name: "shop", Mount: "/old-shop"}
	for mount, want := range map[plugin.Mounts]string{
		"": "approves", "/shop": "approves", "/shop/eu /old-shop": "approves",
		"/": "withholds", "/cart": "withholds", "/cart/shop": "withholds", "shop.example.org/": "withholds", "shop.example.org/shop": "withholds", "/shop /cart": "withholds",
		"/shop-x": "rule 1",
	} {
		got, err := gate(t, rule).Upload(team, "shop", p, plugin.Version{Mount: mount}, false)
		if said(got, err) != want {
			t.Errorf("an upload to %q: it %s, want: %s", mount, said(got, err), want)
		}
		if want == "rule 1" {
			want = "withholds"
		}
		got, err = gate(t, rule).Activation(team, versions{}, p, 2, mount, false)
		if said(got, err) != want {
			t.Errorf("an activation at %q: it %s, want: %s", mount, said(got, err), want)
		}
		if want == "withholds" {
			want = "denied"
		}
		got, err = gate(t, rule).Activation(team, versions{}, p, 2, mount, true)
		if said(got, err) != want {
			t.Errorf("an activation at %q that grants: it %s, want: %s", mount, said(got, err), want)
		}
		if got, err = gate(t, "").Activation(as(t, "oscar", auth.Operator), versions{}, p, 2, mount, true); said(got, err) != "approves" {
			t.Errorf("an activation at %q by an operator of all: it %s", mount, said(got, err))
		}
	}
}

func parse(t *testing.T, lines ...string) *manifest.Manifest {
	t.Helper()
	m, err := manifest.Parse([]byte("manifest_version = 1\nname = \"shop\"\n"+strings.Join(lines, "\n")), manifest.FileName, all.Sections())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// version returns one of a manifest.
func version(m *manifest.Manifest) plugin.Version {
	return plugin.Version{Number: 4, Ask: m.Ask(), Digest: "sha256:1"}
}

var more = []string{
	`isolation = "instance"`, `isolation_reason = "a warm model"`,
	"[kv]", "keys = 10", `reason = "orders"`,
	"[outbound]", `allow = ["https://one.example", "https://two.example"]`, `reason = "to charge cards"`,
}

func TestAsks(t *testing.T) {
	m := parse(t, more...)
	v := version(m)
	v.Mount = "/cart"
	p := plugin.Plugin{Name: "shop", Mount: "/shop", Grant: to("https://old.example https://one.example").With(kv.Name, kv.Terms{Keys: 3_000_000})}
	want := []consent.Ask{
		{What: "outbound to https://two.example", Reason: "to charge cards"},
		{What: `isolation = "instance" (memory kept from one request to the next)`, Reason: "a warm model"},
		{What: "mount /cart"},
		{What: "kv.keys = 3000000 (from then on 1000000)", Less: true}, // never below what any plugin has
		{What: "outbound to https://old.example", Less: true},
	}
	if diff := cmp.Diff(want, consent.Asks(p, v, m, all)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	words := func() []string {
		_, missing := consent.Resolve(p, v, m)
		return missing.Moved(true, p, v.Mount).Words(consent.Consent{})
	}
	if got := words(); len(got) != 3 || !consent.Waits(p, v) {
		t.Errorf("it wants %q", got)
	}
	v.Approved = true
	if got := words(); len(got) != 1 || !strings.Contains(got[0], "the mount /cart") || !consent.Waits(p, v) {
		t.Errorf("what was approved once wants %q", got)
	}
	v.Mount = "/shop/v2" // the plugin's own
	if consent.Waits(p, v) {
		t.Error("what was approved once waits")
	}
	v.Approved, v.Rejected = false, &plugin.Rejection{}
	if consent.Waits(p, v) {
		t.Error("what was rejected waits")
	}
}

// TestCheckIsBoundToOneAsk: whatever an approval covers, a change of it is found.
func TestCheckIsBoundToOneAsk(t *testing.T) {
	m := parse(t, more...)
	v, p := version(m), plugin.Plugin{Name: "shop", Mount: "/shop", Space: 16, Grant: to("https://one.example")}
	seen := consent.Digest(p, v, consent.Asks(p, v, m, all))
	if err := consent.Check(p, v, m, all, seen); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*plugin.Plugin, *plugin.Version){
		"another plugin":     func(p *plugin.Plugin, _ *plugin.Version) { p.Space++ },
		"another version":    func(_ *plugin.Plugin, v *plugin.Version) { v.Number++ },
		"another module":     func(_ *plugin.Plugin, v *plugin.Version) { v.Digest = "sha256:2" },
		"another mount":      func(_ *plugin.Plugin, v *plugin.Version) { v.Mount = "/cart" },
		"one of its own too": func(_ *plugin.Plugin, v *plugin.Version) { v.Mount = "/shop/x" },
		"less was granted":   func(p *plugin.Plugin, _ *plugin.Version) { p.Grant = plugin.Grant{} },
		"more was granted":   func(p *plugin.Plugin, _ *plugin.Version) { p.Grant = p.Grant.Union(to("https://two.example")) },
		"it would give back": func(p *plugin.Plugin, _ *plugin.Version) { p.Grant = p.Grant.Union(to("https://x.example")) },
	} {
		q, w := p, v
		change(&q, &w)
		err := consent.Check(q, w, m, all, seen)
		if fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.MessageOf(err), "is not what was shown to you; it is now:\n  + ") ||
			!strings.HasSuffix(fault.MessageOf(err), fmt.Sprintf("\nto grant that run: wasmoor approve shop %d", w.Number)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.Grant = p.Grant.Union(m.Ask())
	if err := consent.Check(p, v, m, all, seen); fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.MessageOf(err), "waits for no approval; to let it serve run: wasmoor activate shop 4") {
		t.Errorf("granted by now: %v", err)
	}
}

func TestMissing(t *testing.T) {
	m := parse(t, append(slices.Clip(more), "[config]", "key = { required = true }")...)
	p, v := plugin.Plugin{Name: "shop", Mount: "/shop", Grant: m.Ask()}, version(m)
	p.Grant.Stateful = false
	const asks = `it asks for isolation = "instance" (memory kept from one request to the next) ("a warm model"), which is not granted; `
	const unset = "plugin \"shop\" needs a value for key; set it with:\n  wasmoor var set shop key; "
	deployer, _ := gate(t, "").Upload(as(t, "ann", auth.Deployer), "shop", p, v, false)
	own, _ := gate(t, separate).Upload(as(t, "ann", auth.Operator), "shop", p, v, false)
	for i, c := range []struct {
		consent consent.Consent
		mount   plugin.Mounts
		want    []string
	}{
		{consent.Consent{}, "", []string{asks + "who may approve it runs: wasmoor approve shop 4", unset + "then who may approve it runs: wasmoor approve shop 4"}},
		{deployer, "", []string{asks + "an operator grants it with: wasmoor approve shop 4", unset + "then an operator grants it with: wasmoor approve shop 4"}},
		{own, "/cart", []string{
			asks + "another operator, as the policy says, grants it with: wasmoor approve shop 4",
			"it asks for the mount /cart, which is not granted; another operator, as the policy says, grants it with: wasmoor approve shop 4",
			unset + "then another operator, as the policy says, grants it with: wasmoor approve shop 4",
		}},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			_, missing := consent.Resolve(p, v, m)
			if diff := cmp.Diff(c.want, missing.Moved(c.consent.Withholds(), p, c.mount).Words(c.consent)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}

	p.Grant.Stateful, v.Mount = true, "/cart"
	_, missing := consent.Resolve(p, v, m)
	if diff := cmp.Diff([]string{unset + "then run: wasmoor activate shop 4 --mount /cart"}, missing.Words(deployer)); diff != "" {
		t.Errorf("granted by now (-want +got):\n%s", diff)
	}
	p.Vars = map[string]string{"key": "x"}
	config, missing := consent.Resolve(p, v, m)
	if missing.Any() || config["key"] != "x" || missing.Words(deployer) != nil {
		t.Errorf("nothing is missing, and it says %q with %v", missing.Words(deployer), config)
	}
	v.Rejected = &plugin.Rejection{By: "olga", Reason: "no"}
	if _, missing = consent.Resolve(p, v, m); !missing.Any() || !strings.Contains(missing.Words(deployer)[0], `rejected by olga ("no")`) {
		t.Errorf("rejected, and it says %q", missing.Words(deployer))
	}
}

// TestPublicIsNamed: every public address is granted by a person who has seen it named, and
// by nothing else: no rule, and no deploy or activation that says nothing of it.
func TestPublicIsNamed(t *testing.T) {
	const every = "[[approve]]\nplugins = \"*\"\nhosts = [\"https://*.example\"]\n"
	public := plugin.Version{Number: 2, Ask: to("public")}
	mixed := plugin.Version{Number: 2, Ask: to("https://one.example public")}
	for _, c := range []struct {
		name    string
		policy  string
		role    auth.Role
		version plugin.Version
		has     string
		grant   bool
		want    string
	}{
		{"nobody is known", "", auth.Nobody, public, "", false, "withholds"},
		{"nobody is known, who says so", "", auth.Nobody, public, "", true, "none"},
		{"an operator", "", auth.Operator, public, "", false, "withholds"},
		{"an operator who says so", "", auth.Operator, public, "", true, "approves"},
		{"an operator of a plugin that has it", "", auth.Operator, public, "public", false, "approves"},
		{"an operator of a plugin that has more", "", auth.Operator, public, "https://two.example public", false, "approves"},
		{"an operator of a plugin that has another", "", auth.Operator, mixed, "https://one.example", false, "withholds"},
		{"a deployer", every, auth.Deployer, public, "", false, "withholds"},
		{"a deployer with a rule for the rest", every, auth.Deployer, mixed, "", false, "withholds"},
		{"a deployer who says so", every, auth.Deployer, public, "", true, "denied"},
		{"a deployer of a plugin that has it", every, auth.Deployer, mixed, "public", false, "rule 1"},
	} {
		p := plugin.Plugin{Name: "shop", Grant: to(c.has)}
		ctx, g := as(t, c.name, c.role), gate(t, c.policy)
		if got, err := g.Upload(ctx, "shop", p, c.version, c.grant); said(got, err) != c.want {
			t.Errorf("%s: %s, want %s", c.name, said(got, err), c.want)
		}
		want := strings.Replace(c.want, "rule 1", "withholds", 1) // rules are for uploads
		if got, err := g.Activation(ctx, one{c.version}, p, 2, "", c.grant); said(got, err) != want {
			t.Errorf("%s activates: %s, want %s", c.name, said(got, err), want)
		}
	}
	if got := fmt.Sprint(plugin.Grant{}.Missing(mixed.Ask)); got != "[outbound to https://one.example outbound to any public address]" {
		t.Errorf("it asks for %s", got)
	}
	was := public
	was.Approved = true
	if got, err := gate(t, "").Activation(as(t, "root", auth.Operator), one{was}, plugin.Plugin{Name: "shop"}, 2, "", false); said(got, err) != "approves" {
		t.Errorf("a version that had it, again: %s", said(got, err))
	}
}

// one is the only version that is stored.
type one struct{ v plugin.Version }

func (o one) Version(context.Context, string, int) (plugin.Version, error) { return o.v, nil }
