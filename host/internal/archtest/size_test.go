package archtest

import (
	"go/ast"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Production code is what is not a test and not written by a program. A package of
// tests for others, such as storetest, grows with each rule that it holds them to:
// its files have a limit, the package has none.
const (
	packageLines = 2500
	fileLines    = 400
	funcLinesP90 = 25
)

func TestSizes(t *testing.T) {
	_, pkgs := tree(t)
	lines := map[string]int{}
	for dir, p := range pkgs {
		for _, file := range p.files {
			if ast.IsGenerated(file) {
				continue
			}
			at := p.fset.File(file.Pos())
			lines[filepath.ToSlash(filepath.Join(dir, filepath.Base(at.Name())))] = at.LineCount()
			if !strings.HasSuffix(dir, "test") {
				lines[dir] += at.LineCount()
			}
		}
	}
	for name, n := range lines {
		most := packageLines
		if filepath.Ext(name) == ".go" {
			most = fileLines
		}
		if n > most {
			t.Errorf("%s has %d lines of production code, at most %d are allowed", name, n, most)
		}
	}
}

func TestFunctionsAreShort(t *testing.T) {
	_, pkgs := tree(t)
	var lengths []int
	for _, p := range pkgs {
		for _, file := range p.files {
			if ast.IsGenerated(file) {
				continue
			}
			for _, decl := range file.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok {
					lengths = append(lengths, p.fset.Position(fn.End()).Line-p.fset.Position(fn.Pos()).Line+1)
				}
			}
		}
	}
	slices.Sort(lengths)
	p90 := lengths[len(lengths)*9/10]
	t.Logf("%d functions: median %d lines, p90 %d, longest %d", len(lengths), lengths[len(lengths)/2], p90, lengths[len(lengths)-1])
	if p90 > funcLinesP90 {
		t.Errorf("a tenth of the functions have more than %d lines, want at most %d", p90, funcLinesP90)
	}
}
