package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSDKReadme does what the first section of sdk/README.md says: makes a
// project, puts the printed files into it, tests it and sends it a request. Only
// `wasmoor dev` is left out, which goes on until it is stopped.
func TestSDKReadme(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(document(t, "README.md"), "\n## A plugin in five minutes\n")
	section, _, _ = strings.Cut(section, "\n## ")
	wrote, printed := follow(t, section, "visits")
	if wrote != 2 || strings.Count(printed, "ok  \texample/visits") != 2 || !strings.Contains(printed, "0 visits\n") {
		t.Errorf("%d files written, want main.go and main_test.go; the commands printed, want two passed tests and no visit:\n%s", wrote, printed)
	}
}

// TestTutorial does what sdk/TUTORIAL.md says.
func TestTutorial(t *testing.T) {
	t.Parallel()
	wrote, printed := follow(t, document(t, "TUTORIAL.md"), "desk")
	if wrote != 6 || strings.Count(printed, "ok  \texample/desk") != 3 || !strings.Contains(printed, "it is yours\n") {
		t.Errorf("%d files written, want 6; the commands printed, want three passed tests and a name taken:\n%s", wrote, printed)
	}
}

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "sdk", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var codeBlock = regexp.MustCompile("(?s)```([a-z]+) ?([a-z_.]*)\n(.*?)```")

// follow does what a text says whose first commands make a project: it writes the
// files and runs the commands, and returns how many files there were and what the
// commands printed.
func follow(t *testing.T, text, name string) (wrote int, printed string) {
	t.Helper()
	dir := t.TempDir()
	project := filepath.Join(dir, name)
	folder := dir
	for _, block := range codeBlock.FindAllStringSubmatch(text, -1) {
		switch language, name, body := block[1], block[2], block[3]; language {
		case "go":
			if err := os.WriteFile(filepath.Join(project, name), []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
			wrote++
		case "sh":
			printed += shell(t, folder, strings.ReplaceAll(body, "wasmoor dev\n", ""))
			folder = project // the first block ends there
		}
	}
	return wrote, printed
}

// shell runs commands that say wasmoor, in a folder, and returns what they print.
func shell(t *testing.T, dir, commands string) string {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", commands)
	cmd.Dir = dir
	cmd.Env = append(environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%v\n%s", commands, err, out)
	}
	return string(out)
}
