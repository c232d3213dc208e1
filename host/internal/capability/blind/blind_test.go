package blind_test

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability/blind"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

const head = "manifest_version = 1\nname = \"shop\"\n[outbound]\nallow = [\"https://api.stripe.com\"]\n"

const stripe = head + "[secrets.stripe]\nblind = \"https://api.stripe.com\"\nheader = \"Authorization\"\nformat = \"Bearer {}\"\n"

func parse(t *testing.T, text string) *manifest.Manifest {
	t.Helper()
	m, err := manifest.Parse([]byte(text), manifest.FileName, capabilities.Sections())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestABlindSecretIsAVarThatNoGuestReads: an operator sets it like a secret, and a
// version without it does not serve.
func TestABlindSecretIsAVarThatNoGuestReads(t *testing.T) {
	m := parse(t, stripe)
	if len(m.Vars) != 1 || m.Vars[0].Name != "stripe" || !m.Vars[0].Secret || !m.Vars[0].Required || m.Vars[0].Blind != "https://api.stripe.com" {
		t.Errorf("%+v", m.Vars)
	}
	if _, err := m.Resolve("shop", nil, nil); err == nil || !strings.Contains(err.Error(), "wasmoor secret set shop stripe") {
		t.Errorf("without a value: %v", err)
	}
	config, err := m.Resolve("shop", map[string]string{"stripe": "sk_live_123456"}, nil)
	if err != nil || len(config) != 0 {
		t.Errorf("the guest reads %v, %v", config, err)
	}
}

// TestItIsKeptWhereItIsGranted, and nowhere else.
func TestItIsKeptWhereItIsGranted(t *testing.T) {
	m, all := parse(t, stripe), capabilities.All(capabilities.Config{})
	values := map[string]string{"stripe": "sk_live_123456"}
	if b, _ := all.ForDeployment(m, m.Ask(), nil, values).Of(blind.Name).(*egress.Blinds); b == nil {
		t.Error("granted: it is not kept")
	}
	other := parse(t, strings.ReplaceAll(stripe, "api.stripe.com", "evil.example.com"))
	if b, _ := all.ForDeployment(other, m.Ask(), nil, values).Of(blind.Name).(*egress.Blinds); b != nil {
		t.Error("granted for another origin: it is kept")
	}
	missing := m.Ask().Missing(other.Ask())
	if text := strings.Join(missing, "\n"); !strings.Contains(text, "the secret stripe for https://evil.example.com, in the header authorization") {
		t.Errorf("the other asks for %q", text)
	}
	if more := m.Ask().Missing(m.Ask()); len(more) > 0 {
		t.Errorf("the same asks for %q", more)
	}
	if u := (plugin.Grant{}).Union(m.Ask()).Union(other.Ask()); len(u.Missing(m.Ask())) > 0 || len(u.Missing(other.Ask())) > 0 {
		t.Errorf("both do not cover each: %v", u)
	}
	if got := m.Ask().Both(other.Ask()).Terms[blind.Name]; got != nil {
		t.Errorf("the two share %v", got)
	}
	if got := m.Ask().Both(m.Ask().Union(other.Ask())); !got.Equal(m.Ask()) {
		t.Errorf("one and both share %v", got)
	}
}

// TestEachSecretHasAReason: that of one is not shown for another.
func TestEachSecretHasAReason(t *testing.T) {
	m := parse(t, stripe+"reason = \"to charge cards\"\n[secrets.mail]\nblind = \"https://mail.example.com\"\n")
	reasons := map[string]string{}
	for _, e := range m.Ask().Beyond(plugin.Grant{}) {
		reasons[strings.Join(strings.Fields(e.What)[:3], " ")] = m.Reason(e)
	}
	if reasons["the secret stripe"] != "to charge cards" || reasons["the secret mail"] != "" || len(reasons) != 3 {
		t.Errorf("%q", reasons)
	}
}

func TestWhatIsNoBlindSecret(t *testing.T) {
	for name, text := range map[string]string{
		"no origin":               strings.ReplaceAll(stripe, "blind = \"https://api.stripe.com\"\n", ""),
		"a wildcard":              strings.ReplaceAll(stripe, "blind = \"https://api.stripe.com\"", "blind = \"https://*.stripe.com\""),
		"a path":                  strings.ReplaceAll(stripe, "blind = \"https://api.stripe.com\"", "blind = \"https://api.stripe.com/v1\""),
		"no place for it":         strings.ReplaceAll(stripe, "Bearer {}", "Bearer"),
		"two places for it":       strings.ReplaceAll(stripe, "Bearer {}", "{}{}"),
		"the host's header":       strings.ReplaceAll(stripe, "\"Authorization\"", "\"Content-Length\""),
		"two lines":               strings.ReplaceAll(stripe, "Bearer {}", "a\\r\\nb: {}"),
		"a header for what signs": head + "[secrets.signing]\nblind = \"webhooks\"\nheader = \"X\"\n",
		"a form for what signs":   head + "[secrets.signing]\nblind = \"webhooks\"\nformat = \"{}\"\n",
		"an unknown key":          stripe + "x = 1\n",
		"a name twice":            stripe + "[config]\nstripe = {}\n",
		"no name":                 strings.ReplaceAll(stripe, "secrets.stripe", "secrets.\"a b\""),
	} {
		if m, err := manifest.Parse([]byte(text), manifest.FileName, capabilities.Sections()); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// TestWhatSigns: a secret for webhooks goes nowhere, so nobody is asked for it.
func TestWhatSigns(t *testing.T) {
	m := parse(t, stripe+"[secrets.signing]\nblind = \"webhooks\"\nreason = \"to sign\"\n")
	if got := m.Ask().Terms[blind.Name]; got != blind.Terms("stripe https://api.stripe.com authorization") {
		t.Errorf("it asks for %q", got)
	}
	if alone := parse(t, head+"[secrets.signing]\nblind = \"webhooks\"\n").Ask().Terms[blind.Name]; alone != nil {
		t.Errorf("alone it asks for %q", alone)
	}
	for _, v := range m.Vars {
		if v.Name == "signing" && (v.Blind != "webhooks" || !v.Secret || !v.Required) {
			t.Errorf("%+v", v)
		}
	}
	for value, ok := range map[string]bool{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": true, "sk_live_0123456789abcdef": false} {
		if why := blind.Check(manifest.Var{Blind: "webhooks"}, value); (why == "") != ok {
			t.Errorf("%s: %q", value, why)
		}
	}
	if why := blind.Check(manifest.Var{Blind: "https://api.stripe.com"}, "short"); why == "" {
		t.Error("a short secret for an origin is taken")
	}
}
