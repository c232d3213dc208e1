package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/goproxytest"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"wasmoor": wasmoor})
}

// TestScripts runs the command line as its users do: each script of
// testdata/script has a folder of its own, and a server of its own when it
// starts one.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	goEnv := map[string]string{"REPOSITORY": root, "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		goEnv[name] = strings.TrimSpace(string(value))
	}
	goEnv["XDG_CACHE_HOME"] = t.TempDir() // what one script has built serves the others
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			for name, value := range goEnv {
				e.Setenv(name, value)
			}
			e.Values[processesKey{}] = map[string]*process{}
			e.Values[issuerKey{}] = &fakeIssuer{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"background": background,
			"browse":     browse,
			"eventually": eventually,
			"exits":      exits,
			"first":      first,
			"guest":      guest,
			"http":       httpRequest,
			"identity":   identity,
			"listen":     listen,
			"stream":     stream,
			"issuer":     issuer,
			"proxy":      proxy,
			"load":       load,
			"rewrite":    rewrite,
		},
	})
}

// guest writes a small module: guest FILE KIND [TEXT]. Those of kind extism are
// in Extism's SDK, which others built.
func guest(ts *testscript.TestScript, _ bool, args []string) {
	var module []byte
	switch args[1] {
	case "answer":
		module = enginetest.Version(args[2])
	case "counter":
		module = enginetest.Counter()
	case "echo":
		module = enginetest.Echo()
	case "command":
		module = enginetest.Command()
	case "deaf":
		module = enginetest.Deaf()
	case "frozen":
		module = enginetest.Frozen(args[2], false)
	case "clock":
		module = enginetest.Frozen(args[2], true)
	case "trap":
		module = enginetest.Trap()
	case "foreign":
		module = enginetest.CallerOf("env", "missing", nil, []abi.Type{abi.I64})
	case "extism":
		dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/extism/go-sdk").Output()
		ts.Check(err)
		module, err = os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "wasm", args[2]+".wasm"))
		ts.Check(err)
	default:
		ts.Fatalf("no guest %q", args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), module, 0o600))
}

// identity writes the file of an identity of age, and sets RECIPIENT: identity FILE.
func identity(ts *testscript.TestScript, _ bool, args []string) {
	id, err := age.GenerateX25519Identity()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(id.String()+"\n"), 0o600))
	ts.Setenv("RECIPIENT", id.Recipient().String())
}

// proxy serves the modules of a folder to the go command, which has a cache of its
// own then: proxy DIR.
func proxy(ts *testscript.TestScript, _ bool, args []string) {
	server, err := goproxytest.NewServer(ts.MkAbs(args[0]), "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(server.Close)
	ts.Setenv("GOPROXY", server.URL)
	ts.Setenv("GOSUMDB", "off")
	ts.Setenv("GOMODCACHE", ts.MkAbs("modules"))
	ts.Setenv("GOFLAGS", "-modcacherw")
}

// exits runs a command that must end with a certain code: exits CODE COMMAND...
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if want := args[0]; strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}

// rewrite replaces a text in a file, as an editor would: rewrite FILE OLD NEW.
func rewrite(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	text = strings.ReplaceAll(text, args[1], args[2])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
