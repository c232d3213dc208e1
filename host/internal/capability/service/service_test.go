package service_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	capservice "github.com/wasmoor/wasmoor/host/internal/capability/service"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/service"
)

const head = "manifest_version = 1\nname = \"a\"\n"

func parse(text string) (*manifest.Manifest, error) {
	return manifest.Parse([]byte(head+text), "f.toml", capability.List{capservice.Unit(nil, nil)}.Sections())
}

func TestRead(t *testing.T) {
	m, err := parse("[services]\nstock = \"stock\"\nmail = { plugin = \"mailer\", reason = \"receipts\" }\n")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range m.Ask().Beyond(plugin.Grant{}) {
		got = append(got, e.What+" / "+m.Reason(e)+" / "+e.Reaches)
	}
	want := []string{"calls and messages to the plugin mailer (as mail) / receipts / mailer", "calls and messages to the plugin stock /  / stock"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if m, err := parse("[services]\n"); err != nil || m.Ask().Terms[capservice.Name] != nil {
		t.Errorf("an empty table: %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"[services]\nstock = 1\n":                                 "services.stock: it must be a string",
		"[services]\nStock = \"stock\"\n":                         "services.Stock: it is the first part of a host",
		"[services]\n\"a.b\" = \"stock\"\n":                       "it is the first part of a host",
		"[services]\nstock = \"St ock\"\n":                        `services.stock: plugin name "St ock" is not allowed`,
		"[services]\nstock = { reason = \"why\" }\n":              "services.stock.plugin: it is missing",
		"[services]\nstock = { plugin = \"stock\", other = 1 }\n": "services.stock.other: unknown key",
		"[services]\n" + tooMany():                                "33 plugins are above the maximum of 32",
	} {
		if _, err := parse(text); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func tooMany() string {
	var b strings.Builder
	for i := range capservice.MaxServices + 1 {
		b.WriteString("s" + strings.Repeat("a", i) + " = \"x\"\n")
	}
	return b.String()
}

// deployed returns whom a deployment may call.
func deployed(t *testing.T, text string, granted capservice.Terms) map[string]string {
	t.Helper()
	m, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	d := capability.Deployment{Settings: m.Settings(capservice.Name)}
	if granted != "" {
		d.Grant = granted
	}
	may, _ := capservice.Unit(nil, nil).Deployment(d).(*service.Services)
	if may == nil {
		return nil
	}
	return may.Bound
}

// TestDeployment: a deployment calls whom its manifest names and the grant covers, and
// where an operator has bound the name, nobody else.
func TestDeployment(t *testing.T) {
	const text = "[services]\nstock = \"stock\"\nmail = \"mailer\"\n"
	for granted, want := range map[capservice.Terms]map[string]string{
		"":                          nil,
		"other=other":               nil,
		"stock=stock":               {"stock": "stock"},
		"stock=another":             nil,
		"stock=stock mail=mailer":   {"stock": "stock", "mail": "mailer"},
		"stock>staging":             {"stock": "staging"},
		"stock=stock stock>staging": {"stock": "staging"},
		"stock":                     nil,
	} {
		if diff := cmp.Diff(want, deployed(t, text, granted)); diff != "" {
			t.Errorf("granted %q: %s", granted, diff)
		}
	}
}

// TestTerms: the laws of terms, of any that may be written.
func TestTerms(t *testing.T) {
	item := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "alias") + rapid.SampledFrom([]string{"=", ">"}).Draw(t, "sign") +
			rapid.SampledFrom([]string{"x", "y"}).Draw(t, "plugin")
	})
	terms := rapid.Custom(func(t *rapid.T) capservice.Terms {
		own := capservice.Terms("")
		for _, i := range rapid.SliceOfN(item, 0, 4).Draw(t, "items") {
			own = own.Union(capservice.Terms(i)).(capservice.Terms)
		}
		return own
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := terms.Draw(t, "a"), terms.Draw(t, "b")
		union := a.Union(b)
		if list := a.Beyond(union); list != nil {
			t.Fatalf("the union %q of %q and %q does not cover the first: %v", union, a, b, list)
		}
		if list := b.Beyond(union); list != nil && !strings.Contains(string(a), ">") { // else a may bind what b does
			t.Fatalf("the union %q of %q and %q does not cover the second: %v", union, a, b, list)
		}
		if both := a.Both(b); both != nil {
			if list := both.Beyond(a); list != nil {
				t.Fatalf("what %q and %q have both, %q, is beyond the first: %v", a, b, both, list)
			}
		}
		read, err := capability.List{capservice.Unit(nil, nil)}.ReadGrant(capability.WriteGrant(plugin.Grant{}.With(capservice.Name, a)))
		if got, _ := read.Terms[capservice.Name].(capservice.Terms); err != nil || got != a {
			t.Fatalf("%q is read as %q, %v", a, got, err)
		}
	})
}

func TestBind(t *testing.T) {
	m, err := parse("[services]\nstock = \"stock\"\n")
	if err != nil {
		t.Fatal(err)
	}
	named := capservice.Of(m)
	bind := func(g plugin.Grant, to map[string]string, unbind ...string) plugin.Grant {
		t.Helper()
		g, err := capservice.Bind(g, named, to, unbind)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	bound := bind(plugin.Grant{}, map[string]string{"stock": "staging"})
	if list := m.Ask().Beyond(bound); list != nil {
		t.Errorf("whoever binds a name has decided about it, and %v is asked", list)
	}
	if got := bind(bound, map[string]string{"stock": "other"}).Terms[capservice.Name]; got != capservice.Terms("stock>other") {
		t.Errorf("bound again: %q", got)
	}
	if got := bind(bound, nil, "stock").Terms[capservice.Name]; got != capservice.Terms("stock=stock") {
		t.Errorf("unbound: %q", got)
	}
	for _, to := range []map[string]string{{"none": "x"}, {"stock": "No Name"}} {
		if _, err := capservice.Bind(bound, named, to, nil); err == nil {
			t.Errorf("%v is taken", to)
		}
	}
	kept := bound.Both(m.Ask())
	if got := kept.Terms[capservice.Name]; got != capservice.Terms("stock>staging") {
		t.Errorf("a version that asks for it has %q", got)
	}
}
