package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// sdkDir is where the module cache has Extism's SDK, with plugins that others
// built in TinyGo, Go, Rust, Zig, C and Haskell.
var sdkDir = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/extism/go-sdk").Output()
	return filepath.Join(strings.TrimSpace(string(out)), "wasm"), err
})

// plugins says of each of them what it answers behind a route, or why it is
// refused. None was built for this host.
var plugins = []struct {
	file    string
	export  string
	lines   string // of its manifest, behind the route
	input   string
	status  int
	want    string // the answer's body; of a failure, a part of the reason
	refused string // a part of why it is not deployed
}{
	{file: "alloc", export: "run_test", status: 200}, // allocates and frees many blocks
	{file: "config", export: "run_test", lines: "[config]\nthing = { default = 'hello' }", status: 200, want: `{"config": "hello"}`},
	{file: "count_vowels", export: "count_vowels", input: "hello world", status: 200, want: `{"count":3,"total":3,"vowels":"aeiouAEIOU"}`},
	{file: "count_vowels_std", export: "_start", input: "hello world", status: 200, want: `{"count": 3, "config": "<unset by host>", "a": "this is var a"}`},
	{file: "exit", export: "_start", lines: "[config]\ncode = { default = '7' }", status: 502, want: "guest exited with code 7"},
	{file: "fail", export: "run_test", status: 502, want: `the plugin failed: \"Some error message\"`},
	{file: "fs", export: "run_test", status: 502, want: "the plugin reported failure 1"}, // there are no files
	{file: "fs_std", export: "run_test", status: 502, want: "the plugin reported failure 1"},
	{file: "hello", export: "run_test", status: 200, want: "Hello, world!"},
	{file: "hello_haskell", export: "testing", lines: "[config]\ngreeting = { default = 'Howdy' }", input: "John", status: 200, want: "Howdy, John"},
	{file: "host", export: "run_test", refused: `imports \"extism:host/user\".\"mult\", a host function that its own host would give`},
	{file: "host_memory", export: "run_test", refused: `imports \"host\".\"to_upper\", which another module would have to give`},
	{file: "host_multiple", export: "say_green", refused: `imports \"extism:host/user\".\"hostGreenMessage\"`},
	// TestExtismOutbound has the twins that are granted what these two want.
	{file: "http", export: "run_test", status: 502, want: `HTTP request to \"https://jsonplaceholder.typicode.com/todos/1\" is not allowed: no origin is granted`},
	{file: "http_headers", export: "http_get", lines: "[outbound]\nallow = ['https://other.example']", input: `{"url":"https://extism.org"}`, status: 502, want: `HTTP request to \"https://extism.org\" is not allowed: https://extism.org is not granted`},
	{file: "input_offset", export: "input_offset_length", input: "hello world", status: 200, want: "\x0b\x00\x00\x00\x00\x00\x00\x00"},
	{file: "lib", export: "capitalize", refused: `calls \"capitalize\", which is (i64) -> i64`}, // main's other half
	{file: "log", export: "run_test", status: 200},
	{file: "main", export: "run_test", refused: `imports \"lib\".\"capitalize\", which another module would have to give`},
	{file: "nested.c.instr", export: "_start", refused: "the functions have together more blocks, calls and locals than allowed"},
	{file: "noop", export: "run_test", status: 200},
	{file: "println", export: "run_test", input: "a line", status: 200},
	{file: "read_write", export: "try_read", lines: "[config]\npath = { default = '/mnt/test.txt' }", status: 502, want: "the plugin failed: \\\"Failed to read file"},
	{file: "replace", export: "run_test", input: "this is a test of the plugin", status: 200, want: "this is a wasm of the plugin"},
	{file: "sleep", export: "run_test", lines: "[config]\nduration = { default = '3000' }\n[limits]\ndeadline = '300ms'", status: 504, want: "the guest ran out of time"},
	{file: "std_command", export: "_start", input: "ben", status: 200, want: "hello ben"},
	{file: "var", export: "run_test", status: 200, want: "a: 0"}, // vars end with their request
}

func TestExtismPluginsOfOthers(t *testing.T) {
	t.Parallel()
	dir, err := sdkDir()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.wasm"))
	if err != nil || len(files) != len(plugins) {
		t.Fatalf("%s has %d plugins (%v), and %d are tested", dir, len(files), err, len(plugins))
	}
	s := serve(t, t.TempDir())
	for _, c := range plugins {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			module, err := os.ReadFile(filepath.Join(dir, c.file+".wasm"))
			if err != nil {
				t.Fatal(err)
			}
			name := strings.NewReplacer("_", "-", ".", "-").Replace(c.file)
			err = s.tryDeploy(context.Background(), name, pack(t, module, name, `abi = "extism"`, `[[route]]`,
				`pattern = "POST /run"`, `export = "`+c.export+`"`, `content_type = "text/plain"`, c.lines))
			if c.refused != "" {
				wantRefused(t, err, c.refused)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second finds nothing of the first
				a, err := s.try(t.Context(), "POST", "/"+name+"/run", c.input)
				switch {
				case err != nil:
					t.Fatal(err)
				case a.status != c.status:
					t.Errorf("got %v, want %d", a, c.status)
				case a.status == 200 && (a.body != c.want || a.header.Get("Content-Type") != "text/plain"):
					t.Errorf("got %q of type %q, want %q", a.body, a.header.Get("Content-Type"), c.want)
				case a.status != 200 && !s.logged(c.want):
					t.Errorf("got %v, want %q in the log:\n%s", a, c.want, s.log)
				}
			}
			if a, err := s.try(t.Context(), "GET", "/"+name+"/run", ""); err != nil || a.status != 405 {
				t.Errorf("GET: got %v, %v", a, err)
			}
		})
	}
}

func wantRefused(t *testing.T, err error, says string) {
	t.Helper()
	refused, ok := errors.AsType[*refusedError](err)
	if !ok || refused.status != 422 || !strings.Contains(refused.body, says) {
		t.Errorf("got %v, want 422 with %q", err, says)
	}
}

// TestExtismOutbound lets the plugins of others that make requests make them.
func TestExtismOutbound(t *testing.T) {
	t.Parallel()
	dir, err := sdkDir()
	if err != nil {
		t.Fatal(err)
	}
	origin := service(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Asked", r.Method+" "+r.Header.Get("X-Sent"))
		fmt.Fprintf(w, "some-name: %s", r.Header.Get("some-name"))
	})
	// The one plugin calls a URL of its own: another of the same length is put there.
	const theirs = "https://jsonplaceholder.typicode.com/todos/1"
	ours := origin + "/" + strings.Repeat("a", len(theirs)-len(origin)-1)
	route := []string{`abi = "extism"`, `[[route]]`, `pattern = "POST /run"`}
	s := serve(t, t.TempDir(), "--outbound-allow-networks", "127.0.0.1/32")
	closed := serve(t, t.TempDir())
	for _, c := range []struct{ file, export, input, want string }{
		{"http", "run_test", "", "some-name: some-value"},
		{"http_headers", "http_get", `{"url":"` + origin + `","method":"PUT","headers":{"x-sent":"yes"}}`, `"x-asked":"PUT yes"`},
	} {
		module, err := os.ReadFile(filepath.Join(dir, c.file+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		module = bytes.Replace(module, []byte(theirs), []byte(ours), 1)
		name := strings.ReplaceAll(c.file, "_", "-")
		packed := pack(t, module, name, append(route, `export = "`+c.export+`"`, allowing(origin))...)
		s.deploy(name, packed)
		if got := s.do("POST", "/"+name+"/run", c.input); got.status != 200 || !strings.Contains(got.body, c.want) {
			t.Errorf("%s: got %v, want %q in it", c.file, got, c.want)
		}
		closed.deploy(name, packed)
		if got := closed.do("POST", "/"+name+"/run", c.input); got.status != 502 || !closed.logged("outbound_allow_networks") {
			t.Errorf("%s without the operator's exception: got %v, want 502 and the reason in the log:\n%s", c.file, got, closed.log)
		}
	}
}

// TestExtismPluginsAreLogged: what plugins say reaches the operator.
func TestExtismPluginsAreLogged(t *testing.T) {
	t.Parallel()
	dir, err := sdkDir()
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, t.TempDir(), "--log-level", "debug")
	for _, c := range []struct {
		file   string
		status int
		lines  []string
	}{
		{"log", 200, []string{"this is a trace log", "this is a debug log", "this is an info log", "this is a warning log", "this is an error log"}},
		{"println", 200, []string{"a line"}},
		{"fail", 502, []string{"Some error message"}},
	} {
		module, err := os.ReadFile(filepath.Join(dir, c.file+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		s.deploy(c.file, pack(t, module, c.file, `abi = "extism"`, `[[route]]`, `pattern = "/"`, `export = "run_test"`))
		a := s.do("POST", "/"+c.file, "a line")
		if a.status != c.status || strings.Contains(a.body, "Some error message") {
			t.Errorf("%s: got %v", c.file, a)
		}
		for _, line := range c.lines {
			if !s.logged(line) {
				t.Errorf("%s: the log lacks %q:\n%s", c.file, line, s.log)
			}
		}
	}
}

// example returns an example as its author deploys it.
func example(t *testing.T, name string) []byte {
	t.Helper()
	dir := filepath.Join("../../examples", name)
	text, err := os.ReadFile(filepath.Join(dir, "wasmoor.toml"))
	if err != nil {
		t.Fatal(err)
	}
	_, lines, _ := strings.Cut(string(text), "abi = ")
	return pack(t, goGuest(t, dir), name, "abi = "+lines)
}

func TestExtismExamples(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	for _, name := range []string{"extism-count", "extism-handler"} {
		s.deploy(name, example(t, name))
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		kind, want         string
	}{
		{"POST", "/extism-count/count", "hello world", 200, "application/json", `{"count":3,"vowels":"aeiouAEIOU"}`},
		{"POST", "/extism-count/count", "", 502, "application/problem+json", `"effects":"none"`},
		{"GET", "/extism-handler/home", "", 404, "text/plain; charset=utf-8", "nobody was here\n"},
		{"POST", "/extism-handler/home", "", 200, "application/json", `{"page":"home","visits":1}`},
		{"POST", "/extism-handler/home", "ignored", 200, "application/json", `{"page":"home","visits":2}`},
		{"GET", "/extism-handler/home", "", 200, "application/json", `{"page":"home","visits":2}`},
		{"HEAD", "/extism-handler/home", "", 200, "application/json", ""},
	} {
		a := s.do(c.method, c.path, c.body)
		if a.status != c.status || c.kind != a.header.Get("Content-Type") || !strings.Contains(a.body, c.want) {
			t.Errorf("%s %s: got %v of type %q, want %d %q of type %q",
				c.method, c.path, a, a.header.Get("Content-Type"), c.status, c.want, c.kind)
		}
	}
	if !s.logged("there is nothing to count") {
		t.Errorf("the log lacks the plugin's reason:\n%s", s.log)
	}
}

// TestExtismCommandLine: the commands know such a project as any other.
func TestExtismCommandLine(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	file := writeFile(t, "count.wasm", example(t, "extism-count"))
	for _, c := range []struct {
		args  []string
		wants []string
	}{
		{[]string{"inspect", file}, []string{"abi       extism\n", "extism:host/env.alloc", "from extism", "POST /count", "this host takes it"}},
		{[]string{"call", file, "--path", "/count", "--data", "banana"}, []string{`{"count":3,`}},
		{[]string{"deploy", file}, nil},
	} {
		stdout := s.mustCLI("", c.args...)
		for _, want := range c.wants {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: %q lacks %q", c.args[0], stdout, want)
			}
		}
	}
	if a := s.do("POST", "/extism-count/count", "banana"); a.status != 200 {
		t.Errorf("after deploy: got %v", a)
	}
	manifest := writeFile(t, "manifest.json", []byte(`{"wasm":[{"url":"http://127.0.0.1:1/a.wasm"}]}`))
	for _, command := range []string{"deploy", "inspect", "call"} {
		if _, stderr, code := s.cli(command, manifest); code == 0 || !strings.Contains(stderr, `of an Extism manifest, which this host does not follow`) {
			t.Errorf("%s of a manifest of Extism: exit code %d, %q", command, code, stderr)
		}
	}
}

// TestExtismManifest translates a manifest of Extism for a module, and serves it.
func TestExtismManifest(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	module := writeFile(t, "count.wasm", goGuest(t, "../../examples/extism-count"))
	manifest := writeFile(t, "manifest.json", []byte(`{"wasm": [{"url": "http://127.0.0.1:1/a.wasm"}], "memory": {"max_pages": 400}, "timeout_ms": 4000}`))
	packed := filepath.Join(t.TempDir(), "packed.wasm")
	s.mustCLI("", "pack", module, "--extism", manifest, "--name", "words", "-o", packed)
	s.mustCLI("", "deploy", packed)
	if a := s.do("POST", "/words/count_vowels", "banana"); a.status != 200 || !strings.Contains(a.body, `"count":3`) {
		t.Errorf("got %v", a)
	}
	two := writeFile(t, "two.json", []byte(`{"wasm": [{"path": "a.wasm"}, {"path": "b.wasm"}]}`))
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"pack", module, "--extism", two, "--name", "words", "-o", packed}, 1, "2 modules"},
		{[]string{"pack", module, "--extism", manifest, "-o", packed}, 2, "--name"},
	} {
		if _, stderr, code := s.cli(c.args...); code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit code %d, %q; want %d with %q", c.args, code, stderr, c.code, c.want)
		}
	}
}

// adding is a plugin whose exports each add 1 to the counter "n", answer with a
// text and return a code.
func adding(exports []effect) []byte {
	b := enginetest.NewBuilder(1)
	i64 := []abi.Type{abi.I64}
	alloc := b.Import("extism:host/env", "alloc", i64, i64)
	store := b.Import("extism:host/env", "store_u8", []abi.Type{abi.I64, abi.I32}, nil)
	output := b.Import("extism:host/env", "output_set", []abi.Type{abi.I64, abi.I64}, nil)
	add := b.Import("extism:host/user", "kv_add", []abi.Type{abi.I64, abi.I64}, i64)
	for _, e := range exports {
		code := new(enginetest.Code)
		put := func(local uint32, text string) {
			code.I64(uint64(len(text))).Call(alloc).Set(local)
			for i, c := range []byte(text) {
				code.Get(local).I64(uint64(i)).Op(0x7c).I32(uint32(c)).Call(store) // i64.add
			}
		}
		put(0, "n")
		code.Get(0).I64(1).Call(add).Drop()
		put(1, e.answer)
		code.Get(1).I64(uint64(len(e.answer))).Call(output)
		b.Func(e.name, nil, []abi.Type{abi.I32}, 2, code.I32(e.code))
	}
	return b.Bytes()
}

// effect is how an invocation ends, and whether what it wrote stays.
type effect struct {
	name, answer string
	code         uint32
	status       int
	commits      bool
}

// TestExtismEffects: the outcome of a plugin's transaction follows the rules of
// every plugin.
func TestExtismEffects(t *testing.T) {
	t.Parallel()
	exports := []effect{
		{"done", "fine", 0, 200, true},
		{"failed", "fine", 1, 502, false},
		{"handle_done", `{"status":201}`, 0, 201, true},
		{"handle_missing", `{"status":404}`, 0, 404, true},
		{"handle_error", `{"status":500}`, 0, 500, false},
		{"handle_kept", `{"status":500,"outcome":"commit"}`, 0, 500, true},
		{"handle_dropped", `{"status":200,"outcome":"abort"}`, 0, 200, false},
		{"handle_failed", `{"status":200}`, 7, 502, false},
		{"handle_wrong", `{"status":99}`, 0, 502, false},
		{"handle_odd", `no JSON`, 0, 502, false},
		{"handle_header", `{"headers":[["a\nb","c"]]}`, 0, 502, false},
	}
	lines := []string{`abi = "extism"`, "[kv]"}
	for _, e := range exports {
		kind := "export"
		if strings.HasPrefix(e.name, "handle") {
			kind = "handler"
		}
		lines = append(lines, "[[route]]", `pattern = "POST /`+e.name+`"`, kind+` = "`+e.name+`"`)
	}
	s := serve(t, t.TempDir())
	s.deploy("adding", pack(t, adding(exports), "adding", lines...))
	count := func() string {
		a, err := s.tryAdmin(t.Context(), "GET", "/v1/plugins/adding/kv/value?key=n", nil)
		if err != nil {
			t.Fatal(err)
		}
		if a.status == 404 {
			return "\x00\x00\x00\x00\x00\x00\x00\x00"
		}
		return a.body
	}
	for _, e := range exports {
		before := count()
		if a := s.do("POST", "/adding/"+e.name, ""); a.status != e.status {
			t.Errorf("%s: got %v, want %d", e.name, a, e.status)
		}
		if committed := count()[0] - before[0]; committed != 0 != e.commits {
			t.Errorf("%s: the counter went up by %d", e.name, committed)
		}
	}
}

// TestExtismSockets has a handler of Extism open a socket, answer its messages, publish,
// and learn of its end.
func TestExtismSockets(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	s.deploy("talk", pack(t, goGuest(t, "testdata/extismguest"), "talk", `abi = "extism"`, "[kv]",
		"[[route]]", `pattern = "GET /room/{id}"`, `handler = "talk"`,
		"[[route]]", `pattern = "POST /room/{id}/events"`, `handler = "talk"`,
		"[[socket]]", `pattern = "GET /room/{id}"`, `request = "POST /room/{id}/events"`))
	one, two, stream := s.ws("/talk/room/7"), s.ws("/talk/room/7"), s.sse("/talk/room/7", "")
	one.hear("welcome")
	two.hear("welcome")
	stream.hear(sseEvent{Data: "welcome"})
	one.ask("hello", "ann in 7: hello")
	two.say("say to all")
	for _, w := range []*ws{one, two} {
		w.hear("to all")
	}
	stream.hear(sseEvent{Data: "to all"})
	if err := one.conn.Close(4001, "done"); err != nil {
		t.Error(err)
	}
	if err := until(t.Context(), func() bool {
		a, err := s.tryAdmin(t.Context(), "GET", "/v1/plugins/talk/kv/value?key="+url.QueryEscape("ended close 4001"), nil)
		return err == nil && a.status == 200 && a.body[0] == 1
	}); err != nil {
		t.Errorf("the handler has not learned of the end: %v\n%s", err, s.log)
	}
}
