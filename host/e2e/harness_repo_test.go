package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// root is the repository.
const root = "../.."

// files lists what git tracks, or would track, of the given patterns.
func files(t testing.TB, patterns ...string) []string {
	t.Helper()
	list := exec.Command("git", append([]string{"ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"}, patterns...)...)
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		t.Fatalf("list the files of the repository: %v", err)
	}
	return strings.Split(strings.Trim(string(names), "\x00"), "\x00")
}

// checkout copies the repository to a folder of the test's own, as a clone would
// have it.
func checkout(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "wasmoor")
	for _, name := range files(t) {
		data, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // removed and not committed yet
		}
		to := filepath.Join(dir, name)
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// freeAddr returns a loopback address nobody uses. Its port is below those that
// systems give out by themselves, so that nobody gets it meanwhile.
func freeAddr(t testing.TB) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000))
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// running is a `make run` in a process group of its own, as a terminal starts
// it.
type running struct {
	t             testing.TB
	public, admin string // host:port
	cmd           *exec.Cmd
	log           output
	lines         chan string // what it prints, until it ends
}

func makeRun(t testing.TB, dir, public, admin string) *running {
	t.Helper()
	r := &running{t: t, public: public, admin: admin, lines: make(chan string, 1000)}
	r.cmd = exec.Command("make", "run")
	r.cmd.Dir = dir
	r.cmd.Env = append(environ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "DATA"), "PUBLIC="+public, "ADMIN="+admin)
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

// environ is this process's environment without some variables and without
// those that would tell wasmoor what its reader has not told it.
func environ(without ...string) []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(without, name) || strings.HasPrefix(name, "WASMOOR_")
	})
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
	for _, announced := range []string{"public", "serves at", "Serving until Ctrl-C"} {
		r := makeRun(t, dir, freeAddr(t), freeAddr(t))
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
	first := makeRun(t, dir, freeAddr(t), freeAddr(t))
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
