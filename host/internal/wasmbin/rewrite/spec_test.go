package rewrite

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/lower"
)

// sameLimits has modules checked often, and grow as far as they say.
var sameLimits = rules{fuel: 100, keepLimits: true, arch: lower.AMD64}

// features are those of engine/machine.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

// TestSpecification runs the WebAssembly specification's own tests, which
// wazero's module holds, three times side by side: as they are, instrumented,
// and put back from a snapshot of each module that was just instantiated. Every
// command has to have the same outcome.
func TestSpecification(t *testing.T) {
	for _, version := range []struct {
		name     string
		features api.CoreFeatures
		commands int // at least
	}{
		{"v1", api.CoreFeaturesV1, 18_000},
		{"v2", api.CoreFeaturesV2, 50_000},
		{"tail-call", features, 50},
		{"extended-const", features, 100},
	} {
		dir := filepath.Join(wazeroDir(t), "internal/integration_test/spectest", version.name, "testdata")
		files, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(version.name, func(t *testing.T) {
			var sum tally
			for _, file := range files {
				s := &script{dir: dir, features: version.features}
				t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) { s.run(t, file) })
				sum.add(s.tally)
			}
			t.Logf("%+v", sum)
			if sum.commands < version.commands {
				t.Errorf("only %d commands were run", sum.commands)
			}
			if sum.snapshots < sum.modules/2 || sum.refused > 0 {
				t.Errorf("of %d modules %d were put back, and %d refused", sum.modules, sum.snapshots, sum.refused)
			}
		})
	}
}

// wazeroDir returns where the module cache has wazero.
func wazeroDir(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

type tally struct{ commands, modules, snapshots, refused int }

func (t *tally) add(o tally) {
	t.commands += o.commands
	t.modules += o.modules
	t.snapshots += o.snapshots
	t.refused += o.refused
}

// script is one file of commands, made by wast2json.
type script struct {
	dir      string
	features api.CoreFeatures
	tally
}

type command struct {
	Type       string `json:"type"`
	Line       int    `json:"line"`
	Name       string `json:"name"`
	As         string `json:"as"`
	Filename   string `json:"filename"`
	ModuleType string `json:"module_type"`
	Action     struct {
		Type   string  `json:"type"`
		Module string  `json:"module"`
		Field  string  `json:"field"`
		Args   []value `json:"args"`
	} `json:"action"`
}

type value struct {
	Type  string `json:"type"`
	Lane  string `json:"lane_type"`
	Value any    `json:"value"`
}

func (s *script) run(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Commands []command }
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	plain, checked, restored := s.world(t, (*world).plain), s.world(t, (*world).checked), s.world(t, (*world).restored)
	for i, c := range list.Commands {
		if c.ModuleType == "text" {
			continue
		}
		var as string
		if next := i + 1; c.Type == "module" && next < len(list.Commands) && list.Commands[next].Type == "register" {
			as = list.Commands[next].As
		}
		s.commands++
		want := plain.do(t, c, as)
		for what, w := range map[string]*world{"instrumented": checked, "restored": restored} {
			if got := w.do(t, c, as); got != want {
				t.Errorf("line %d: %s %s %s: %s module: %s, want %s", c.Line, c.Type, c.Action.Field, c.Filename, what, got, want)
			}
		}
	}
}

// world is a runtime with the modules of one script.
type world struct {
	*script
	wazero.Runtime
	load  func(w *world, b []byte, name string) (api.Module, error)
	names map[string]api.Module
	last  api.Module
}

func (s *script) world(t *testing.T, load func(*world, []byte, string) (api.Module, error)) *world {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(s.features))
	t.Cleanup(func() { r.Close(ctx) })
	addChecks(t, r, func() {})
	b, err := os.ReadFile(filepath.Join(s.dir, "../../testdata/spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{script: s, Runtime: r, load: load, names: map[string]api.Module{}}
	if _, err := w.plain(b, ""); err != nil {
		t.Fatal(err)
	}
	return w
}

// plain instantiates a module as it is.
func (w *world) plain(b []byte, name string) (api.Module, error) {
	config := wazero.NewModuleConfig()
	if name != "" {
		config = config.WithName(name)
	}
	return w.InstantiateWithConfig(context.Background(), b, config)
}

// checked instantiates a module that is instrumented.
func (w *world) checked(b []byte, name string) (api.Module, error) {
	in, err := instrument(b, sameLimits)
	if err != nil {
		if _, plain := w.CompileModule(context.Background(), b); plain == nil {
			w.refused++
		}
		return nil, err
	}
	return w.start(in, name)
}

func (w *world) start(in *Instrumented, name string) (api.Module, error) {
	m, err := w.plain(in.Module, name)
	if err != nil || !in.Start {
		return m, err
	}
	if _, err := m.ExportedFunction(StartExport).Call(context.Background()); err != nil {
		m.Close(context.Background())
		return nil, err
	}
	return m, nil
}

// restored instantiates a module, takes a snapshot at once and instantiates that.
func (w *world) restored(b []byte, name string) (api.Module, error) {
	in, err := instrument(b, sameLimits)
	if err != nil {
		return nil, err
	}
	m, err := w.start(in, name)
	if err != nil {
		return nil, err
	}
	w.modules++
	if in.Fresh != "" {
		return m, nil
	}
	w.snapshots++
	return w.putBack(m, in, name)
}

// putBack replaces an instance by one of its snapshot.
func (w *world) putBack(m api.Module, in *Instrumented, name string) (api.Module, error) {
	image, globals := stateOf(m, in)
	m.Close(context.Background())
	b, err := Snapshot(in.Module, uint32(len(image)/wasmbin.PageSize), globals)
	if err != nil {
		return nil, err
	}
	if m, err = w.plain(b, name); err == nil && len(image) > 0 {
		m.Memory().Write(0, image)
	}
	return m, err
}

// stateOf returns a copy of an instance's memory and its mutable globals.
func stateOf(m api.Module, in *Instrumented) (image []byte, globals []uint64) {
	if in.MaxPages > 0 {
		view, _ := m.Memory().Read(0, m.Memory().Size())
		image = slices.Clone(view)
	}
	for i := range in.Globals {
		globals = append(globals, m.ExportedGlobal(GlobalExport(i)).Get())
	}
	return image, globals
}

// do runs a command and says how it went.
func (w *world) do(t *testing.T, c command, as string) string {
	t.Helper()
	switch c.Type {
	case "register":
		return ""
	case "module":
		m, err := w.instantiate(t, c, as)
		w.last = m
		if c.Name != "" {
			w.names[c.Name] = m
		}
		return outcome(nil, err)
	case "assert_malformed", "assert_invalid", "assert_unlinkable", "assert_uninstantiable":
		if _, err := w.instantiate(t, c, ""); err == nil {
			return "accepted"
		}
		return "refused"
	default: // assert_return, assert_trap, assert_exhaustion, action
		return w.act(t, c)
	}
}

func (w *world) instantiate(t *testing.T, c command, as string) (api.Module, error) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, c.Filename))
	if err != nil {
		t.Fatal(err)
	}
	return w.load(w, b, as)
}

func (w *world) act(t *testing.T, c command) string {
	t.Helper()
	m := w.last
	if c.Action.Module != "" {
		m = w.names[c.Action.Module]
	}
	if m == nil {
		return "no module"
	}
	if c.Action.Type == "get" {
		return outcome([]uint64{m.ExportedGlobal(c.Action.Field).Get()}, nil)
	}
	var args []uint64
	for _, a := range c.Action.Args {
		args = append(args, a.bits(t)...)
	}
	f := m.ExportedFunction(c.Action.Field)
	results, err := f.Call(context.Background(), args...)
	hideReferences(f, results)
	return outcome(results, err)
}

// hideReferences leaves of references, which are addresses, whether they are null.
func hideReferences(f api.Function, results []uint64) {
	if types := f.Definition().ResultTypes(); len(types) == 1 && len(results) == 1 && types[0] == byte(format.FuncRef) {
		results[0] = min(results[0], 1)
	}
}

// outcome names an error by its kind: where it happened is different.
func outcome(results []uint64, err error) string {
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return first
	}
	return fmt.Sprintf("%#x", results)
}

// bits returns an argument as the engine takes it.
func (v value) bits(t *testing.T) []uint64 {
	t.Helper()
	lanes, ok := v.Value.([]any)
	if !ok {
		n := number(t, v.Type, v.Value)
		if v.Type == "externref" && v.Value != "null" {
			n++ // zero is null
		}
		return []uint64{n}
	}
	width, err := strconv.Atoi(v.Lane[1:])
	if err != nil {
		t.Fatal(err)
	}
	out := make([]uint64, 2)
	for i, lane := range lanes {
		at := i * width
		out[at/64] |= number(t, v.Lane, lane) << (at % 64)
	}
	return out
}

// number returns the bits of a number of a type such as i32.
func number(t *testing.T, typ string, v any) uint64 {
	t.Helper()
	text, ok := v.(string)
	if !ok || text == "null" {
		return 0
	}
	width, mask := 64, uint64(1<<64-1)
	if n, err := strconv.Atoi(typ[1:]); err == nil && n < 64 {
		width, mask = n, 1<<n-1
	}
	if n, err := strconv.ParseInt(text, 10, width); err == nil {
		return uint64(n) & mask
	}
	n, err := strconv.ParseUint(text, 10, width)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
