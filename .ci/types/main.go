// Types checks that every package of the module and every test compiles for other
// systems: types GOOS/GOARCH... in the module's folder. It reads dependencies from
// source, and of those only declarations, so that nothing is compiled.
package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	code := 0
	for _, system := range os.Args[1:] {
		if err := check(system); err != nil {
			fmt.Fprintf(os.Stderr, "%s:\n%v\n", system, err)
			code = 1
		}
	}
	os.Exit(code)
}

func check(system string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	goos, goarch, _ := strings.Cut(system, "/")
	pkgs, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedDeps |
			packages.NeedTypes | packages.NeedTypesSizes | packages.NeedModule,
		Env:   append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0"),
		Tests: true,
		ParseFile: func(set *token.FileSet, name string, text []byte) (*ast.File, error) {
			file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
			if file != nil && !strings.HasPrefix(name, dir+string(os.PathSeparator)) {
				empty(file)
			}
			return file, err
		},
	}, "./...")
	if err != nil {
		return err
	}
	if len(pkgs) == 0 {
		return errors.New("there are no packages")
	}
	var errs []error
	for _, p := range pkgs {
		if strings.HasSuffix(p.ID, ".test") {
			continue // the main package of a test, which the go command writes
		}
		if p.Types == nil {
			errs = append(errs, fmt.Errorf("%s was not checked", p.ID))
		}
		for _, err := range p.Errors {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// empty removes what a package's users do not depend on: what functions do.
func empty(file *ast.File) {
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok {
			f.Body = nil
		}
	}
}
