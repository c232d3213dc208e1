//go:build unix

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme does what README.md says, in a copy of the repository: `make run`
// in one terminal, every other command in a second one.
func TestReadme(t *testing.T) {
	t.Parallel()
	dir := checkout(t)
	if got, want := sources(t, dir), sources(t, root); got != want {
		t.Fatalf("a clone would be built of other files:\n%s\nwant\n%s", got, want)
	}
	t.Run("commands", func(t *testing.T) { testReadmeCommands(t, dir) })
	t.Run("make run ends", func(t *testing.T) { testMakeRunEnds(t, dir) })
}

// prints holds each command of README.md and what it must print: a regular
// expression, over several lines.
var prints = map[string]string{
	`curl http://127.0.0.1:8080/hello/Ada`: `Ada`,
	`curl --data-urlencode "name=Ada" --data-urlencode "text=I was here" http://127.0.0.1:8080/guestbook/entries`: `^$`,
	`bin/wasmoor list`: `guestbook +serving +1 +/guestbook [^$]*hello +serving [^$]*links +serving `,
	`printf 'top secret' | bin/wasmoor var set links api_key`: `version 1 of links serves with it`,
	`curl -H "Authorization: Bearer top secret" -H "Content-Type: application/json" -d '{"url":"https://go.dev/doc/","slug":"go"}' http://127.0.0.1:8080/links/api/links`: `"slug":"go"`,
	`curl -i http://127.0.0.1:8080/links/go`:      `^HTTP/1\.1 30[0-9] [^$]*Location: https://go\.dev/doc/\s`,
	`bin/wasmoor kv list guestbook`:               `KEY +SIZE\n.+ B\n`,
	`bin/wasmoor new ../visits`:                   `made \.\./visits`,
	`(cd ../visits && go test)`:                   `(?m)^ok `,
	`bin/wasmoor deploy ../visits`:                `http://127\.0\.0\.1:8080/visits/\n`,
	`curl http://127.0.0.1:8080/visits/hello/Ada`: `^Hello, Ada!\n$`,
	`curl http://127.0.0.1:8080/visits/`:          `^1 greetings\n$`,
	`bin/wasmoor versions visits`:                 `1 \* +serving +[0-9a-f]{12} `,
	`bin/wasmoor status`:                          `(?m)^store +healthy$`,
	`bin/wasmoor top --times 1`:                   `(?m)^visits `,
	`bin/wasmoor token create ci --role deployer --plugins visits --expires 30d`: `deployer of visits, until .+\nwsm_`,
	`bin/wasmoor logs visits -n 10`:                                              `a version serves`,
	`bin/wasmoor pause visits`:                                                   `^visits paused; to end that run: wasmoor resume visits\n$`,
	`bin/wasmoor resume visits`:                                                  `^visits serves again\n$`,
	`bin/wasmoor audit verify`:                                                   `(?m)^verified +[0-9]+ events$`,
	`bin/wasmoor backup create ../visits.tar.zst`:                                `(?m)^BACKUP .*visits\.tar\.zst$`,
	`bin/wasmoor restore ../visits.tar.zst --data ../restored`:                   `(?m)^RESTORED .*visits\.tar\.zst$`,
}

func testReadmeCommands(t *testing.T, dir string) {
	r := makeRun(t, dir, freeAddr(t), freeAddr(t))
	checkURLs(t, r.await("Serving until Ctrl-C"))
	terminal := terminal{t, dir, r, append(environ(), "WASMOOR_SERVER=http://"+r.admin, "PATH="+asCurl(t)+":"+os.Getenv("PATH"))}
	done := map[string]bool{}
	for _, line := range shellLines(t, filepath.Join(root, "README.md")) {
		if target, ok := strings.CutPrefix(line, "make "); ok {
			if err := hasTarget(dir, target); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			continue
		}
		terminal.run(line)
		done[line] = true
	}
	for line := range prints {
		if !done[line] {
			t.Errorf("README.md no longer has the command %s", line)
		}
	}
	r.interrupt()
}

// checkURLs asks for every address that was printed. One that takes POST alone
// says so.
func checkURLs(t *testing.T, printed []string) {
	t.Helper()
	answered := 0
	for _, line := range printed {
		if !strings.HasPrefix(line, "http://") || strings.Contains(line, "{") {
			continue
		}
		a, err := send(context.Background(), "GET", line, "", strings.NewReader(""))
		if err != nil || a.status >= 400 && a.status != 405 {
			t.Errorf("`make run` printed %s, which answers %v, %v", line, a, err)
		}
		answered++
	}
	if answered < 3 {
		t.Errorf("`make run` printed %d addresses, want one of each plugin at least", answered)
	}
}

// terminal is that of somebody in a second terminal, in the repository's folder. Only
// where the server is differs from what README.md says.
type terminal struct {
	t      *testing.T
	dir    string
	server *running
	env    []string
}

// run runs one command, which must succeed and print what it should.
func (r terminal) run(line string) {
	r.t.Helper()
	want, known := prints[line]
	if !known {
		r.t.Errorf("README.md has a new command; add what it prints: %s", line)
		return
	}
	const public = "127.0.0.1:8080"
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", strings.ReplaceAll(line, public, r.server.public))
	cmd.Dir, cmd.Env = r.dir, r.env
	out, err := cmd.CombinedOutput()
	got := strings.ReplaceAll(string(out), r.server.public, public)
	if err != nil || !regexp.MustCompile(want).MatchString(got) {
		r.t.Errorf("%s\n%v, want output like %q, got\n%s", line, err, want, got)
	}
}

// shellLines returns the lines of a document's ```sh blocks.
func shellLines(t testing.TB, file string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	shell := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			shell = line == "```sh"
		case shell && line != "":
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		t.Fatalf("%s has no commands", file)
	}
	return lines
}

// hasTarget checks that make knows a target. Most cannot be run here, because
// they run this test.
func hasTarget(dir, target string) error {
	cmd := exec.Command("make", "--dry-run", target)
	cmd.Dir, cmd.Env = dir, environ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// TestDocumentsNameWhatExists checks that every command and every make target
// that a document mentions exists.
func TestDocumentsNameWhatExists(t *testing.T) {
	t.Parallel()
	command := regexp.MustCompile("(?m)(?:`|bin/|^    )wasmoor ([a-z-]+)(?: ([a-z]+))?")
	target := regexp.MustCompile("`make ([a-z]+)`")
	commands, targets := map[string]string{}, map[string]string{}
	for _, name := range files(t, "*.md") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			words := m[1]
			if m[1] == "var" || m[1] == "kv" {
				words += " " + m[2]
			}
			commands[words] = name
		}
		for _, m := range target.FindAllStringSubmatch(string(text), -1) {
			targets[m[1]] = name
		}
	}
	if len(commands) < 8 || len(targets) < 4 {
		t.Errorf("found commands %v and targets %v: that is not all", commands, targets)
	}
	for words, name := range commands {
		usage := "Usage:\n  wasmoor " + words
		help, err := exec.Command(binary, append(strings.Fields(words), "--help")...).CombinedOutput()
		if err != nil || !strings.Contains(string(help), usage) {
			t.Errorf("%s mentions `wasmoor %s`, whose help says:\n%s", name, words, help)
		}
	}
	for target, name := range targets {
		if err := hasTarget(root, target); err != nil {
			t.Errorf("%s mentions `make %s`: %v", name, target, err)
		}
	}
}
