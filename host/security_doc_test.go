package host

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecurityCapsAreTheCode: SECURITY.md lists every exported cap of package
// wasmbin/format, with its number and a reason, and none that is not there.
func TestSecurityCapsAreTheCode(t *testing.T) {
	caps := constants(t, "internal/wasmbin/format")
	listed := map[string]bool{}
	for name, cells := range rows(read(t, "docs/SECURITY.md")) {
		if !strings.HasPrefix(strings.ToLower(name), "max") {
			continue
		}
		listed[name] = true
		if len(cells) != 3 || strings.ReplaceAll(cells[0], ",", "") != caps[name] || cells[1] == "" || cells[2] == "" {
			t.Errorf("SECURITY.md has %q: %q, the code says %q; a row is the cap, its number, what it counts, and a reason", name, cells, caps[name])
		}
	}
	for name, number := range caps {
		if ast.IsExported(name) && !listed[name] {
			t.Errorf("SECURITY.md does not list %s, which is %s", name, number)
		}
	}
}

// constants returns the numbers that a package's sources declare and whose names
// begin with max, in either case.
func constants(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no sources: %v", err)
	}
	all := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.VAR {
				return false
			}
			spec, ok := n.(*ast.ValueSpec)
			for i := 0; ok && i < len(spec.Values); i++ {
				if name := spec.Names[i].Name; strings.HasPrefix(strings.ToLower(name), "max") {
					all[name] = evaluated(t, spec.Values[i])
				}
			}
			return true
		})
	}
	return all
}

// evaluated returns the number that an expression of literals stands for.
func evaluated(t *testing.T, e ast.Expr) string {
	t.Helper()
	v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, types.ExprString(e))
	if err != nil || v.Value == nil || v.Value.Kind() != constant.Int {
		t.Fatalf("%s is no number: %v", types.ExprString(e), err)
	}
	return v.Value.ExactString()
}
