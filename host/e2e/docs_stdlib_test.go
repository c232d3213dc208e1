package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestStandardLibrary uses every package of the standard library in a guest and
// finds the table of sdk/README.md true: what it names fails or does not build,
// everything else runs.
func TestStandardLibrary(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "sdk", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## The standard library\n")
	section, _, _ = strings.Cut(section, "\n## ")
	documented := map[string]string{} // what the table says of a package
	for _, row := range regexp.MustCompile(`(?m)^\| (.*?) \| (fails|does not build) \|`).FindAllStringSubmatch(section, -1) {
		for _, name := range regexp.MustCompile("`([a-z0-9/]+)`").FindAllStringSubmatch(row[1], -1) {
			documented[name[1]] = row[2]
		}
	}

	s := serve(t, t.TempDir())
	s.deploy("stdlib", pack(t, goGuest(t, "testdata/stdlib"), "stdlib"))
	list := exec.Command("go", "list", "std")
	list.Env = append(os.Environ(), "CGO_ENABLED=1") // what needs cgo belongs to it too
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for name := range strings.FieldsSeq(string(out)) {
		if strings.Contains("/"+name+"/", "/internal/") || strings.HasPrefix(name, "vendor/") {
			continue
		}
		answer, want := s.get("/stdlib/"+name), documented[name]
		delete(documented, name)
		switch {
		case answer.status == 404 && want == "does not build":
			if notBuilt(t, name) == nil {
				t.Errorf("%s builds for wasip1: write a use of it", name)
			}
		case answer.status == 404 && !strings.HasPrefix(runtime.Version(), "go1.26"):
			// A package of a later Go.
		case answer.status != 200:
			t.Errorf("%s: %v", name, answer)
		case answer.body == "runs" && want != "":
			t.Errorf("%s runs, and sdk/README.md says that it %s", name, want)
		case answer.body != "runs" && want != "fails":
			t.Errorf("%s fails, and sdk/README.md does not say so: %s", name, answer.body)
		default:
			ran++
		}
	}
	if ran < 170 {
		t.Errorf("only %d packages were used", ran)
	}
	for name := range documented {
		t.Errorf("sdk/README.md names %s, which the standard library does not have", name)
	}
}

// notBuilt is the error of a plugin that imports a package.
func notBuilt(t *testing.T, name string) error {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nimport _ \""+name+"\"\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", filepath.Join(dir, "out.wasm"), "main.go")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	return cmd.Run()
}
