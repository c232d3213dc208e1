package archtest

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// goTest is a command of the Makefile: its line has packages, and perhaps a pattern
// of names.
var (
	goTest   = regexp.MustCompile(`(?m)^.*go test .*$`)
	testDirs = regexp.MustCompile(` \./([\w/]+)`)
	pattern  = regexp.MustCompile(`-run '([^']+)'`)
)

// TestTheMakefileNamesTestsThatExist: a renamed test or package would otherwise
// leave `make soak` and the like green and empty.
func TestTheMakefileNamesTestsThatExist(t *testing.T) {
	root, pkgs := tree(t)
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var seen int
	for _, line := range goTest.FindAllString(string(text), -1) {
		line = strings.ReplaceAll(line, "$$", "$")
		for _, dir := range testDirs.FindAllStringSubmatch(line, -1) {
			p, ok := pkgs[dir[1]]
			if !ok {
				t.Errorf("%s: there is no package %s", line, dir[1])
				continue
			}
			run := pattern.FindStringSubmatch(line)
			if run == nil || run[1] == "^$" {
				continue
			}
			seen++
			wantTests(t, p, run[1])
		}
	}
	if seen < 5 {
		t.Errorf("found %d commands that name tests, so the rule would check nothing", seen)
	}
}

// wantTests wants a test for each alternative of a pattern like ^Test(A|B)$.
func wantTests(t *testing.T, p *pkg, run string) {
	t.Helper()
	top, _, _ := strings.Cut(run, "/")
	before, rest, _ := strings.Cut(top, "(")
	inside, after, grouped := strings.Cut(rest, ")")
	alternatives := []string{top}
	if grouped {
		alternatives = nil
		for one := range strings.SplitSeq(inside, "|") {
			alternatives = append(alternatives, before+one+after)
		}
	}
	for _, one := range alternatives {
		if re, err := regexp.Compile(one); err != nil || !p.hasTest(re) {
			t.Errorf("the Makefile runs %s of %s, which has no such test (%v)", one, p.dir, err)
		}
	}
}

func (p *pkg) hasTest(name *regexp.Regexp) bool {
	for _, file := range p.tests {
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && name.MatchString(fn.Name.Name) {
				return true
			}
		}
	}
	return false
}
