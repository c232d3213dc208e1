//go:build unix

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// running is a `make run` in a process group of its own, as a terminal starts
// it.
type running struct {
	t             testing.TB
	public, admin string // host:port
	cmd           *exec.Cmd
	log           output
	lines         chan string // what it prints, until it ends
}

func makeRun(t testing.TB, dir, public, admin string, variables ...string) *running {
	t.Helper()
	r := &running{t: t, public: public, admin: admin, lines: make(chan string, 1000)}
	r.cmd = exec.Command("make", append([]string{"run"}, variables...)...)
	r.cmd.Dir = dir
	r.cmd.Env = append(environ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "DATA"), "PUBLIC="+public, "ADMIN="+admin, "PATH="+builtAlready(t, dir)+":"+os.Getenv("PATH"))
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stdout, r.cmd.Stderr = write, write
	err = r.cmd.Start()
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	go r.watch(read)
	t.Cleanup(func() { _ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) }) // usually gone
	return r
}

// builtAlready returns a folder with a go command that takes the program under test for
// the one that it would build in a copy of the repository, from the same files.
func builtAlready(t testing.TB, dir string) string {
	t.Helper()
	real, err := exec.LookPath("go")
	shims, file := t.TempDir(), filepath.Join(dir, "bin", "wasmoor")
	script := fmt.Sprintf("#!/bin/sh\nif [ \"$*\" = 'build -o bin/wasmoor ./host/cmd/wasmoor' ]; then\n"+
		"\tmkdir -p bin && { [ -e %[1]s ] || cp %[2]s %[1]s; }\n\texit\nfi\nexec %[3]s \"$@\"\n", file, binary, real)
	if err := errors.Join(err, os.WriteFile(filepath.Join(shims, "go"), []byte(script), 0o700)); err != nil {
		t.Fatal(err)
	}
	return shims
}

// sources lists the files of a repository that the program is built of.
func sources(t testing.TB, dir string) string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if and .Module .Module.Main}}{{.ImportPath}} {{.GoFiles}} {{.SFiles}} {{.EmbedFiles}}{{end}}", "./host/cmd/wasmoor")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil || len(out) == 0 {
		t.Fatalf("list the sources in %s: %v", dir, err)
	}
	return string(out)
}

func (r *running) watch(out io.ReadCloser) {
	defer close(r.lines)
	defer out.Close()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		r.log.add(lines.Text())
		select {
		case r.lines <- lines.Text():
		default: // nobody waits for one
		}
	}
}

// await returns the lines up to the first one with a text.
func (r *running) await(text string) (lines []string) {
	r.t.Helper()
	tooLong := time.After(5 * time.Minute) // it may have to compile everything
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				r.t.Fatalf("`make run` ended before it said %q:\n%s", text, &r.log)
			}
			lines = append(lines, line)
			if strings.Contains(line, text) {
				return lines
			}
		case <-tooLong:
			r.t.Fatalf("`make run` does not say %q:\n%s", text, &r.log)
		}
	}
}

// interrupt does what Ctrl-C does, and waits until no process is left.
func (r *running) interrupt() {
	r.t.Helper()
	if err := syscall.Kill(-r.cmd.Process.Pid, syscall.SIGINT); err != nil {
		r.t.Fatal(err)
	}
	r.wait()
}

// wait waits for the end of `make run` and of every process it began: they all
// write to one pipe.
func (r *running) wait() {
	r.t.Helper()
	_ = r.cmd.Wait() // tests that care look at ProcessState
	tooLong := time.After(time.Minute)
	for {
		select {
		case _, ok := <-r.lines:
			if !ok {
				return
			}
		case <-tooLong:
			r.t.Fatalf("`make run` ended and left processes:\n%s", &r.log)
		}
	}
}

// testMakeRunEnds checks how `make run` ends, wanted or not.
func testMakeRunEnds(t *testing.T, dir string) {
	const few = "PLUGINS=examples/hello examples/guestbook"
	for _, announced := range []string{"public", "serves at", "Serving until Ctrl-C"} {
		r := makeRun(t, dir, freeAddr(t), freeAddr(t), few)
		r.await(announced)
		r.interrupt()
		for _, addr := range []string{r.public, r.admin} {
			if conn, err := net.Dial("tcp", addr); err == nil {
				conn.Close()
				t.Errorf("interrupted after %q, something still listens on %s", announced, addr)
			}
		}
	}
	for _, of := range []string{"public", "admin"} {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		addrs := map[string]string{"public": freeAddr(t), "admin": freeAddr(t), of: taken.Addr().String()}
		r := makeRun(t, dir, addrs["public"], addrs["admin"])
		r.wantFailure("cannot listen on " + addrs[of] + " for the " + of + " listener")
	}
	first := makeRun(t, dir, freeAddr(t), freeAddr(t), few)
	first.await("Serving until Ctrl-C")
	makeRun(t, dir, first.public, first.admin).wantFailure("wasmoor-data")
	first.interrupt()
}

// wantFailure waits for the end, which must be a failure that says why.
func (r *running) wantFailure(says string) {
	r.t.Helper()
	r.wait()
	if code := r.cmd.ProcessState.ExitCode(); code == 0 || !strings.Contains(r.log.String(), says) {
		r.t.Errorf("`make run` ended with exit code %d, want a failure that says %q:\n%s", code, says, &r.log)
	}
}
