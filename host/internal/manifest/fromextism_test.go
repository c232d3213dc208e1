package manifest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	. "github.com/wasmoor/wasmoor/host/internal/manifest" // what the tables of capabilities hold is theirs, and they import it
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

func TestFromExtism(t *testing.T) {
	module := []byte("the module")
	text := `{
		"wasm": [{"path": "/etc/passwd", "hash": "` + plugin.DigestOf(module).Hex() + `", "name": "main"}],
		"memory": {"max_pages": 64, "max_http_response_bytes": 1024, "max_var_bytes": 10},
		"config": {"greeting": "hi"},
		"allowed_hosts": ["api.example.com", "*.example.org"],
		"timeout_ms": 1500
	}`
	out, err := FromExtism([]byte(text), module, "words", []string{"count_vowels", "a"}, sections)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "passwd") {
		t.Errorf("a path of the manifest is in the translation:\n%s", out)
	}
	m, err := Parse(out, FileName, sections)
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "words" || m.ABI != ABIExtism {
		t.Errorf("name %q, abi %q", m.Name, m.ABI)
	}
	if diff := cmp.Diff([]string{"POST /a", "POST /count_vowels"}, m.Patterns()); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if l := m.Limits(); l.Memory != 4<<20 || l.Deadline != 1500*time.Millisecond {
		t.Errorf("limits %+v", l)
	}
	settings, ok := m.Settings(outbound.Name).(outbound.Settings)
	if ask := m.Ask().Terms[outbound.Name]; !ok || settings.Limits.ResponseBody != 1024 || ask == nil {
		t.Errorf("outbound %+v, asks for %v", settings, ask)
	}
	if config, err := m.Resolve("words", nil, nil); err != nil || config["greeting"] != "hi" {
		t.Errorf("config %v, %v", config, err)
	}
}

func TestFromExtismRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"not JSON":            {`wasm`, "invalid character 'w'"},
		"nothing":             {``, "it is empty"},
		"cut short":           {`{"wasm": [`, "it ends in the middle"},
		"two documents":       {`{} {}`, "something follows"},
		"another form":        {`[]`, "the manifest: it must be an object, not the JSON array"},
		"wasm no list":        {`{"wasm": {"path": "a"}}`, "wasm: it must be a list, not the JSON object"},
		"a number":            {`{"config": {"n": 1}}`, "config: it must be a string, not the JSON number"},
		"no number":           {`{"timeout_ms": "5s"}`, "timeout_ms: it must be a whole number, not the JSON string"},
		"unknown key":         {`{"wasms": []}`, `unknown field "wasms"`},
		"two modules":         {`{"wasm": [{"path": "a"}, {"path": "b"}]}`, "2 modules"},
		"another's hash":      {`{"wasm": [{"hash": "00"}]}`, "hash"},
		"a hash that is none": {`{"wasm": [{"hash": "xyz"}]}`, "hash"},
		"files":               {`{"allowed_paths": {"/data": "/"}}`, "allowed_paths"},
		"every host":          {`{"allowed_hosts": ["*"]}`, "name those the plugin calls"},
		"a bad host":          {`{"allowed_hosts": ["a.example", "a b"]}`, `allowed_hosts[1]: "https://a b"`},
		"a URL":               {`{"allowed_hosts": ["https://a.example"]}`, `allowed_hosts[0]: "https://a.example" is no host`},
		"too much memory":     {`{"memory": {"max_pages": 60000}}`, "memory.max_pages: 3750MiB is above"},
		"pages that overflow": {`{"memory": {"max_pages": 281474976710657}}`, "memory.max_pages: 281474976710657"},
		"less than none":      {`{"memory": {"max_pages": -1}}`, "memory.max_pages: -1"},
		"too much response":   {`{"memory": {"max_http_response_bytes": 99999999999}, "allowed_hosts": ["a.example"]}`, "memory.max_http_response_bytes: "},
		"too much time":       {`{"timeout_ms": 3600000}`, "timeout_ms: 1h0m0s is above"},
		"no time":             {`{"timeout_ms": -1}`, "timeout_ms: -1"},
		"a var's name":        {`{"config": {"api-key": "x"}}`, "config.api-key: use 1 to 64 letters"},
	} {
		_, err := FromExtism([]byte(c.text), []byte("m"), "words", []string{"a"}, sections)
		switch {
		case fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: got %v, want invalid with %q", name, err, c.want)
		case strings.Contains(err.Error(), FileName) || strings.Contains(err.Error(), "Go "):
			t.Errorf("%s: the error speaks of what its reader does not see: %v", name, err)
		}
	}
	if _, err := FromExtism([]byte(`{}`), nil, "words", nil, sections); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a module without exports: %v, want invalid", err)
	}
}

func FuzzFromExtism(f *testing.F) {
	f.Add([]byte(`{"wasm": [{"url": "http://x"}], "config": {"k": "v"}, "timeout_ms": 1}`))
	f.Add([]byte(`{"memory": {"max_pages": 9223372036854775807}, "allowed_hosts": ["a"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		out, err := FromExtism(text, []byte("m"), "words", []string{"a"}, sections)
		if err != nil {
			return
		}
		if _, err := Parse(out, FileName, sections); err != nil {
			t.Errorf("translated to what is no manifest: %v\n%s", err, out)
		}
	})
}
