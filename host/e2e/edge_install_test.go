//go:build edge && linux

package e2e

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

const installDir = "../docs/install"

// TestEdgeUnits: systemd takes the units, and finds the service well shut in.
func TestEdgeUnits(t *testing.T) {
	analyze := tool(t, "systemd-analyze", "systemd")
	dir := t.TempDir()
	var units []string
	for _, name := range []string{"wasmoor.service", "wasmoor.socket", "wasmoor-admin.socket"} {
		text, err := os.ReadFile(filepath.Join(installDir, name))
		if err != nil {
			t.Fatal(err)
		}
		units = append(units, filepath.Join(dir, name))
		text = []byte(strings.ReplaceAll(string(text), "/usr/local/bin/wasmoor", binary)) // which has to exist
		if err := os.WriteFile(units[len(units)-1], text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Exposure 3.0 of 10 and less is well; the threshold is ten times that.
	for _, args := range [][]string{append([]string{"verify"}, units...), {"security", "--offline=true", "--threshold=31", units[0]}} {
		cmd := exec.Command(analyze, args...)
		cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
		out, err := cmd.CombinedOutput()
		if err != nil || args[0] == "verify" && strings.Contains(string(out), "wasmoor") {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}

// TestEdgeContainer serves as the container does that the Containerfile makes: in a root
// that has the binary and nothing else, as its user, with its variables. It builds and
// runs a plugin, and answers what asks for its health.
func TestEdgeContainer(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(installDir, "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	field := func(pattern string) string {
		m := regexp.MustCompile(`(?m)^`+pattern+`$`).FindAllStringSubmatch(string(text), -1)
		if len(m) != 1 {
			t.Fatalf("the Containerfile has %d lines %s", len(m), pattern)
		}
		return m[0][1]
	}
	wantStatic(t, binary)
	dir, user := t.TempDir(), field("USER (.*)")
	c := container{root: dir, user: user}
	for _, m := range regexp.MustCompile(`(?m)^ENV (.*)$`).FindAllStringSubmatch(string(text), -1) {
		c.env = append(c.env, m[1])
	}
	c.env = append(c.env, "WASMOOR_PUBLIC=127.0.0.1:0", "WASMOOR_ADMIN=127.0.0.1:0")
	script := `chmod 755 "$1" "$1/.."; mkdir -p "$1/proc" "$1$3" "$1/usr/local/bin"; chown "$2" "$1$3"; cp "$4" "$1/usr/local/bin/wasmoor"`
	if out, err := exec.Command("sh", "-euc", script, "sh", dir, user, field("VOLUME (.*)"), binary).CombinedOutput(); err != nil {
		t.Fatalf("make the root, which takes root: %v\n%s", err, out)
	}
	s, ready, err := launchAs(t, filepath.Join(dir, field(`ENV WASMOOR_DATA=(.*)`)), c.command(field(`CMD \["([a-z]+)"\]`)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	if err := s.await(ready); err != nil {
		t.Fatal(err)
	}
	s.deploy("hello", pack(t, enginetest.Tiny(), "hello"))
	if a := s.get("/hello/"); a.status != 200 {
		t.Errorf("the plugin answers %v", a)
	}
	c.env = append(c.env, "WASMOOR_SERVER="+s.admin)
	out, err := c.command(field(`HEALTHCHECK .* CMD \["wasmoor", "([a-z]+)"\]`)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1 serving") {
		t.Errorf("the health check: %v\n%s", err, out)
	}
}

// container is a root of a server's own, with /proc in it as engines give it.
type container struct {
	root, user string
	env        []string
}

func (c container) command(arg string) *exec.Cmd {
	script := `mount --rbind /proc "$1/proc"; exec chroot --userspec="$2" "$1" /usr/local/bin/wasmoor "$3"`
	return &exec.Cmd{Path: "/usr/bin/unshare", Args: []string{"unshare", "--mount", "/bin/sh", "-euc", script, "sh", c.root, c.user, arg}, Env: append(c.env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin")}
}

// wantStatic wants a program that needs no library and no loader.
func wantStatic(t *testing.T, program string) {
	t.Helper()
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program is not static, it has a segment %v: build with CGO_ENABLED=0, as make does", p.Type)
		}
	}
}
