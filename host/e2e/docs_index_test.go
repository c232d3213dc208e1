package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestIndex finds every test in README.md, in the row of its file's group, and
// nothing there that is gone.
func TestIndex(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{} // group by test
	for _, row := range regexp.MustCompile(`(?m)^\| (\w+)[^|]*\|[^|]*\| ([^|]*) \|$`).FindAllStringSubmatch(string(text), -1) {
		for name := range strings.FieldsSeq(row[2]) {
			listed[name] = row[1]
		}
	}
	for name, group := range tests(t) {
		// A check of a helper is in the group that uses it.
		if got := listed[name]; got != group && (group != "harness" || got == "") {
			t.Errorf("%s is in a file of group %q and README.md lists it in %q", name, group, got)
		}
		delete(listed, name)
	}
	delete(listed, "tests") // the table's head
	for name := range listed {
		t.Errorf("README.md lists %s, which does not exist", name)
	}
}

// tests gives the group of every test and benchmark here, whatever its build tag.
func tests(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]string{}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		group, _, _ := strings.Cut(name, "_")
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || fn.Name.Name == "TestMain" {
				continue
			}
			if strings.HasPrefix(fn.Name.Name, "Test") || strings.HasPrefix(fn.Name.Name, "Benchmark") {
				groups[fn.Name.Name] = group
			}
		}
	}
	return groups
}
