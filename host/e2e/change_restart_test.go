package e2e

import (
	le "encoding/binary"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// greeter answers the value of its var "greeting".
func greeter(t testing.TB, name string) []byte {
	b := enginetest.NewBuilder(1)
	config, write := b.Native(abi.FnConfigGet), b.Native(abi.FnResponseWrite)
	code := new(enginetest.Code).I32(4096)
	code.I32(1024).I32(8).I32(4096).I32(256).Call(config).Wrap()
	b.Data(1024, "greeting").Handle(code.Call(write).Drop().I32(0))
	return pack(t, b.Bytes(), name, "[config]", `greeting = { default = "hello" }`, "secret = { secret = true }")
}

// sinceStart is what a server counts from its start on.
var sinceStart = regexp.MustCompile(`(?m)^ *"(requests|failures|conflicts|wait_millis|run_millis)": [0-9.]+,?\n`)

// TestRestart checks that everything an operator and a client made is there
// after a restart, and that the operator sees the same of it.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir)
	s.deploy("count", pack(t, enginetest.Counter(), "count", "[kv]"))
	s.deploy("version", pack(t, enginetest.Version("one"), "version"))
	s.deploy("version", pack(t, enginetest.Version("two"), "version"))
	s.deploy("version", pack(t, enginetest.Version("three"), "version"))
	s.mustCLI("", "rollback", "version")
	s.deploy("greeter", greeter(t, "greeter"))
	s.mustCLI("Moin", "var", "set", "greeter", "greeting")
	s.mustCLI("s3cret", "var", "set", "greeter", "secret")
	s.deploy("gone", pack(t, enginetest.Counter(), "gone", "[kv]"))
	s.get("/gone/")
	s.mustCLI("", "delete", "gone")
	for _, want := range []string{"1", "2", "3"} {
		if a := s.get("/count/"); a.body != want {
			t.Errorf("the counter answers %v, want %s", a, want)
		}
	}
	s.mustCLI("kept", "kv", "put", "count", "note")
	for _, path := range []string{"/version/", "/greeter/"} {
		s.get(path) // so that all have as many instances as after their next request
	}

	commands := [][]string{
		{"list", "--json"},
		{"versions", "version", "--json"},
		{"deployments", "version", "--json"},
		{"var", "list", "greeter", "--json"},
		{"kv", "list", "count", "--json"},
		{"kv", "get", "count", "note"},
		{"list"},
		{"versions", "version"},
		{"deployments", "version"},
		{"var", "list", "greeter"},
	}
	var before []string
	for _, c := range commands {
		before = append(before, s.mustCLI("", c...))
	}
	token := s.token
	s.stop()
	s = serve(t, dir)
	if s.token != token {
		t.Error("the token changed")
	}
	if p, _ := s.status("version"); p.State != "asleep" {
		t.Errorf("after the restart and before a request it is %q, want asleep", p.State)
	}
	for path, want := range map[string]answer{
		"/count/": {status: 200, body: "4"}, "/version/": {status: 200, body: "two"}, "/greeter/": {status: 200, body: "Moin"},
	} {
		if a := s.get(path); a.status != want.status || a.body != want.body {
			t.Errorf("%s after the restart: got %v, want %v", path, a, want)
		}
	}
	for i, c := range commands {
		if after := sinceStart.ReplaceAllString(s.mustCLI("", c...), ""); after != sinceStart.ReplaceAllString(before[i], "") {
			t.Errorf("`wasmoor %s` after the restart (-before +after):\n%s", strings.Join(c, " "), cmp.Diff(before[i], after))
		}
	}
	s.deploy("gone", pack(t, enginetest.Counter(), "gone", "[kv]"))
	if a := s.get("/gone/"); a.body != "2" {
		t.Errorf("a deleted plugin that came back counts on at %v, want 2", a)
	}
}

// TestOneDigestTwoNames installs the same module twice: the installations share
// nothing, whichever way one looks at them.
func TestOneDigestTwoNames(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	file := writeFile(t, "count.wasm", pack(t, enginetest.Counter(), "count", "[kv]", "[config]", "colour = {}"))
	s.mustCLI("", "deploy", file, "--name", "left")
	s.mustCLI("", "deploy", file, "--name", "right", "--mount", "/other/right")
	s.mustCLI("blue", "var", "set", "left", "colour")
	s.mustCLI("kept", "kv", "put", "left", "note")
	wantGets := func(path string, want ...string) {
		t.Helper()
		for _, body := range want {
			if a := s.get(path); a.status != 200 || a.body != body {
				t.Errorf("%s: got %v, want %q", path, a, body)
			}
		}
	}
	wantGets("/left/", "1", "2", "3")
	wantGets("/other/right/", "1")
	wantGets("/left/", "4")

	left, _ := s.status("left")
	right, _ := s.status("right")
	if left.Digest != right.Digest || left.Digest == "" {
		t.Errorf("the digests differ: %q and %q", left.Digest, right.Digest)
	}
	for _, c := range []struct{ want, forbidden, args string }{
		{"note", "", "kv list left"},
		{"", "note", "kv list right"},
		{"blue", "", "var list left"},
		{"", "blue", "var list right"},
	} {
		got := s.mustCLI("", strings.Fields(c.args)...)
		if !strings.Contains(got, c.want) || c.forbidden != "" && strings.Contains(got, c.forbidden) {
			t.Errorf("wasmoor %s: got\n%s", c.args, got)
		}
	}
	if _, _, code := s.cli("kv", "get", "right", "note"); code != 3 {
		t.Errorf("the note of left, asked of right: exit code %d, want 3", code)
	}

	// A new version, a deletion and a purge of one leave the other alone.
	s.deploy("left", pack(t, enginetest.Version("left only"), "count", "[kv]"))
	wantGets("/other/right/", "2")
	s.mustCLI("", "delete", "left", "--purge", "--yes")
	wantGets("/other/right/", "3")
	s.deploy("left", pack(t, enginetest.Counter(), "count", "[kv]"))
	wantGets("/left/", "1")
	wantGets("/other/right/", "4")
	var versions []struct{ Number int }
	if err := json.Unmarshal([]byte(s.mustCLI("", "versions", "right", "--json")), &versions); err != nil || len(versions) != 1 {
		t.Errorf("the versions of right: %v, %v", versions, err)
	}
}

// TestMonotonicClock: what a guest's monotonic clock showed while it initialised
// is before what it shows in any process that serves it, also one that has just
// started.
func TestMonotonicClock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir)
	s.deploy("uptime", pack(t, enginetest.Uptime(2), "uptime", `frozen = ["clock"]`))
	check := func(when string) {
		t.Helper()
		a := s.get("/uptime/")
		if a.status != 200 || len(a.body) != 16 {
			t.Fatalf("%s: %v", when, a)
		}
		initial, now := le.LittleEndian.Uint64([]byte(a.body)), le.LittleEndian.Uint64([]byte(a.body[8:]))
		if now <= initial {
			t.Errorf("%s the clock shows %s, and when it initialised %s", when, time.Duration(now), time.Duration(initial))
		}
	}
	check("after the deploy")
	s.stop()
	s = serve(t, dir)
	check("after a restart")
}
