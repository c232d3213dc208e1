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
	text, err := os.ReadFile(filepath.Join(root, "sdk", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## A plugin in five minutes\n")
	section, _, _ = strings.Cut(section, "\n## ")
	dir := t.TempDir()
	project := filepath.Join(dir, "visits")
	folder, printed, wrote := dir, "", 0
	for _, block := range regexp.MustCompile("(?s)```([a-z]+) ?([a-z_.]*)\n(.*?)```").FindAllStringSubmatch(section, -1) {
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
	if wrote != 2 || strings.Count(printed, "ok  \texample/visits") != 2 || !strings.Contains(printed, "visit number 1\n") {
		t.Errorf("%d files written, want main.go and main_test.go; the commands printed, want two passed tests and the first visit:\n%s", wrote, printed)
	}
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
