package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/policy"
)

const text = `
separate_approver = true
[[approve]]
plugins = "shop-*"
hosts = ["https://api.stripe.com", "https://*.example.com"]
kv_bytes = "5GiB"
mounts = ["/shop-*"]
[[approve]]
plugins = "shop-old,blog"
kv_keys = 3000000
instance_isolation = true
`

func calls(t *testing.T, g plugin.Grant, origins ...string) plugin.Grant {
	t.Helper()
	var list []plugin.Origin
	for _, text := range origins {
		o, err := plugin.ParseOrigin(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, o)
	}
	return g.With(outbound.Name, outbound.Terms(plugin.OriginsOf(list)))
}

func TestRules(t *testing.T) {
	p, err := policy.Parse([]byte(text))
	if err != nil || !p.Separate() {
		t.Fatal(p, err)
	}
	none := plugin.Grant{}
	keys := func(n, bytes int64) plugin.Grant { return none.With(kv.Name, kv.Terms{Keys: n, Bytes: bytes}) }
	for _, c := range []struct {
		says, name string
		has, ask   plugin.Grant
		mounts     string
		rule       int
	}{
		{"a host", "shop-a", none, calls(t, none, "https://api.stripe.com"), "", 1},
		{"a host below", "shop-a", none, calls(t, none, "https://x.y.example.com", "https://api.stripe.com"), "", 1},
		{"the host itself is not below", "shop-a", none, calls(t, none, "https://example.com"), "", 0},
		{"another that ends like it", "shop-a", none, calls(t, none, "https://evilexample.com"), "", 0},
		{"another port", "shop-a", none, calls(t, none, "https://x.example.com:8443"), "", 0},
		{"another scheme", "shop-a", none, calls(t, none, "http://x.example.com"), "", 0},
		{"one host too many", "shop-a", none, calls(t, none, "https://api.stripe.com", "https://other.com"), "", 0},
		{"one that it has already", "shop-a", calls(t, none, "https://other.com"), calls(t, none, "https://api.stripe.com", "https://other.com"), "", 1},
		{"another plugin", "shopping", none, calls(t, none, "https://api.stripe.com"), "", 0},
		{"bytes", "shop-a", none, keys(0, 5<<30), "", 1},
		{"too many bytes", "shop-a", none, keys(0, 5<<30+1), "", 0},
		{"keys of the other rule", "shop-old", none, keys(3_000_000, 0), "", 2},
		{"no rule alone covers it", "shop-old", none, keys(3_000_000, 5<<30), "", 0},
		{"isolation", "blog", none, plugin.Grant{Stateful: true}, "", 2},
		{"no isolation", "shop-a", none, plugin.Grant{Stateful: true}, "", 0},
		{"a mount", "shop-a", none, keys(0, 0), "/shop-b", 1},
		{"a mount below", "shop-a", none, keys(0, 0), "/shop-b/c", 0},
		{"another mount", "shop-a", none, keys(0, 0), "/admin", 0},
		{"two mounts", "shop-a", none, keys(0, 0), "/shop-b /shop-c", 1},
		{"two mounts, one of them another's", "shop-a", none, keys(0, 0), "/shop-b /admin", 0},
		{"no mount", "blog", none, keys(0, 0), "/shop-b", 0},
	} {
		if got := p.Rule(c.name, c.has, c.ask, plugin.Mounts(c.mounts).List()); got != c.rule {
			t.Errorf("%s: rule %d, want %d", c.says, got, c.rule)
		}
	}
	var nothing *policy.Policy
	if nothing.Separate() || nothing.Rule("a", none, keys(0, 0), nil) != 0 || nothing.String() != "none" {
		t.Error("no policy decides something")
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	many := strings.Repeat("[[approve]]\nplugins = \"a\"\n", policy.MaxRules+1)
	for text, says := range map[string]string{
		"separate_aprover = true":                                   `line 1: unknown key "separate_aprover"; did you mean "separate_approver"?`,
		"[[approve]]\nplugin = \"a\"":                               `line 2: unknown key "plugin"; did you mean "plugins"?`,
		"[[approve]]":                                               "rule 1: plugins is missing",
		"[[approve]]\nplugins = \"A\"":                              "rule 1: \"A\" is no pattern",
		"[[approve]]\nplugins = \"a\"\nhosts = [\"x\"]":             "rule 1: \"x\" is no origin",
		"[[approve]]\nplugins = \"a\"\nhosts = [\"https://*.a.*\"]": "is no pattern of hosts",
		"[[approve]]\nplugins = \"a\"\nmounts = [\"a\"]":            "is no pattern of mounts",
		"[[approve]]\nplugins = \"a\"\nmounts = [\"/[a\"]":          "is no pattern of mounts",
		"[[approve]]\nplugins = \"a\"\nkv_bytes = \"x\"":            "kv_bytes",
		"[[approve]]\nplugins = \"a\"\nkv_keys = -1":                "kv_keys",
		"[[approve]]\nplugins = 1":                                  "line 2:",
		"= 1":                                                       "line 1:",
		many:                                                        "above the maximum of 100",
		strings.Repeat("#", policy.MaxFile+1):                       "more than 64KiB",
	} {
		_, err := policy.Parse([]byte(text))
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), says) {
			t.Errorf("%.60q: %v, want %s", text, err, says)
		}
	}
}

func TestLoad(t *testing.T) {
	if p, err := policy.Load(""); p != nil || err != nil {
		t.Error(p, err)
	}
	name := filepath.Join(t.TempDir(), "policy.toml")
	if _, err := policy.Load(name); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), name) {
		t.Error(err)
	}
	if _, err := policy.Load(filepath.Dir(name)); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), "it is not a regular file") {
		t.Error(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Load(name)
	if err != nil || !strings.Contains(p.String(), "2 rules, sha256 ") {
		t.Error(p, err)
	}
}
