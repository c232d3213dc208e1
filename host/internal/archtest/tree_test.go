package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const modulePath = "github.com/wasmoor/wasmoor"

type pkg struct {
	dir     string // relative to the module's root, "." = the root
	files   []*ast.File
	tests   []*ast.File
	fset    *token.FileSet
	imports map[string]bool // of non-test files
	testing map[string]bool // of test files
}

// helper tells whether the package serves tests alone: its code takes a *testing.T.
func (p *pkg) helper() bool { return p.imports["testing"] }

// foreign returns the imports, of tests too, that are neither ours nor the standard
// library's.
func (p *pkg) foreign() map[string]bool {
	all := map[string]bool{}
	for _, set := range []map[string]bool{p.imports, p.testing} {
		for imp := range set {
			if _, isOwn := own(imp); !isOwn && !isStd(imp) {
				all[imp] = true
			}
		}
	}
	return all
}

// tree gives the module's root and its packages by directory. They are parsed once,
// for all tests.
func tree(t *testing.T) (string, map[string]*pkg) {
	t.Helper()
	all := parsed()
	if all.err != nil {
		t.Fatal(all.err)
	}
	if len(all.pkgs) < 10 {
		t.Fatalf("found %d packages under %s, so the rules would check nothing", len(all.pkgs), all.root)
	}
	return all.root, all.pkgs
}

var parsed = sync.OnceValue(parse)

type module struct {
	root string
	pkgs map[string]*pkg
	err  error
}

func parse() module {
	root, err := filepath.Abs("../../..")
	if err != nil {
		return module{err: err}
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
			return addFile(root, file, pkgs)
		}
		return nil
	})
	return module{root, pkgs, err}
}

func addFile(root, file string, pkgs map[string]*pkg) error {
	rel, err := filepath.Rel(root, filepath.Dir(file))
	if err != nil {
		return err
	}
	dir := filepath.ToSlash(rel)
	p := pkgs[dir]
	if p == nil {
		p = &pkg{dir: dir, fset: token.NewFileSet(), imports: map[string]bool{}, testing: map[string]bool{}}
		pkgs[dir] = p
	}
	parsed, err := parser.ParseFile(p.fset, file, nil, parser.ParseComments)
	if err != nil {
		return err
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
	return nil
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
	if imp == modulePath {
		return ".", true
	}
	return strings.CutPrefix(imp, modulePath+"/")
}
