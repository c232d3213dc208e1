package manifest_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/pattern"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	. "github.com/wasmoor/wasmoor/host/internal/manifest" // what the tables of capabilities hold is theirs, and they import it
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

const fullTOML = `
manifest_version = 1
name = "guestbook"
version = "0.1.0"
abi = "wasmoor_v1"
isolation = "instance"

[[warmup]]
request = "GET /entries/a%20b?full=yes"
headers = { Accept = "text/html" }

[[warmup]]
request = "POST /entries"
body = "{}"

[build]
command = "go build"
output = "guestbook.wasm"
watch = ["*.go", "go.mod"]

[[route]]
pattern = "GET /entries/{id}"

[[route]]
pattern = "POST /entries"
deadline = "30s"
request_body = "16MiB"
idempotency = "24h"

[limits]
memory = "32MiB"
deadline = "2s"
request_body = 1024
response_body = "1MiB"
concurrency = 8

[kv]
keys = 100000
bytes = "64MiB"

[outbound]
allow = ["https://*.example.org:8443", "https://API.example.com/"]
idempotent = true
cache = true
timeout = "2s"
response_body = "1MiB"
calls = 3
concurrent = 2

[config]
greeting = { default = "hello" }
api_key = { required = true, secret = true, description = "of the mail service" }
note = {}
`

const fullJSON = `{
  "manifest_version": 1, "name": "guestbook", "version": "0.1.0", "abi": "wasmoor_v1", "isolation": "instance",
  "warmup": [
    {"request": "GET /entries/a%20b?full=yes", "headers": {"accept": "text/html"}},
    {"request": "POST /entries", "body": "{}"}
  ],
  "build": {"command": "go build", "output": "guestbook.wasm", "watch": ["*.go", "go.mod"]},
  "route": [
    {"pattern": "GET /entries/{id}"},
    {"pattern": "POST /entries", "deadline": "30s", "request_body": "16MiB", "idempotency": "24h"}
  ],
  "limits": {"memory": "32MiB", "deadline": "2s", "request_body": 1024, "response_body": "1MiB", "concurrency": 8},
  "kv": {"keys": 100000, "bytes": "64MiB"},
  "outbound": {"allow": ["https://*.example.org:8443", "https://api.example.com"], "idempotent": true, "cache": true,
    "timeout": "2s", "response_body": "1MiB", "calls": 3, "concurrent": 2},
  "config": {
    "greeting": {"default": "hello"},
    "api_key": {"required": true, "secret": true, "description": "of the mail service"},
    "note": {}
  }
}`

func full() *Manifest {
	hello := "hello"
	m := Manifest{
		Name: "guestbook", Version: "0.1.0",
		Routes: []Route{
			{Pattern: "GET /entries/{id}"},
			{Pattern: "POST /entries", Deadline: 30 * time.Second, RequestBody: 16 << 20, Idempotency: 24 * time.Hour},
		},
		Vars: []Var{
			{Name: "api_key", Required: true, Secret: true, Description: "of the mail service"},
			{Name: "greeting", Default: &hello},
			{Name: "note"},
		},
		Warmups: []Warmup{
			{Head: abi.RequestHead{
				Method: "GET", Path: "/entries/a%20b", Query: "full=yes", Scheme: "http", Host: "localhost", Remote: "127.0.0.1", Trigger: "http",
				Pattern: "GET /entries/{id}", Params: []abi.Pair{{Name: "id", Value: "a b"}}, Headers: []abi.Pair{{Name: "accept", Value: "text/html"}},
			}},
			{Head: abi.RequestHead{
				Method: "POST", Path: "/entries", Scheme: "http", Host: "localhost", Remote: "127.0.0.1", Pattern: "POST /entries", BodySize: 2, Trigger: "http",
			}, Body: "{}"},
		},
		Build: Build{Command: "go build", Output: "guestbook.wasm", Watch: []string{"*.go", "go.mod"}},
	}
	return m.With(fullLimits,
		plugin.Grant{Stateful: true}.
			With(kv.Name, kv.Terms{Keys: 100000, Bytes: 64 << 20}).
			With(outbound.Name, outbound.Terms("https://*.example.org:8443 https://api.example.com")),
		map[string]any{
			kv.Name: nil,
			outbound.Name: outbound.Settings{
				Idempotent: true, Cache: true,
				Limits: egress.Limits{Timeout: 2 * time.Second, ResponseBody: 1 << 20, Calls: 3, Concurrent: 2},
			},
		})
}

var fullLimits = limit.Limits{
	Memory: 32 << 20, Deadline: 2 * time.Second, RequestBody: 1024, ResponseBody: 1 << 20, Concurrency: 8,
}

// sections are the tables of the capabilities that a host has.
var sections = capabilities.Sections()

func mustParse(t *testing.T, text string) *Manifest {
	t.Helper()
	m, err := Parse([]byte(text), FileName, sections)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return m
}

func diff(want, got *Manifest) string {
	derived := cmp.Comparer(func(_, _ *pattern.Set[int]) bool { return true }) // of Routes
	return cmp.Diff(want, got, cmp.AllowUnexported(Manifest{}), derived)
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		want             *Manifest
	}{
		{"toml", FileName, fullTOML, full()},
		{"json by content", FileName, fullJSON, full()},
		{"json by name", "wasmoor.json", fullJSON, full()},
		{"windows line ends", FileName, strings.ReplaceAll(fullTOML, "\n", "\r\n"), full()},
		{"least", FileName, "manifest_version = 1\nname = \"a\"\n", Default("a")},
		{"empty tables", FileName, "manifest_version = 1\nname = \"a\"\nroute = []\n[limits]\n[config]\n[build]\n", Default("a")},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse([]byte(c.text), c.file, sections)
			if err != nil {
				t.Fatalf("Parse: %v", err)
			}
			if d := diff(c.want, got); d != "" {
				t.Errorf("Parse (-want +got):\n%s", d)
			}
		})
	}
}

func TestKVTableAsks(t *testing.T) {
	m := mustParse(t, "manifest_version = 1\nname = \"a\"\n[kv]\n")
	if got, want := m.Ask(), (plugin.Grant{}.With(kv.Name, kv.Terms{})); !got.Equal(want) {
		t.Errorf("Ask = %+v, want %+v", got, want)
	}
	if got := Default("a").Ask(); !got.Equal(plugin.Grant{}) {
		t.Errorf("Default asks for %+v", got)
	}
}

func TestReasons(t *testing.T) {
	m := mustParse(t, "manifest_version = 1\nname = \"a\"\nisolation = \"instance\"\nisolation_reason = \"a warm model\"\n"+
		"[kv]\n[outbound]\nallow = [\"https://a.example\", \"https://b.example\"]\nreason = \"Zahlungen für Köln\"\n")
	var got []string
	for _, e := range m.Ask().Beyond(plugin.Grant{}) {
		got = append(got, e.Unit+": "+m.Reason(e))
	}
	if d := cmp.Diff([]string{"kv: ", "outbound: Zahlungen für Köln", "outbound: Zahlungen für Köln", "isolation: a warm model"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestLimits(t *testing.T) {
	m := full()
	if diff := cmp.Diff(fullLimits, m.Limits()); diff != "" {
		t.Errorf("Limits (-want +got):\n%s", diff)
	}
	for _, i := range []int{-1, 0, 2} {
		if diff := cmp.Diff(fullLimits, m.RouteLimits(i)); diff != "" {
			t.Errorf("RouteLimits(%d) (-want +got):\n%s", i, diff)
		}
	}
	want := fullLimits
	want.Deadline, want.RequestBody = 30*time.Second, 16<<20
	if diff := cmp.Diff(want, m.RouteLimits(1)); diff != "" {
		t.Errorf("RouteLimits(1) (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(limit.Default(), Default("a").Limits()); diff != "" {
		t.Errorf("limits of Default (-want +got):\n%s", diff)
	}
}

func TestPatterns(t *testing.T) {
	if diff := cmp.Diff([]string{"GET /entries/{id}", "POST /entries"}, full().Patterns()); diff != "" {
		t.Errorf("Patterns (-want +got):\n%s", diff)
	}
	if got := Default("a").Patterns(); got != nil {
		t.Errorf("Patterns of Default = %q, want nil", got)
	}
}

func TestMinDeadline(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       time.Duration
	}{
		{"default", "", limit.Default().Deadline},
		{"the plugin's", "[limits]\ndeadline = \"2s\"", 2 * time.Second},
		{"a route's", "[limits]\ndeadline = \"2s\"\n[[route]]\npattern = \"/a\"\n[[route]]\npattern = \"/b\"\ndeadline = \"1s\"", time.Second},
		{"the plugin's among routes", "[limits]\ndeadline = \"2s\"\n[[route]]\npattern = \"/a\"\n[[route]]\npattern = \"/b\"\ndeadline = \"3s\"", 2 * time.Second},
		{"every route has its own", "[limits]\ndeadline = \"2s\"\n[[route]]\npattern = \"/a\"\ndeadline = \"4s\"\n[[route]]\npattern = \"/b\"\ndeadline = \"3s\"", 3 * time.Second},
	} {
		m := mustParse(t, "manifest_version = 1\nname = \"a\"\n"+c.text)
		if got := m.MinDeadline(); got != c.want {
			t.Errorf("%s: MinDeadline = %v, want %v", c.name, got, c.want)
		}
	}
}

func TestCheckVar(t *testing.T) {
	for name, want := range map[string]fault.Code{
		"a": "", "API_KEY": "", "_9": "", strings.Repeat("k", 64): "",
		"": fault.Invalid, "9a": fault.Invalid, "api key": fault.Invalid, "a\n": fault.Invalid, strings.Repeat("k", 65): fault.Invalid,
	} {
		if err := CheckVar(name); fault.CodeOf(err) != want {
			t.Errorf("CheckVar(%q) = %v, want code %q", name, err, want)
		}
	}
}

func TestResolve(t *testing.T) {
	two := mustParse(t, "manifest_version = 1\nname = \"a\"\n[config]\nx = {required = true}\ny = {required = true}\nz = {}\n")
	for _, c := range []struct {
		name string
		m    *Manifest
		vars map[string]string
		want map[string]string // nil = Invalid
		says []string
	}{
		{"defaults", full(), map[string]string{"api_key": "k"}, map[string]string{"api_key": "k", "greeting": "hello"}, nil},
		{"set", full(), map[string]string{"api_key": "", "greeting": "", "note": "n"}, map[string]string{"api_key": "", "greeting": "", "note": "n"}, nil},
		{"of another version", full(), map[string]string{"api_key": "k", "old": "v"}, map[string]string{"api_key": "k", "greeting": "hello"}, nil},
		{"no config", Default("a"), map[string]string{"x": "1"}, map[string]string{}, nil},
		{"missing", full(), nil, nil, []string{"api_key", "wasmoor secret set staging api_key"}},
		{"two missing", two, map[string]string{"z": "1"}, nil, []string{"wasmoor var set staging x", "wasmoor var set staging y"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.m.Resolve("staging", c.vars, func(string) bool { return false })
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Resolve (-want +got):\n%s", diff)
			}
			if c.want == nil && fault.CodeOf(err) != fault.Invalid || c.want != nil && err != nil {
				t.Errorf("error %v, code %q", err, fault.CodeOf(err))
			}
			for _, s := range c.says {
				if !strings.Contains(fault.MessageOf(err), s) {
					t.Errorf("%q does not say %q", fault.MessageOf(err), s)
				}
			}
		})
	}
}

func TestParseTooLarge(t *testing.T) {
	text := "manifest_version = 1\nname = \"a\"\n#" + strings.Repeat("x", MaxSize)
	if m, err := Parse([]byte(text), FileName, sections); fault.CodeOf(err) != fault.TooLarge || m != nil {
		t.Errorf("Parse = %v, %v; want TooLarge", m, err)
	}
}

// FuzzParse checks that no text panics, that errors are Invalid, and that what
// is accepted keeps the rules the rest of the host relies on.
func FuzzParse(f *testing.F) {
	f.Add([]byte(fullTOML))
	f.Add([]byte(fullJSON))
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data, FileName, sections)
		if err != nil {
			if code := fault.CodeOf(err); m != nil || code != fault.Invalid && code != fault.TooLarge {
				t.Fatalf("Parse = %v, %v", m, err)
			}
			return
		}
		if err := plugin.CheckName(m.Name); err != nil {
			t.Errorf("name: %v", err)
		}
		within(t, m.Limits())
		for i := range m.Routes {
			within(t, m.RouteLimits(i))
		}
		if a, _ := m.Ask().Terms[kv.Name].(kv.Terms); a.Keys < 0 || a.Bytes < 0 {
			t.Errorf("Ask = %+v", a)
		}
	})
}

// seed adds the refused texts, without those whose size is their point: they
// slow the fuzzer down.
func seed(f *testing.F) {
	f.Helper()
	for _, c := range refused {
		if len(c.text) < 1<<10 {
			f.Add([]byte(c.text))
		}
	}
}

// FuzzPlaces checks that every key of what is read has a place.
func FuzzPlaces(f *testing.F) {
	f.Add([]byte(fullTOML))
	f.Add([]byte(fullJSON))
	f.Add([]byte("a.b.c = 1\n[[x.y]]\n'q r' = [{z = [[], [{u = 1}]]}]\n[x.y.t]\nv = 1\n[[x.y]]\n[[x.y.s]]\nw = {}\n"))
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > MaxSize {
			return
		}
		CheckPlaces(t, data)
	})
}

func within(t *testing.T, l limit.Limits) {
	t.Helper()
	most := limit.Maximum()
	if l.Memory < Page || l.Memory > most.Memory || l.Memory%Page != 0 ||
		l.Deadline < time.Millisecond || l.Deadline > most.Deadline ||
		l.RequestBody < 1 || l.RequestBody > most.RequestBody ||
		l.ResponseBody < 1 || l.ResponseBody > most.ResponseBody ||
		l.Concurrency < 1 || l.Concurrency > most.Concurrency {
		t.Errorf("limits %+v are out of bounds", l)
	}
}

// TestMatch: a request finds its route, private ones too.
func TestMatch(t *testing.T) {
	m, err := Parse([]byte("manifest_version = 1\nname = \"a\"\n[[route]]\npattern = \"GET /items/{id}\"\nprivate = true\n[[route]]\npattern = \"POST /items\"\n"), FileName, sections)
	if err != nil {
		t.Fatal(err)
	}
	if to, _, ok := m.Match("HEAD", "/items/a%20b"); !ok || to.Route != 0 || to.Pattern != "GET /items/{id}" || len(to.Params) != 1 || to.Params[0].Value != "a b" {
		t.Errorf("a private route: %+v, %v", to, ok)
	}
	if _, allow, ok := m.Match("DELETE", "/items"); ok || !slices.Equal(allow, []string{"POST"}) {
		t.Errorf("another method: %v, %v", allow, ok)
	}
	if _, allow, ok := m.Match("GET", "/none"); ok || len(allow) > 0 {
		t.Errorf("no route: %v, %v", allow, ok)
	}
	if to, _, ok := Default("a").Match("PATCH", "/any"); !ok || to.Route != -1 || to.Path != "/any" {
		t.Errorf("without routes: %+v, %v", to, ok)
	}
}
