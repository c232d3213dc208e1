package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var unitBlock = regexp.MustCompile("(?s)```ini\n(.*?)```")

// TestUnits: systemd takes the units of OPERATING.md. Where it is not installed they
// have the lines that a stop and a restart rest on.
func TestUnits(t *testing.T) {
	text, err := os.ReadFile("../docs/OPERATING.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := unitBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 2 {
		t.Fatalf("OPERATING.md has %d units, want 2", len(blocks))
	}
	dir := t.TempDir()
	for i, name := range []string{"wasmoor.service", "wasmoor.socket"} {
		unit := strings.ReplaceAll(blocks[i][1], "/usr/local/bin/wasmoor", binary) // which has to exist
		if err := os.WriteFile(filepath.Join(dir, name), []byte(unit), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, lines := range [][]string{{"[Service]", "Type=notify", "ExecStart="}, {"[Socket]", "ListenStream=", "FileDescriptorName="}} {
		for _, line := range lines {
			if !strings.Contains(blocks[i][1], "\n"+line) && !strings.HasPrefix(blocks[i][1], line) {
				t.Errorf("unit %d has no line %s", i, line)
			}
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		return
	}
	cmd := exec.Command(analyze, "verify", filepath.Join(dir, "wasmoor.service"), filepath.Join(dir, "wasmoor.socket"))
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "wasmoor") {
			t.Error(strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
