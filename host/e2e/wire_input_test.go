package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestBadInput feeds a server what is wrong, a row each. Every answer must say
// what is wrong and nothing of the host's inside; afterwards what was there is
// there and the neighbours answer. Beside it, a panic in a host function is
// TestHostFunctionFails of engine/native, for no function of the product
// panics, and pointers go through every function in the suite of enginetest.
func TestBadInput(t *testing.T) {
	v := &victim{serve(t, t.TempDir())}
	v.deploy("neighbour", pack(t, enginetest.Version("unharmed"), "neighbour"))
	v.deploy("kv", pack(t, goGuest(t, "testdata/kvguest"), "kv", "[kv]"))
	v.deploy("small", pack(t, goGuest(t, "testdata/kvguest"), "small", "[kv]", "keys = 3", `bytes = "1KiB"`))
	v.deploy("narrow", pack(t, enginetest.Echo(), "narrow", "[limits]", `request_body = "1KiB"`))
	v.deploy("shared", pack(t, enginetest.Tiny(), "shared", "[[route]]", `pattern = "GET /{x}/b"`))
	if a := v.do("POST", "/kv", "set kept treasure"); a.body != "ok\n" {
		t.Fatal(a)
	}
	for _, group := range []struct {
		name string
		run  func(*testing.T, *victim)
	}{
		{"upload", testBadUploads},
		{"guest", testBadGuests},
		{"guests that loop", testLoopsBeside},
		{"pointers", testBadPointers},
		{"key space", testKeySpaceLimits},
		{"token", testBadTokens},
		{"request", testBadRequests},
		{"body over the limit", testBodyOverLimit},
	} {
		t.Run(group.name, func(t *testing.T) { group.run(t, v) })
	}
}

// victim is a server that must not suffer.
type victim struct{ *server }

// row runs a row of a table and looks after the neighbours.
func (v *victim) row(t *testing.T, name string, run func(*testing.T)) {
	t.Run(name, func(t *testing.T) {
		defer v.during(t)()
		run(t)
		if a := v.get("/neighbour"); a.status != 200 || a.body != "unharmed" {
			t.Errorf("the neighbour: got %v", a)
		}
		if a := v.do("POST", "/kv", "get kept"); a.body != "\"treasure\"\n" {
			t.Errorf("what was stored: got %v", a)
		}
	})
}

// during makes t the test that failures are of, until the function it returns is
// called.
func (s *server) during(t testing.TB) (end func()) {
	outer := s.t
	s.t = t
	return func() { s.t = outer }
}

// inside finds what an answer must not hold: stack traces, names of libraries,
// addresses.
var inside = regexp.MustCompile(`goroutine|\.go:\d|wazero|badger|fasthttp|fiber|panic:|runtime error|\b0xc0[0-9a-f]{6,}`)

// wantProblem checks an answer of the host's own.
func (v *victim) wantProblem(a answer, status int, code string, says ...string) {
	v.t.Helper()
	p := problemOf(a)
	if a.status != status || p.Code != code || a.header.Get("Content-Type") != "application/problem+json" {
		v.t.Errorf("got %v, want status %d, a problem with the code %s", a, status, code)
	}
	for _, word := range says {
		if !strings.Contains(p.Detail, word) {
			v.t.Errorf("%q does not say %q", p.Detail, word)
		}
	}
	if id := a.header.Get("X-Request-Id"); id == "" || id != p.RequestID {
		v.t.Errorf("request id: got %q in the header, %q in the problem", id, p.RequestID)
	}
	v.wantNothingInside(a.body)
}

func (v *victim) wantNothingInside(text string) {
	v.t.Helper()
	if leak := inside.FindString(text); leak != "" || strings.Contains(text, v.dir) {
		v.t.Errorf("the inside shows (%q): %s", leak, text)
	}
}

// wantAborted is wantProblem for a plugin's client, who learns that nothing was
// changed.
func (v *victim) wantAborted(a answer, status int, code string) {
	v.t.Helper()
	v.wantProblem(a, status, code, "nothing was changed")
	if p := problemOf(a); p.Effects != "none" {
		v.t.Errorf("effects: got %q, want none", p.Effects)
	}
}

func testBadUploads(t *testing.T, v *victim) {
	importing := func(module, name string) []byte {
		return enginetest.CallerOf(module, name, nil, nil)
	}
	trapping := enginetest.NewBuilder(1)
	trapping.Func(abi.ExportInitialize, nil, nil, 0, new(enginetest.Code).Unreachable())
	trapping.Handle(new(enginetest.Code).I32(0))
	tiny := enginetest.Tiny()
	badAnswer := enginetest.NewBuilder(1)
	badHead := badAnswer.Native(abi.FnResponseHead)
	badAnswer.Handle(new(enginetest.Code).I32(0).I32(0).Call(badHead).Drop().I32(0))

	for _, test := range []struct {
		name   string
		module []byte
		mount  string
		status int
		code   string
		says   []string
		exit   int
	}{
		{"nothing", nil, "", 422, "invalid", []string{"empty"}, 1},
		{"not wasm", []byte("#!/bin/sh\nexit 0\n"), "", 422, "invalid", []string{"not a WebAssembly module"}, 1},
		{"truncated", tiny[:30], "", 422, "invalid", []string{"bytes"}, 1},
		{"truncated in its code", goGuest(t, "testdata/kvguest")[:1<<20], "", 422, "invalid", []string{"bytes"}, 1},
		{"wrong ABI version", importing("wasmoor_v2", "request_head"), "", 422, "invalid", []string{"prepare", "wrong ABI version", "wasmoor_v2"}, 1},
		{"missing export", enginetest.NewBuilder(1).Bytes(), "", 422, "invalid", []string{"wasmoor_handle"}, 1},
		{"import nobody gives", importing("env", "abort"), "", 422, "invalid", []string{`"env"."abort"`}, 1},
		{"function the ABI lacks", importing(abi.Module, "kv_frobnicate"), "", 422, "invalid", []string{"kv_frobnicate"}, 1},
		{"unknown manifest key", pack(t, tiny, "bad", "[kv]", "quota = 3"), "", 422, "invalid", []string{":4:1: kv.quota: unknown key"}, 1},
		{"unknown manifest table", pack(t, tiny, "bad", "[limit]", "memory = 3"), "", 422, "invalid", []string{":3:2: limit: unknown key"}, 1},
		{"manifest that is no TOML", pack(t, tiny, "bad", "[[["), "", 422, "invalid", []string{":3:3: "}, 1},
		{"the mount of another", pack(t, tiny, "bad"), "/neighbour", 409, "conflict", []string{`"bad"`, `"neighbour"`}, 5},
		{"routes that overlap", pack(t, tiny, "bad", "[[route]]", `pattern = "GET /a/{y}"`), "/shared", 409, "conflict", []string{`"bad"`, `"shared"`, "GET /a/{y}", "GET /{x}/b"}, 5},
		{"too much memory", enginetest.NewBuilder(2000).Handle(new(enginetest.Code).I32(0)).Bytes(), "", 413, "too_large", []string{"limits.memory"}, 1},
		{"command", enginetest.Command(), "", 422, "invalid", []string{"prepare", "c-shared"}, 1},
		{"trap in every request", enginetest.Deaf(), "", 422, "trap", []string{"probe", "every request would fail"}, 1},
		{"bad answer to every request", badAnswer.Bytes(), "", 422, "bad_reply", []string{"probe", "every request would fail"}, 1},
		{"trap at initialisation", trapping.Bytes(), "", 422, "trap", []string{"prepare", "unreachable"}, 1},
	} {
		v.row(t, test.name, func(t *testing.T) {
			plugins := v.plugins()
			path := "/v1/plugins/bad/versions?grant=true"
			if test.mount != "" {
				path += "&mount=" + test.mount
			}
			a, err := v.tryAdmin(context.Background(), "POST", path, test.module)
			if err != nil {
				t.Fatal(err)
			}
			v.wantProblem(a, test.status, test.code, test.says...)

			file := filepath.Join(t.TempDir(), "bad.wasm")
			if err := os.WriteFile(file, test.module, 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"deploy", file, "--name", "bad"}
			if test.mount != "" {
				args = append(args, "--mount", test.mount)
			}
			stdout, stderr, exit := v.cli(args...)
			if exit != test.exit || stdout != "" {
				t.Errorf("wasmoor deploy: exit code %d, want %d; stdout %q, stderr %q", exit, test.exit, stdout, stderr)
			}
			for _, word := range test.says {
				if !strings.Contains(stderr, word) {
					t.Errorf("wasmoor deploy: %q does not say %q", stderr, word)
				}
			}
			v.wantNothingInside(stderr)
			if after := v.plugins(); after != plugins {
				t.Errorf("the plugins are now %s, and were %s", after, plugins)
			}
		})
	}
}

// plugins returns what is deployed.
func (v *victim) plugins() string {
	v.t.Helper()
	a, err := v.tryAdmin(context.Background(), "GET", "/v1/plugins", nil)
	var list []struct {
		Name, State, Digest           string
		Mount                         []string
		Version, Versions, Deployment int
	}
	if err == nil {
		err = json.Unmarshal([]byte(a.body), &list)
	}
	if err != nil || a.status != 200 || len(list) == 0 {
		v.t.Fatalf("list the plugins: %v (%v)", a, err)
	}
	return fmt.Sprintf("%+v", list)
}

func testBadGuests(t *testing.T, v *victim) {
	head := func(status uint32, headers ...abi.Pair) []byte {
		return enginetest.Head(abi.AppendResponseHead(nil, &abi.ResponseHead{Status: status, Headers: headers}))
	}
	field := func(name, value string) []byte { return head(200, abi.Pair{Name: name, Value: value}) }
	whole := abi.AppendResponseHead(nil, &abi.ResponseHead{Status: 200, Headers: []abi.Pair{{Name: "x", Value: "y"}}})

	for _, test := range []struct {
		name   string
		module []byte
		status int
		code   string
	}{
		{"traps", enginetest.Trap(), 502, "trap"},
		{"fails", enginetest.Fail(), 502, "trap"},
		{"exits", enginetest.Exit(0), 502, "trap"},
		{"recurses", enginetest.Recurse(), 502, "trap"},
		{"loops", enginetest.Loop(), 504, "deadline"},
		{"loops through the host", enginetest.Spin(""), 504, "deadline"},
		{"sleeps", enginetest.Sleep(""), 504, "deadline"},
		{"status 0", head(0), 502, "bad_reply"},
		{"status 100", head(100), 502, "bad_reply"},
		{"status 999", head(999), 502, "bad_reply"},
		{"CR LF in a header name", field("x\r\nset-cookie", "a=b"), 502, "bad_reply"},
		{"CR LF in a header value", field("x", "y\r\nset-cookie: a=b"), 502, "bad_reply"},
		{"empty header name", field("", "y"), 502, "bad_reply"},
		{"another Transfer-Encoding", field("transfer-encoding", "gzip"), 502, "bad_reply"},
		{"Content-Length that is not the body's", field("Content-Length", "1000"), 502, "bad_reply"},
		{"101 header fields", head(200, slices.Repeat([]abi.Pair{{Name: "x", Value: "y"}}, 101)...), 502, "bad_reply"},
		{"header over 64 KiB", field("x", strings.Repeat("y", 64<<10)), 502, "bad_reply"},
		{"head cut short", enginetest.Head(whole[:len(whole)-1]), 502, "bad_reply"},
		{"body from outside its memory", enginetest.Caller(abi.FnResponseWrite, 1<<31, 1), 502, "bad_reply"},
		{"body over its limit", enginetest.Large(2), 502, "bad_reply"},
	} {
		v.row(t, test.name, func(t *testing.T) {
			deadline := "20s" // enough for whoever ends by itself, on a busy machine too
			if test.code == "deadline" {
				deadline = "500ms"
			}
			v.deploy("guest", pack(t, test.module, "guest", "[limits]", `deadline = "`+deadline+`"`, `response_body = "1KiB"`))
			for range 2 { // the failure of one request is none of the next
				a := v.do("POST", "/guest", "60000")
				v.wantAborted(a, test.status, test.code)
				if a.header.Get("Set-Cookie") != "" || a.header.Get("X") != "" {
					t.Errorf("header of the guest: got %v", a.header)
				}
			}
		})
	}
}

// testLoopsBeside: guests that loop on every processor keep nobody from being
// answered.
func testLoopsBeside(t *testing.T, v *victim) {
	const loops = 4
	v.deploy("loop", pack(t, enginetest.Loop(), "loop", "[limits]", `deadline = "2s"`))
	v.row(t, "neighbours", func(t *testing.T) {
		ended := make(chan answer, loops)
		for range loops {
			go func() {
				a, err := v.try(context.Background(), "GET", "/loop", "")
				if err != nil {
					t.Error(err)
				}
				ended <- a
			}()
		}
		running := func() bool { s, _ := v.status("loop"); return s.InFlight == loops }
		for !running() && len(ended) == 0 {
			time.Sleep(time.Millisecond)
		}
		if a := v.get("/neighbour"); a.body != "unharmed" || len(ended) > 0 {
			t.Errorf("while guests loop a neighbour answers %v, %d loops were over", a, len(ended))
		}
		for range loops {
			a := <-ended
			if a.status == http.StatusServiceUnavailable { // it had no turn before its deadline
				v.wantAborted(a, http.StatusServiceUnavailable, "unavailable")
				continue
			}
			v.wantAborted(a, http.StatusGatewayTimeout, "deadline")
		}
	})
}

// testBadPointers has guests call the host with ranges outside their 64 KiB, and
// during initialisation.
func testBadPointers(t *testing.T, v *victim) {
	const at, end, half, last = 8, 65536, 1 << 31, 1<<32 - 1
	for _, test := range []struct {
		name string
		fn   string
		args []uint64
		want abi.Status
	}{
		{"key at 2^31", abi.FnKVGet, []uint64{half, 1, at, 8}, abi.BadPointer},
		{"key at the last byte there can be", abi.FnKVGet, []uint64{last, last, at, 8}, abi.BadPointer},
		{"buffer beyond the end", abi.FnKVGet, []uint64{at, 1, end - 7, 8}, abi.BadPointer},
		{"value longer than memory", abi.FnKVSet, []uint64{at, 1, at, last, 0}, abi.BadPointer},
		{"empty range outside", abi.FnRequestHead, []uint64{end + 1, 0}, abi.BadPointer},
		{"head to 2^31", abi.FnRequestHead, []uint64{half, half}, abi.BadPointer},
		{"random to everywhere", abi.FnRandomFill, []uint64{0, last}, abi.BadPointer},
		{"key and value overlap", abi.FnKVSet, []uint64{at, 16, at + 8, 16, 0}, abi.OK},
		{"cursor and page overlap", abi.FnKVList, []uint64{0, 0, at, 8, 0, 0, at, 4096}, 5},
		{"a key over its limit", abi.FnKVSet, []uint64{at, 1025, at, 1, 0}, abi.Limit},
		{"a time to live below zero", abi.FnKVSet, []uint64{at, 1, at, 1, 1<<64 - 1}, abi.Invalid},
		{"an unknown flag", abi.FnKVList, []uint64{0, 0, 0, 0, 0, 8, at, 64}, abi.Invalid},
	} {
		v.row(t, test.name, func(t *testing.T) {
			v.deploy("guest", pack(t, enginetest.Caller(test.fn, test.args...), "guest", "[kv]"))
			if a := v.get("/guest"); a.status != 200 || a.body != resultOf(test.want) {
				t.Errorf("%s(%d): got %v, want %d", test.fn, test.args, a, test.want)
			}
			v.purge("guest")
		})
	}
	v.row(t, "without a grant", func(t *testing.T) {
		v.deploy("guest", pack(t, enginetest.Caller(abi.FnKVGet, at, 1, at, 8), "guest"))
		if a := v.get("/guest"); a.body != resultOf(abi.Denied) {
			t.Errorf("got %v, want %d", a, abi.Denied)
		}
	})
	v.row(t, "during initialisation", func(t *testing.T) {
		v.deploy("guest", pack(t, enginetest.InitCallsHost(), "guest", "[kv]"))
		if a := v.get("/guest"); a.body != strings.Repeat(resultOf(abi.Unavailable), len(abi.Functions())) {
			t.Errorf("got %v, want %d from every function", a, abi.Unavailable)
		}
	})
}

// resultOf is a host function's result as the guests of enginetest answer it.
func resultOf(s abi.Status) string {
	return string(abi.AppendUint64(nil, uint64(s)))
}

func (v *victim) purge(name string) {
	v.t.Helper()
	if a, err := v.tryAdmin(context.Background(), "DELETE", "/v1/plugins/"+name+"?purge=true", nil); err != nil || a.status >= 300 {
		v.t.Errorf("purge %s: %v (%v)", name, a, err)
	}
}

// testKeySpaceLimits: a limit the guest can see is its to answer for, and what
// it wrote besides stays as it says. A quota shows at the commit, where all is
// dropped.
func testKeySpaceLimits(t *testing.T, v *victim) {
	for _, test := range []struct {
		name, script string
		want         string
	}{
		{"key", "fillkey 1024\nfillkey 1025\nabort", "ok\nlimit\nok\n"},
		{"empty key", "get \nset  x\nabort", "invalid\ninvalid\nok\n"},
		{"value", "fill v 1048576\nfill v 1048577\nabort", "ok\nlimit\nok\n"},
		{"writes of an invocation", "many m/ 10001\nabort", "10000 limit\nok\n"},
		{"bytes of an invocation", "fill a 1048000\nfill b 1048000\nfill c 1048000\nfill d 1048000\nfill e 1048000\nabort", "ok\nok\nok\nok\nlimit\nok\n"},
		{"refused and the rest kept", "set rest/a x\nfill rest/b 1048577\nstatus 200", "ok\nlimit\nok\n"},
		{"the rest", "list rest/", "\"rest/a\"=\"x\"\n"},
	} {
		v.row(t, test.name, func(t *testing.T) {
			if a := v.do("POST", "/kv", test.script); a.status != 200 || a.body != test.want {
				t.Errorf("got %v, want %q", a, test.want)
			}
		})
	}
	for _, test := range []struct{ name, script string }{
		{"keys of the plugin", "many k/ 4"},
		{"bytes of the plugin", "set k/0 x\nfill k/1 2000"},
	} {
		v.row(t, test.name, func(t *testing.T) {
			a := v.do("POST", "/small", test.script)
			v.wantAborted(a, http.StatusInsufficientStorage, "exhausted")
			if a := v.do("POST", "/small", "list k/"); a.body != "\n" {
				t.Errorf("behind the refusal the key space holds %v", a)
			}
		})
	}
}

func testBadTokens(t *testing.T, v *victim) {
	module := pack(t, enginetest.Version("intruder"), "neighbour")
	for _, test := range []struct{ name, authorization string }{
		{"none", ""},
		{"empty", "Bearer "},
		{"wrong", "Bearer wasmoor_" + strings.Repeat("A", 43)},
		{"one byte more", "Bearer " + v.token + "A"},
		{"one byte less", "Bearer " + v.token[:len(v.token)-1]},
		{"without its scheme", v.token},
		{"other scheme", "Basic " + v.token},
	} {
		v.row(t, test.name, func(t *testing.T) {
			plugins := v.plugins()
			for _, request := range []struct{ method, path string }{
				{"GET", "/v1/plugins"}, {"POST", "/v1/plugins/neighbour/versions"}, {"DELETE", "/v1/plugins/neighbour?purge=true"}, {"GET", "/v1/nothing"},
			} {
				a := v.authorized(test.authorization, request.method, request.path, module)
				v.wantProblem(a, http.StatusUnauthorized, "unauthenticated", "token")
				if a.header.Get("WWW-Authenticate") != "Bearer" || strings.Contains(a.body, v.token) {
					t.Errorf("got %v, %v", a.header, a)
				}
			}
			if after := v.plugins(); after != plugins {
				t.Errorf("the plugins are now %s, and were %s", after, plugins)
			}
		})
	}
	v.row(t, "wrong, on the command line", func(t *testing.T) {
		cmd := exec.Command(binary, "list")
		cmd.Env = append(os.Environ(), "WASMOOR_SERVER="+v.admin, "WASMOOR_TOKEN=wasmoor_"+strings.Repeat("A", 43))
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 4 || !bytes.Contains(out, []byte("WASMOOR_TOKEN")) {
			t.Errorf("wasmoor list: got exit code %d (%v), want 4: %s", code, err, out)
		}
	})
}

func (v *victim) authorized(authorization, method, path string, body []byte) answer {
	v.t.Helper()
	req, err := http.NewRequest(method, v.admin+path, bytes.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}
