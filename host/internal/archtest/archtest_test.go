// Package archtest holds the rules of the repository's structure as tests. A
// rule that stands in the way is discussed and changed here, with its reason,
// never loosened to make a build pass.
package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wasmoor/wasmoor"

// lattice lists, for each package of host, what it may import of host: the
// packages named and everything those may import. The order is the direction
// of dependency; an import that is not derived from it is an error.
const lattice = `
fault             ->
plugin            -> fault
wasmbin           -> fault
wasmbin/hostile   ->
limit             -> plugin
spelling          ->
manifest          -> plugin limit spelling
router            -> plugin
store             -> fault
store/badger/inspect ->
store/certify     -> store
store/badger      -> store store/certify store/badger/inspect
store/storetest   -> store
field             ->
egress            -> limit field
egress/egresstest ->
invoke            -> store limit field
capability        -> invoke
capability/*      -> capability egress
engine            -> capability wasmbin manifest
engine/enginetest -> engine capability/outbound
engine/linear     -> fault
engine/machine    -> engine engine/linear capability/*
engine/native     -> engine/machine
engine/extism     -> engine/machine
prepare           -> engine
registry          -> store manifest
auth              -> registry
trace             ->
dispatch          -> engine egress trace
requestid         ->
serve             -> dispatch requestid
deploy            -> registry router dispatch capability/outbound
operate           -> deploy adminapi
server/wire       -> limit field adminapi requestid
server/servertest -> fault
server/public     -> server/wire deploy serve
server/admin      -> server/wire operate
adminapi          ->
client            -> plugin adminapi
.                 -> server/public server/admin auth prepare store/badger engine/native engine/extism
cmd/wasmoor/internal/scaffold     ->
cmd/wasmoor/internal/scaffold/gen ->
cmd/wasmoor/internal/watch        ->
cmd/wasmoor/internal/term         -> plugin
cmd/wasmoor/internal/cli          -> . cmd/wasmoor/internal/term
cmd/wasmoor/internal/project      -> cmd/wasmoor/internal/cli
cmd/wasmoor/internal/remote       -> client cmd/wasmoor/internal/project
cmd/wasmoor/internal/author       -> client cmd/wasmoor/internal/project cmd/wasmoor/internal/scaffold cmd/wasmoor/internal/watch
cmd/wasmoor/internal/server       -> cmd/wasmoor/internal/remote
cmd/wasmoor       -> cmd/wasmoor/internal/author cmd/wasmoor/internal/server
`

// owners says which package may import a dependency, so that replacing the
// dependency means one package.
var owners = map[string]string{
	"github.com/gofiber/":       "server",
	"github.com/valyala/":       "server",
	"github.com/danielgtaylor/": "server/admin",
	"github.com/tetratelabs/":   "engine",
	"github.com/extism/":        "engine",
	"github.com/dgraph-io/":     "store/badger",
	"github.com/failsafe-go/":   "egress",
	"code.dny.dev/":             "egress",
	"github.com/spf13/":         "cmd/wasmoor",
	"github.com/knadh/":         "cmd/wasmoor/internal/server",
	"github.com/fsnotify/":      "cmd/wasmoor/internal/watch",
	"golang.org/x/mod/":         "cmd/wasmoor/internal",
	"golang.org/x/term":         "cmd/wasmoor/internal/term",
	"github.com/lmittmann/":     "cmd/wasmoor/internal/server",
}

// abiBans keep a guest near the size of an empty one: each of these pulls in
// reflection or a large part of the standard library.
var abiBans = []string{"fmt", "reflect", "encoding", "net", "log", "os", "regexp", "text", "html", "go"}

type pkg struct {
	dir     string // relative to the module's root, "." = the root
	files   []*ast.File
	tests   []*ast.File
	imports map[string]bool // of non-test files
	testing map[string]bool // of test files
}

func load(t *testing.T) (string, map[string]*pkg) {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	pkgs := map[string]*pkg{}
	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); file != root && (name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(file, ".go") {
			addFile(t, root, file, pkgs)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 10 {
		t.Fatalf("found %d packages under %s, so the rules would check nothing", len(pkgs), root)
	}
	return root, pkgs
}

func addFile(t *testing.T, root, file string, pkgs map[string]*pkg) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(root, filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.ToSlash(rel)
	p := pkgs[dir]
	if p == nil {
		p = &pkg{dir: dir, imports: map[string]bool{}, testing: map[string]bool{}}
		pkgs[dir] = p
	}
	set := p.imports
	if strings.HasSuffix(file, "_test.go") {
		set = p.testing
		p.tests = append(p.tests, parsed)
	} else {
		p.files = append(p.files, parsed)
	}
	for _, spec := range parsed.Imports {
		set[strings.Trim(spec.Path.Value, `"`)] = true
	}
}

func isStd(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}

func under(dir, top string) bool { return dir == top || strings.HasPrefix(dir, top+"/") }

func anyUnder(dir string, tops ...string) bool {
	return slices.ContainsFunc(tops, func(top string) bool { return under(dir, top) })
}

// own returns an import's path within the module.
func own(imp string) (string, bool) {
	if imp == module {
		return ".", true
	}
	return strings.CutPrefix(imp, module+"/")
}

func TestTopLevel(t *testing.T) {
	root, _ := load(t)
	allowed := []string{"host", "plugins", "sdk", "abi", "examples", "go.mod", "go.sum", "Makefile", "README.md"}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	ignored := []string{"bin", "wasmoor-data"} // built by make, in .gitignore
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || slices.Contains(allowed, name) || slices.Contains(ignored, name) {
			continue
		}
		t.Errorf("%s stands at the top level, which is fixed: %s", name, strings.Join(allowed, " "))
	}
}

func TestGuestSideImportsNothingOfTheHost(t *testing.T) {
	_, pkgs := load(t)
	for dir, p := range pkgs {
		for _, side := range []map[string]bool{p.imports, p.testing} {
			for imp := range side {
				rel, isOwn := own(imp)
				switch {
				case under(dir, "abi") && !isStd(imp) && !under(rel, "abi"):
					t.Errorf("%s imports %s: abi is imported by guests and stays within the standard library", dir, imp)
				case under(dir, "sdk") && !isStd(imp) && !(isOwn && anyUnder(rel, "abi", "sdk")):
					t.Errorf("%s imports %s: an author's go.sum then holds more than us; sdk, tests too, imports abi and the standard library", dir, imp)
				case anyUnder(dir, "plugins", "examples") && !isStd(imp) && !(isOwn && anyUnder(rel, "sdk", dir)):
					t.Errorf("%s imports %s: plugins and examples are what authors copy; they import sdk alone", dir, imp)
				}
			}
		}
	}
}

// abiTests reads the call scripts of abi/testdata for tests of host and sdk, which
// share no other package. It needs encoding/json, so that no guest may have it.
const abiTests = "abi/abitest"

func TestABIStaysSmall(t *testing.T) {
	_, pkgs := load(t)
	for dir, p := range pkgs {
		if p.imports[module+"/"+abiTests] {
			t.Errorf("%s imports %s outside a test", dir, abiTests)
		}
		if !under(dir, "abi") || dir == abiTests {
			continue
		}
		for imp := range p.imports {
			first, _, _ := strings.Cut(imp, "/")
			if slices.Contains(abiBans, first) {
				t.Errorf("%s imports %s: it ends up in every guest", dir, imp)
			}
		}
	}
}

// closure returns what each package of host may import of host.
func closure(t *testing.T, dirs []string) map[string]map[string]bool {
	t.Helper()
	direct := map[string][]string{}
	for line := range strings.Lines(strings.TrimSpace(lattice)) {
		from, to, ok := strings.Cut(line, "->")
		if !ok {
			t.Fatalf("lattice line %q has no ->", line)
		}
		for _, dir := range expand(strings.TrimSpace(from), dirs) {
			direct[dir] = direct[dir][:0:0]
			for target := range strings.FieldsSeq(to) {
				direct[dir] = append(direct[dir], expand(target, dirs)...)
			}
		}
	}
	all := map[string]map[string]bool{}
	var visit func(string) map[string]bool
	visit = func(dir string) map[string]bool {
		if got, ok := all[dir]; ok {
			return got
		}
		set := map[string]bool{}
		all[dir] = set
		for _, next := range direct[dir] {
			set[next] = true
			maps.Copy(set, visit(next))
		}
		return set
	}
	for dir := range direct {
		visit(dir)
	}
	return all
}

func expand(pattern string, dirs []string) []string {
	if !strings.Contains(pattern, "*") {
		return []string{pattern}
	}
	var out []string
	for _, dir := range dirs {
		if ok, _ := path.Match(pattern, dir); ok {
			out = append(out, dir)
		}
	}
	return out
}

// hostDir maps a directory to its name in the lattice.
func hostDir(dir string) (string, bool) {
	switch {
	case dir == "host":
		return ".", true
	case strings.HasPrefix(dir, "host/internal/"):
		return strings.TrimPrefix(dir, "host/internal/"), true
	case strings.HasPrefix(dir, "host/"):
		return strings.TrimPrefix(dir, "host/"), true
	}
	return "", false
}

func TestLattice(t *testing.T) {
	_, pkgs := load(t)
	var dirs []string
	for dir := range pkgs {
		if name, ok := hostDir(dir); ok {
			dirs = append(dirs, name)
		}
	}
	allowed := closure(t, dirs)
	for dir, p := range pkgs {
		name, ok := hostDir(dir)
		if !ok || name == "archtest" {
			continue
		}
		may, listed := allowed[name]
		if !listed && len(p.files) > 0 {
			t.Errorf("package %s has no line in the lattice: add one that says what it may import", dir)
			continue
		}
		for imp := range p.imports {
			rel, isOwn := own(imp)
			if !isOwn || under(rel, "abi") {
				continue
			}
			target, isHost := hostDir(rel)
			if !isHost {
				t.Errorf("%s imports %s: host runs plugins' .wasm and never imports their Go code", dir, imp)
				continue
			}
			if target != name && !may[target] {
				t.Errorf("%s imports %s: the lattice does not allow %s -> %s", dir, imp, name, target)
			}
		}
	}
}

func TestOneOwnerPerDependency(t *testing.T) {
	_, pkgs := load(t)
	for dir, p := range pkgs {
		name, _ := hostDir(dir)
		for imp := range p.imports {
			for prefix, owner := range owners {
				if strings.HasPrefix(imp, prefix) && !under(name, owner) {
					t.Errorf("%s imports %s, which %s owns", dir, imp, owner)
				}
			}
		}
	}
}

func TestOnlyTheBinaryReadsItsSurroundings(t *testing.T) {
	_, pkgs := load(t)
	bans := map[string][]string{"os": {"Exit", "Getenv", "LookupEnv", "Environ", "Args"}}
	for dir, p := range pkgs {
		if !under(dir, "host") || under(dir, "host/cmd") {
			continue
		}
		if p.imports["flag"] {
			t.Errorf("%s imports flag: only cmd/wasmoor reads flags", dir)
		}
		for _, file := range p.files {
			ast.Inspect(file, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(bans[x.Name], sel.Sel.Name) {
					t.Errorf("%s uses %s.%s: only cmd/wasmoor reads flags and environment, and exits", dir, x.Name, sel.Sel.Name)
				}
				return true
			})
		}
	}
}

// TestNoFeatureOfTheEngineIsEnabled: a guest gets WebAssembly 2.0, the engine's
// default. With exception handling wazero v1.12.0 lets a guest keep a reference to
// an exception that is freed, and read and write the host's heap through it
// (wazero#2522).
func TestNoFeatureOfTheEngineIsEnabled(t *testing.T) {
	_, pkgs := load(t)
	for dir, p := range pkgs {
		for _, file := range p.files {
			ast.Inspect(file, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && strings.Contains(sel.Sel.Name, "CoreFeature") {
					t.Errorf("%s uses %s: guests get what the engine has by default", dir, sel.Sel.Name)
				}
				return true
			})
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	_, pkgs := load(t)
	for dir, p := range pkgs {
		var docs int
		for _, file := range p.files {
			if file.Doc != nil {
				docs++
			}
		}
		if len(p.files) > 0 && docs != 1 {
			t.Errorf("%s has %d package comments, want one", dir, docs)
		}
	}
}

func TestNoInit(t *testing.T) {
	_, pkgs := load(t)
	for dir, p := range pkgs {
		if under(dir, "plugins") || under(dir, "examples") {
			continue // a guest registers its handler when it initialises
		}
		for _, file := range p.files {
			for _, decl := range file.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s has an init function: lists of capabilities, routes and commands stand in one place each", dir)
				}
			}
		}
	}
}
