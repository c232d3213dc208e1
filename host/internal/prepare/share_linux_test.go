package prepare_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/wasmbintest"
)

func custom(name, data string) string {
	return wasmbintest.Section(format.IDCustom, wasmbintest.Text(name), data)
}

// TestCodeAloneIsBuilt prepares modules one after the other, and says of each whether it
// is built.
func TestCodeAloneIsBuilt(t *testing.T) {
	section, code := wasmbintest.Section, wasmbintest.Section(format.IDCode, "one")
	p, b := open(t, config(t.TempDir(), nil, "build"))
	for i, c := range []struct {
		name, sections string
		builds         bool
		says           string
	}{
		{"code", code, true, "one"},
		{"again", code, false, "one"},
		{"a manifest", code + custom("wasmoor:manifest", "name = \"a\""), false, "one"},
		{"another manifest", code + custom("wasmoor:manifest", "name = \"b\""), false, "one"},
		{"a manifest first", custom("wasmoor:manifest", "name = \"a\"") + code, false, "one"},
		{"two manifests", custom("wasmoor:manifest", "") + code + custom("wasmoor:manifest", "name = \"a\""), false, "one"},
		{"code in a section that is ignored", code + custom("code", section(format.IDCode, "two")), false, "one"},
		{"a module in one", code + custom("x", string(saying("two"))), false, "one"},
		{"names of functions", code + custom("name", "names"), true, "onenames"},
		{"and a manifest", custom("wasmoor:manifest", "x") + code + custom("name", "names"), false, "onenames"},
		{"other names", code + custom("name", "others"), true, "oneothers"},
		{"names twice", code + custom("name", "names") + custom("name", "names"), true, "onenamesnames"},
		{"other code", section(format.IDCode, "two"), true, "two"},
		{"other code and the manifest", section(format.IDCode, "three") + custom("wasmoor:manifest", "name = \"a\""), true, "three"},
		{"the code as another section", section(format.IDType, "one"), true, "one"},
		{"the code in two sections", section(format.IDType, "o") + section(format.IDCode, "ne"), true, "one"},
		{"the code with an empty section", code + section(format.IDData), true, "one"},
		{"a size that is written longer", "\x0a\x83\x00one", true, "one"},
	} {
		before := p.Builds()
		module := []byte(wasmbintest.Header + c.sections)
		got, err := p.Prepare(t.Context(), module, engine.Options{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if built := p.Builds() > before; built != c.builds {
			t.Errorf("%d, %s: built is %v, want %v", i, c.name, built, c.builds)
		}
		if code, want := got.(program).code, "code of "+c.says; code != want {
			t.Errorf("%s: the program is %q, want %q", c.name, code, want)
		}
		if b.checks != i+1 {
			t.Errorf("%s: the module was not checked as it is", c.name)
		}
	}
	for name, module := range map[string]string{
		"code twice":             wasmbintest.Header + code + code,
		"code cut short":         wasmbintest.Header + code[:len(code)-1],
		"a section over the end": wasmbintest.Header + code + "\x00\x05x",
	} {
		before := p.Builds()
		if _, err := p.Prepare(t.Context(), []byte(module), engine.Options{}); fault.CodeOf(err) != fault.Invalid || p.Builds() != before {
			t.Errorf("%s: got %v after %d builds, want %s and none", name, err, p.Builds()-before, fault.Invalid)
		}
	}
}

// TestOptionsThatBuildNothing changes what a build does not rest on, and what it does.
func TestOptionsThatBuildNothing(t *testing.T) {
	route := func(r manifest.Route) engine.Options { return engine.Options{Memory: 1, Routes: []manifest.Route{r}} }
	p, _ := open(t, config(t.TempDir(), nil, "build"))
	for _, c := range []struct {
		name   string
		o      engine.Options
		builds bool
	}{
		{"no route", engine.Options{Memory: 1}, true},
		{"a name that the module cannot ask for", engine.Options{Memory: 1, Name: "a"}, false},
		{"a larger answer", engine.Options{Memory: 1, ResponseBody: 5}, false},
		{"a route", route(manifest.Route{Pattern: "GET /"}), false},
		{"another", route(manifest.Route{Pattern: "GET /a", Deadline: time.Second, Live: true, Private: true}), false},
		{"one that names an export", route(manifest.Route{Pattern: "GET /", Export: "run"}), true},
		{"with more said of it", route(manifest.Route{Pattern: "GET /", Export: "run", Cache: manifest.Cache{Keep: time.Hour}}), false},
		{"another export", route(manifest.Route{Pattern: "GET /", Handler: "run"}), true},
		{"memory", engine.Options{Memory: 2}, true},
		{"the time to start", engine.Options{Memory: 1, Start: 1}, true},
		{"a frozen source", engine.Options{Memory: 1, Frozen: []string{manifest.FrozenClock}}, true},
		{"a warm-up request", engine.Options{Memory: 1, Warmups: []manifest.Warmup{{Body: "x"}}}, true},
	} {
		before := p.Builds()
		mustPrepare(t, p, "one", c.o)
		if built := p.Builds() > before; built != c.builds {
			t.Errorf("%s: built is %v, want %v", c.name, built, c.builds)
		}
	}
}

// TestSweepKeepsWhatIsShared removes an artefact only when the last module of its code is
// gone, whichever was built.
func TestSweepKeepsWhatIsShared(t *testing.T) {
	dir := t.TempDir()
	module := func(i int) []byte { return append(saying("one"), custom("wasmoor:manifest", fmt.Sprint(i))...) }
	p, _ := open(t, config(dir, nil, "build"))
	const modules = 300 // more than a seal names
	for i := range modules {
		if _, err := p.Prepare(t.Context(), module(i), engine.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	onlyArtefacts(t, dir, 1)
	sweep := func(keep int) {
		t.Helper()
		if err := p.Sweep(func(d plugin.Digest) bool { return d == plugin.DigestOf(module(keep)) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, kept := range []int{0, modules - 1, modules - 200} {
		sweep(kept)
		onlyArtefacts(t, dir, 1)
	}
	if err := flip(filepath.Join(artefact(t, dir), "SEAL"), 100); err != nil {
		t.Fatal(err)
	}
	mustPrepare(t, p, "one", engine.Options{})
	if p.Builds() != 2 {
		t.Errorf("%d builds, want a second one: the seal that names several modules is damaged", p.Builds())
	}
	sweep(modules - 1)
	onlyArtefacts(t, dir, 0)
}
