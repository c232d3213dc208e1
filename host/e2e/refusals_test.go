package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// logOf waits for the line that tells of a plugin's request, and returns what the
// plugin's log has of it.
func (s *server) logOf(plugin string, a answer) (log string) {
	s.t.Helper()
	id := a.header.Get("X-Request-Id")
	if id == "" {
		s.t.Fatalf("%v has no request id", a)
	}
	told := func() bool {
		log = s.mustCLI("", "logs", plugin, "--request", id)
		return strings.Contains(log, " in ") && strings.Contains(log, "outcome=") || a.status < http.StatusInternalServerError
	}
	if until(s.t.Context(), told) != nil {
		s.t.Fatalf("the log of %s does not tell of request %s: %s", plugin, id, log)
	}
	return log
}

// wantText reports what of a list is not in a text; what begins with "!" must not be.
func wantText(t *testing.T, text string, list []string) {
	t.Helper()
	for _, want := range list {
		if unwanted, not := strings.CutPrefix(want, "!"); not == strings.Contains(text, strings.TrimPrefix(want, "!")) {
			t.Errorf("%q: %v, in\n%s", unwanted, !not, text)
		}
	}
}

// endless returns a guest that never ends to initialise, as its functions starts and
// spins.
func endless(t *testing.T) []byte {
	b := enginetest.NewBuilder(1).Handle(new(enginetest.Code).I32(0))
	spins := b.Func("", nil, nil, 0, new(enginetest.Code).Loop(func(c *enginetest.Code) { c.Br(0) }))
	starts := b.Func(abi.ExportInitialize, nil, nil, 0, new(enginetest.Code).Call(spins))
	module, err := wasmbin.WithCustomSection(b.Bytes(), "name", enginetest.Names(map[uint32]string{spins: "spins", starts: "starts"}))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// TestRefusals has a guest in Go fail in every way, as it handles a request and as it
// initialises: its log, and whoever deploys it, are told what failed, where, and what to
// do; its client learns nothing.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	module := goGuest(t, "testdata/failguest")
	s.deploy("fails", pack(t, module, "fails"))
	s.deploy("late", pack(t, module, "late", "[limits]", `deadline = "1s"`))
	handling := []struct {
		path   string
		status int
		log    []string
	}{
		{"spin", 504, []string{"the guest ran out of time", `stack="main.spin\nmain.fail\n`}},
		{"sleep", 504, []string{"the guest ran out of time; it waited, as time.Sleep, timers and channels do", "!runtime.", "!poll_oneoff"}},
		{"recurse", 0, []string{"limits.memory is 64MiB", "main.recurse main.go:", "times)", "a recursion without an end?"}},
		{"mutual", 0, []string{"limits.memory is 64MiB", "main.ping main.go:", "main.pong main.go:", "a recursion without an end?"}},
		{"fill", 502, []string{"out of memory: the guest asked for ", " MiB in all, and limits.memory is 64MiB; use less, or raise memory under [limits] in wasmoor.toml", "main.fill main.go:", "!goroutine 2"}},
		{"huge", 502, []string{"out of memory: limits.memory is 64MiB", "4294967296-byte block", "main.fail main.go:"}},
		{"wild", 502, []string{"out of bounds memory access", `stack="main.fail\n`}},
		{"nilmap", 502, []string{"panic: assignment to entry in nil map", "main.fail main.go:"}},
		{"nilpointer", 502, []string{"nil pointer dereference", "main.fail main.go:"}},
		{"goroutine", 502, []string{"the guest gave up: panic: in a goroutine", "main.fail.func1 main.go:", "created by main.fail main.go:"}},
		{"deadlock", 502, []string{"all goroutines are asleep", "channel, lock or WaitGroup", "main.fail main.go:"}},
		{"fatal", 502, []string{"no key", "exited with code 1", "return an error instead", `os.Exit\nlog.Fatal\nmain.fail`}},
		{"exit", 502, []string{"exited with code 0", `os.Exit\nmain.fail`}},
		{"told", 200, []string{"panic: only told", "main.f f.go:1", "and on", "!ERROR"}},
		{"kv", 500, []string{"the manifest has no [kv]; add the line [kv] to wasmoor.toml"}},
		{"fetch", 500, []string{"no origin is granted; list it under [outbound] in wasmoor.toml"}},
		{"config", 500, []string{`the config "undeclared", which the manifest does not declare; add it under [config]`}},
		{"get", 500, []string{"a plugin has no sockets", "sdk/fetch", "sdk/nethttp"}},
		{"getaddress", 500, []string{"a plugin has no sockets", "sdk/fetch", "sdk/nethttp"}},
		{"dial", 500, []string{"a plugin has no sockets"}},
		{"lookup", 500, []string{"a plugin has no sockets"}},
		{"listen", 502, []string{"a plugin has no sockets: the host listens", "net/http.ListenAndServe", "main.system main.go:"}},
		{"open", 500, []string{`looks for the file "srv/data.json": a plugin has no files`, "//go:embed"}},
		{"read", 500, []string{`looks for the file "page.html": a plugin has no files`, "//go:embed"}},
		{"create", 500, []string{`writes the file "tmp/x": a plugin has no files`, "sdk/kv"}},
		{"exec", 500, []string{"a plugin cannot run other programs"}},
		{"zone", 500, []string{"time/tzdata"}},
		{"localtime", 200, []string{"!localtime", "!files"}},
	}
	for _, r := range handling {
		t.Run("handling/"+r.path, func(t *testing.T) {
			name := "fails"
			if r.status == http.StatusGatewayTimeout {
				name = "late"
			}
			a := s.get("/" + name + "/" + r.path)
			if a.status != r.status && r.status != 0 {
				t.Errorf("got %v, want %d", a, r.status)
			}
			if strings.Contains(a.body, "main.") || strings.Contains(a.body, "limits.") {
				t.Errorf("the client is told %s", a.body)
			}
			wantText(t, s.logOf(name, a), r.log)
		})
	}
	t.Run("initialising/endless", func(t *testing.T) {
		err := s.tryDeploy(t.Context(), "endless", pack(t, endless(t), "endless", "[limits]", `deadline = "1s"`))
		if err == nil {
			t.Fatal("it was deployed")
		}
		wantText(t, err.Error(), []string{"ran out of time while it initialised, in spins < starts", "limits.deadline"})
	})
	for name, want := range map[string][]string{
		"fill":      {"limits.memory is 64MiB", "main.fill main.go:"},
		"nilmap":    {"panic: assignment to entry in nil map, in main.fail main.go:", "< main.init.0 main.go:"},
		"goroutine": {"panic: in a goroutine", "main.fail.func1 main.go:"},
		"fatal":     {"exited with code 1", "log.Fatal < main.fail < main.init.0", "no key"},
		"kv":        {"unavailable: the store is there while a request is handled, not in init functions", "main.init.0 main.go:"},
		"config":    {"values are there while a request is handled, not in init functions", "main.init.0 main.go:"},
		"read":      {"page.html", "a plugin has no files", "//go:embed", "main.init.0 main.go:"},
	} {
		t.Run("initialising/"+name, func(t *testing.T) {
			err := s.tryDeploy(t.Context(), name, pack(t, module, name, "[limits]", `deadline = "2s"`))
			if err == nil {
				t.Fatal("it was deployed")
			}
			wantText(t, err.Error(), want)
		})
	}
}
