package extism_test

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	sdk "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/extism"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// sdkDir is where the module cache has the SDK, with plugins built by others.
var sdkDir = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/extism/go-sdk").Output()
	return strings.TrimSpace(string(out)), err
})

func plugin(tb testing.TB, name string) []byte {
	tb.Helper()
	dir, err := sdkDir()
	if err != nil {
		tb.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join(dir, "wasm", name+".wasm"))
	if err != nil {
		tb.Fatal(err)
	}
	return module
}

const memoryLimit = 64 << 20

// prepare prepares a module with one route, "/", that calls an export.
func prepare(tb testing.TB, module []byte, export string) engine.Program {
	tb.Helper()
	return prepareRoute(tb, module, manifest.Route{Pattern: "/", Export: export})
}

func prepareRoute(tb testing.TB, module []byte, routes ...manifest.Route) engine.Program {
	tb.Helper()
	p, err := enginetest.InProcess(extism.New(capabilities.All(capabilities.Config{}).Extism(), linear.NewBudget(0))).Prepare(context.Background(), module, engine.Options{Memory: memoryLimit, Routes: routes})
	if err != nil {
		tb.Fatalf("Prepare: %v", err)
	}
	tb.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return p
}

func invocation(body string, log *slog.Logger) *invoke.Invocation {
	inv := enginetest.Invocation(body, nil, log)
	inv.Request.Head.Pattern = "/"
	return inv
}

// theirs calls an export of a plugin with the SDK alone.
func theirs(t *testing.T, module []byte, export, input string, config map[string]string) (code uint32, output string, err error) {
	t.Helper()
	ctx := context.Background()
	compiled, err := sdk.NewCompiledPlugin(ctx,
		sdk.Manifest{Wasm: []sdk.Wasm{sdk.WasmData{Data: module}}, Config: config},
		sdk.PluginConfig{EnableWasi: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = compiled.Close(ctx) }()
	instance, err := compiled.Instance(ctx, sdk.PluginInstanceConfig{ModuleConfig: wazero.NewModuleConfig().WithSysWalltime()})
	if err != nil {
		t.Fatal(err)
	}
	code, out, err := instance.Call(export, []byte(input))
	return code, string(out), err
}

// TestAnswersAsTheSDK runs plugins built by others here and with the SDK alone,
// here as often in one instance as it takes to see what a request leaves.
func TestAnswersAsTheSDK(t *testing.T) {
	long := strings.Repeat("the quick brown fox jumps over a test ", 200)
	for _, c := range []struct{ plugin, export, input string }{
		{"alloc", "run_test", ""},
		{"config", "run_test", ""},
		{"count_vowels", "count_vowels", "hello world"},
		{"count_vowels", "count_vowels", ""},
		{"count_vowels", "count_vowels", long},
		{"count_vowels_std", "_start", "hello world"},
		{"exit", "_start", ""},
		{"fail", "run_test", ""},
		{"fs", "run_test", ""},
		{"fs_std", "run_test", ""},
		{"hello", "run_test", ""},
		{"hello_haskell", "testing", "John"},
		{"http", "run_test", ""},
		{"http_headers", "http_get", `{"url":"https://extism.org"}`},
		{"input_offset", "input_offset_length", "hello world"},
		{"lib", "_start", ""},
		{"log", "run_test", ""},
		{"noop", "run_test", ""},
		{"println", "run_test", "a line"},
		{"read_write", "try_read", "a"},
		{"read_write", "try_write", "a"},
		{"replace", "run_test", long},
		{"sleep", "run_test", ""},
		{"std_command", "_start", "ben"},
		{"var", "run_test", ""},
	} {
		t.Run(c.plugin+"/"+c.export, func(t *testing.T) {
			t.Parallel()
			module := plugin(t, c.plugin)
			config := map[string]string{"thing": "hello", "greeting": "Howdy", "code": "7", "duration": "0", "path": "/mnt/test.txt"}
			code, want, wantErr := theirs(t, module, c.export, c.input, config)
			p := prepare(t, module, c.export)
			in, err := p.Instance(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = in.Close(context.Background()) }()
			t.Logf("theirs: %d %.100q %.300v; ours fresh: %q", code, want, wantErr, p.Fresh())
			for range 5 {
				inv := invocation(c.input, nil)
				inv.Env.Config = config
				err := in.Handle(context.Background(), inv)
				got := string(inv.Reply.Body)
				if failed := code != 0 || wantErr != nil; failed != (err != nil) {
					t.Fatalf("got %v; the SDK: %d, %v", err, code, wantErr)
				}
				if err == nil && got != want {
					t.Fatalf("got %.200q, want %.200q", got, want)
				}
				if !in.Reset() {
					_ = in.Close(context.Background())
					if in, err = p.Instance(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}
