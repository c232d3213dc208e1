package manifest_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	. "github.com/wasmoor/wasmoor/host/internal/manifest"
)

// mended holds what an author writes, in a table, and what the refusal says to
// write: which is then taken.
var mended = []struct{ table, line, write string }{
	{"", `kv = true`, `[kv]`},
	{"", `[[kv]]`, `[kv]`},
	{"", `kv = 1`, `[kv]`},
	{"", `limits = []`, `[limits]`},
	{"", `config = ["greeting"]`, `[config]`},
	{"[config]\n", `greeting = "Hello"`, `greeting = { default = "Hello" }`},
	{"[config]\n", `port = 8080`, `port = { default = "8080" }`},
	{"[config]\n", `debug = false`, `debug = { default = "false" }`},
	{"[config]\n", `rate = 1.5`, `rate = { default = "1.5" }`},
	{"[config]\n", `greeting = Hello`, `greeting = "Hello"`},
	{"[config.key]\n", `secret = "yes"`, `secret = true`},
	{"[config.key]\n", `default = 5`, `default = "5"`},

	{"[limits]\n", `memory = 64`, `memory = "64MiB"`},
	{"[limits]\n", `memory = "64mb"`, `memory = "64MiB"`},
	{"[limits]\n", `memory = "64 MB"`, `memory = "64MiB"`},
	{"[limits]\n", `memory = "64M"`, `memory = "64MiB"`},
	{"[limits]\n", `memory = "100MB"`, `memory = "100MiB"`},
	{"[limits]\n", `memory = 1000000`, `memory = "1MiB"`},
	{"[limits]\n", `memory = 64MiB`, `memory = "64MiB"`},
	{"[limits]\n", `request_body = "4 megabytes"`, `request_body = "4MiB"`},
	{"[limits]\n", `deadline = 5`, `deadline = "5s"`},
	{"[limits]\n", `deadline = "5"`, `deadline = "5s"`},
	{"[limits]\n", `deadline = "5 seconds"`, `deadline = "5s"`},
	{"[limits]\n", `deadline = "1 min"`, `deadline = "1m"`},
	{"[limits]\n", `deadline = "500 ms"`, `deadline = "500ms"`},
	{"[limits]\n", `deadline = 5s`, `deadline = "5s"`},
	{"[limits]\n", `deadline: 5s`, `deadline = "5s"`},
	{"[limits]\n", `concurrency = "16"`, `concurrency = 16`},
	{"[limits]\n", `concurrency = 16.0`, `concurrency = 16`},
	{"[kv]\n[[route]]\npattern = \"POST /\"\n", `idempotency = "1 day"`, `idempotency = "24h"`},

	{"", `route = ["GET /a"]`, "[[route]] and in it pattern = \"GET /a\""},
	{"", `route = "GET /a"`, "[[route]] and in it pattern = \"GET /a\""},
	{"", "[route]\npattern = \"GET /a\"", "[[route]]"},
	{"", `warmup = ["GET /a"]`, "[[warmup]] and in it request = \"GET /a\""},
	{"[[warmup]]\n", `request = "/a"`, `request = "GET /a"`},
	{"[[warmup]]\n", `request = "post /a"`, `request = "POST /a"`},
	{"[[route]]\n", `pattern = ["GET /a"]`, `pattern = "GET /a"`},
	{"[[route]]\n", `path = "/a"`, `pattern = "/a"`},
	{"[[route]]\nmethod = \"post\"\n", `path = "/a/:id"`, `pattern = "POST /a/{id}"`},

	{"", `outbound = true`, `[outbound] and in it allow = ["https://api.example.com"]`},
	{"", `outbound = "https://a.example"`, `[outbound] and in it allow = ["https://a.example"]`},
	{"[outbound]\n", `allow = "https://a.example"`, `allow = ["https://a.example"]`},
	{"[outbound]\n", `allow = [https://a.example]`, `allow = ["https://a.example"]`},
	{"[outbound]\nallow = [\"https://a.example\"]\n", `calls = "20"`, `calls = 20`},
	{"[outbound]\nallow = [\"https://a.example\"]\n", `cache = "on"`, `cache = true`},
	{"[outbound]\nallow = [\"https://a.example\"]\n", `timeout = 5`, `timeout = "5s"`},

	{"", `version = 1.2`, `version = "1.2"`},
	{"", `isolation = true`, `isolation = "request"`},
	{"", `frozen = "clock"`, `frozen = ["clock"]`},
	{"[build]\n", `command = ["go", "build"]`, `command = "go build"`},
	{"[build]\n", `watch = "*.go"`, `watch = ["*.go"]`},
}

func TestRefusalsSayWhatToWrite(t *testing.T) {
	for _, c := range mended {
		t.Run(c.line, func(t *testing.T) {
			_, err := Parse([]byte(head+c.table+c.line+"\n"), "f.toml", sections)
			if text := fault.MessageOf(err); !strings.Contains(text+"\n", "; write "+c.write+"\n") {
				t.Fatalf("got %q, want it to say %q", text, c.write)
			}
			lines := strings.ReplaceAll(c.write, " and in it ", "\n")
			if c.write == "[[route]]" {
				lines += "\npattern = \"/\""
			}
			table := strings.ReplaceAll(c.table, "method = \"post\"\n", "")
			if _, err := Parse([]byte(head+table+lines+"\n"), "f.toml", sections); err != nil && !strings.Contains(c.table+c.line, "Hello") {
				t.Errorf("what it says to write is refused: %v", err)
			}
		})
	}
}

// TestRefusedPatternsSayWhatToWrite: package pattern tests them all, this that
// they arrive.
func TestRefusedPatternsSayWhatToWrite(t *testing.T) {
	for _, c := range []struct{ pattern, write string }{
		{"/a/:id", "/a/{id}"},
		{"/a/*", "/a/{path...}"},
		{"/a/*path", "/a/{path...}"},
		{"GET /a/{id:[0-9]+}", "GET /a/{id}"},
		{"get /b", "GET /b"},
		{"GET b", "GET /b"},
		{"* /x", "/x"},
		{"ANY /x", "/x"},
		{"GET https://example.org/x", "GET /x"},
	} {
		_, err := Parse([]byte(head+"[[route]]\npattern = "+strconv.Quote(c.pattern)+"\n"), "f.toml", sections)
		if text := fault.MessageOf(err); !strings.HasPrefix(text, "f.toml:4:1: route[0].pattern: ") || !strings.HasSuffix(text, "; write "+strconv.Quote(c.write)) {
			t.Errorf("%s: got %q, want it to say %q", c.pattern, text, c.write)
		}
	}
}

func TestRefusedOriginsSayWhatToWrite(t *testing.T) {
	for _, c := range []struct{ origin, says string }{
		{"*", `no plugin may call every host, so name each; * stands for one label in front of a name, as in https://*.example.com; write e.g. "https://api.example.com"`},
		{"http*", `no plugin may call every host, so name each; * stands for one label in front of a name, as in https://*.example.com; write e.g. "https://api.example.com"`},
		{"https://*", `no plugin may call every host`},
		{"*://*", `no plugin may call every host`},
		{"all", `no plugin may call every host`},
		{"example.com", `it has no scheme; write "https://example.com"`},
		{"Example.com/v1", `it has no scheme; write "https://example.com"`},
		{"*.example.com", `it has no scheme; write "https://*.example.com"`},
		{"//example.com", `write "https://example.com"`},
		{"https:/example.com", `write "https://example.com"`},
		{"https://example.com/v1/*", `write "https://example.com"`},
		{"https://user:pw@example.com", `write "https://example.com"`},
		{"ftp://example.com", `write "https://example.com"`},
		{"localhost:3000", `write "http://localhost:3000"`},
		{"127.0.0.1:3000", `write "http://127.0.0.1:3000"`},
		{"https://a.*.example.com", `* stands for one label in front of a name`},
		{"example", `write e.g. "https://api.example.com"`},
	} {
		_, err := Parse([]byte(head+"[outbound]\nallow = ["+strconv.Quote(c.origin)+"]\n"), "f.toml", sections)
		if text := fault.MessageOf(err); !strings.HasPrefix(text, "f.toml:4:1: outbound.allow[0]: ") || !strings.Contains(text, c.says) {
			t.Errorf("%s: got %q, want it to say %q", c.origin, text, c.says)
		}
	}
}

// TestUnknownKeysSayWhatIsMeant: another spelling, another platform's word, a key
// of another table, a value of the plugin's own.
func TestUnknownKeysSayWhatIsMeant(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"[[routes]]\npattern = \"/\"\n", `3:3: routes: unknown key; did you mean "route"?`},
		{"[Limits]\n", `3:2: Limits: unknown key; did you mean "limits"?`},
		{"[LIMITS]\n", `did you mean "limits"?`},
		{"[limits]\nrequest-body = 1\n", `did you mean "request_body"?`},
		{"[limits]\ntimeout = 5\n", `did you mean "deadline"?`},
		{"[limits]\nmax_body = 5\n", `did you mean "request_body"?`},
		{"[env]\n", `did you mean "config"?`},
		{"[database]\n", `did you mean "kv"?`},
		{"allow = [\"*\"]\n", `did you mean "outbound"?`},
		{"[[route]]\npattern = \"/\"\ntimeout = \"5s\"\n", `route[0].timeout: unknown key; did you mean "deadline"?`},
		{"[config.a]\nvalue = \"b\"\n", `config.a.value: unknown key; did you mean "default"?`},
		{"memory = \"64MiB\"\n", `3:1: memory: unknown key; it belongs under [limits]`},
		{"watch = []\n", `it belongs under [build]`},
		{"timeout = \"5s\"\n", `it belongs under [outbound]`},
		{"response_body = 1\n", `it belongs under [limits] or [outbound]`},
		{"pattern = \"GET /\"\n", `it belongs under [[socket]] or [[upload]] or [[route]]`},
		{"[kv]\nversion = \"1\"\n", `4:1: kv.version: unknown key; it belongs at the top of the manifest, above the first table`},
		{"greeting = \"Hello\"\n", `3:1: greeting: unknown key; a value that the operator may change goes under [config]: greeting = { default = "Hello" }`},
		{"port = 8080\n", `port = { default = "8080" }`},
		{"[novelty]\n", `novelty: unknown key; known here: manifest_version, name,`},
	} {
		_, err := Parse([]byte(head+c.text), "f.toml", sections)
		if text := fault.MessageOf(err); !strings.Contains(text, c.says) {
			t.Errorf("%q: got %q, want it to say %q", c.text, text, c.says)
		}
	}
}

// TestRefusalsInJSONSayWhatToWrite in JSON.
func TestRefusalsInJSONSayWhatToWrite(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{`"kv": true`, `write "kv": { ... }`},
		{`"config": {"greeting": "Hello"}`, `write "greeting": { "default": "Hello" }`},
		{`"limits": {"deadline": 5}`, `write "deadline": "5s"`},
		{`"greeting": "Hello"`, `goes under "config": { ... }: "greeting": { "default": "Hello" }`},
		{`"outbound": true`, `write "outbound": { ... } and in it "allow": ["https://api.example.com"]`},
	} {
		_, err := Parse([]byte(`{"manifest_version": 1, "name": "a", `+c.text+`}`), "f.json", sections)
		if text := fault.MessageOf(err); !strings.HasSuffix(text, c.says) {
			t.Errorf("%s: got %q, want it to say %q", c.text, text, c.says)
		}
	}
}
