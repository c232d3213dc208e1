package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
)

// machine is a folder that stands for the root of a machine, where the commands of
// OPERATING.md's first chapter install a server. Paths of theirs are below it; sudo
// runs what follows, useradd writes a line, and systemctl is the test's.
type machine struct {
	t    *testing.T
	root string
	env  []string
}

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, root: t.TempDir()}
	for _, dir := range []string{"usr/local/bin", "etc/systemd/system", "home", "shims"} {
		if err := os.MkdirAll(m.at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range map[string]string{
		"sudo":    "if [ \"$1\" = -u ]; then shift 2; fi\nexec \"$@\"\n",
		"useradd": "echo \"$@\" >> " + m.at("etc/passwd") + "\n",
	} {
		if err := os.WriteFile(m.at("shims", name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	caches, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache, modules, _ := strings.Cut(strings.TrimSpace(string(caches)), "\n") // else the home has Go's library compiled anew
	m.env = append(environ(), "GOCACHE="+cache, "GOMODCACHE="+modules, "HOME="+m.at("home"), "PATH="+strings.Join([]string{m.at("shims"), m.at("usr/local/bin"), asCurl(t), os.Getenv("PATH")}, ":"))
	return m
}

func (m *machine) at(path ...string) string {
	return filepath.Join(append([]string{m.root}, path...)...)
}

// here puts the paths of a command or a unit below the root.
func (m *machine) here(text string) string {
	for _, dir := range []string{"/usr/local/bin", "/etc/", "/var/lib/wasmoor"} {
		text = strings.ReplaceAll(text, dir, m.root+dir)
	}
	return text
}

// run runs a command in the repository, in a shell that keeps the variables that it
// exports for the next.
func (m *machine) run(line string) string {
	m.t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", m.here(line)+"\nenv -0 > "+m.at("env"))
	cmd.Dir, cmd.Env = root, m.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("%s\n%v\n%s", line, err, out)
	}
	env, err := os.ReadFile(m.at("env"))
	if err != nil {
		m.t.Fatal(err)
	}
	m.env = strings.Split(strings.Trim(string(env), "\x00"), "\x00")
	return string(out)
}

// start does what systemd does with the unit that was installed.
func (m *machine) start() *server {
	m.t.Helper()
	file, err := os.ReadFile(m.at("etc/systemd/system/wasmoor.service"))
	if err != nil {
		m.t.Fatal(err)
	}
	options, err := unit.DeserializeOptions(bytes.NewReader(file))
	if err != nil {
		m.t.Fatal(err)
	}
	service := map[string]string{}
	for _, o := range options {
		service[o.Name] = o.Value
	}
	if passwd, err := os.ReadFile(m.at("etc/passwd")); err != nil || !strings.HasSuffix(string(passwd), " "+service["User"]+"\n") {
		m.t.Fatalf("there is no user %s: %q, %v", service["User"], passwd, err)
	}
	name, from, _ := strings.Cut(service["LoadCredential"], ":")
	key, err := os.ReadFile(m.here(from))
	data := m.at("var/lib", service["StateDirectory"])
	if err != nil || os.MkdirAll(data, 0o700) != nil || os.Mkdir(m.at("credentials"), 0o700) != nil || os.WriteFile(m.at("credentials", name), key, 0o400) != nil {
		m.t.Fatal("the credential and the state directory", err)
	}
	m.env = append(m.env, m.here(service["Environment"]))
	command := strings.Fields(m.here(service["ExecStart"]))
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(m.env, "CREDENTIALS_DIRECTORY="+m.at("credentials"), "WASMOOR_PUBLIC=127.0.0.1:0", "WASMOOR_ADMIN=127.0.0.1:0")
	s, ready, err := launchAs(m.t, data, cmd)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(s.stop)
	if err := s.await(ready); err != nil {
		m.t.Fatal(err)
	}
	m.env = append(m.env, "WASMOOR_SERVER="+s.admin)
	m.run(service["ExecReload"])
	return s
}

// TestInstall does what the chapter "Install" of OPERATING.md says.
func TestInstall(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	prints := map[string]string{
		"wasmoor config check --config /etc/wasmoor/server.toml": "ok: serve would take these settings",
		"wasmoor status":                       `(?m)^store +healthy$`,
		"wasmoor deploy examples/hello":        `/hello/`,
		"curl http://127.0.0.1:8080/hello/Ada": `Ada`,
	}
	var s *server
	for _, line := range chapter(t, "../docs/OPERATING.md", "Install") {
		switch {
		case line == "make build":
			if err := hasTarget(root, "build"); err != nil {
				t.Error(err)
			}
			continue
		case line == "sudo systemctl daemon-reload":
			continue
		case line == "sudo systemctl enable --now wasmoor":
			s = m.start()
			continue
		case s != nil:
			line = strings.ReplaceAll(line, "http://127.0.0.1:8080", s.public)
		}
		out := m.run(strings.ReplaceAll(line, "bin/wasmoor /usr", binary+" /usr"))
		if s != nil {
			line = strings.ReplaceAll(line, s.public, "http://127.0.0.1:8080")
		}
		if want := prints[line]; !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s\nwant output like %q, got\n%s", line, want, out)
		}
		delete(prints, line)
	}
	if len(prints) > 0 {
		t.Errorf("the chapter no longer has the commands %v", prints)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "secrets.key")); !os.IsNotExist(err) {
		t.Errorf("the server has a key of its own beside the credential: %v", err)
	}
	status, version := s.mustCLI("", "status", "--json"), s.mustCLI("", "version", "--json")
	field := regexp.MustCompile(`"version": "[^"]+"`)
	if field.FindString(status) != field.FindString(version) || field.FindString(version) == "" {
		t.Errorf("the server says %s, its binary %s", field.FindString(status), field.FindString(version))
	}
}

// chapter returns the shell lines of a document's chapter.
func chapter(t *testing.T, file, title string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), fmt.Sprintf("\n## %s\n", title))
	if !found {
		t.Fatalf("%s has no chapter %q", file, title)
	}
	body, _, _ := strings.Cut(rest, "\n## ")
	return shellLines(t, writeFile(t, "chapter.md", []byte(body)))
}
