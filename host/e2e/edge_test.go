//go:build edge

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests with the tag edge put programs of others before the server: a proxy,
// a load of slow clients, a browser. Without such a program they fail.

// tool returns the path of a program of Debian's, which the package of that name
// brings.
func tool(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v; install it: apt-get install --no-install-recommends %s", err, debian)
	}
	return path
}

// child is a program of others that runs beside the test.
type child struct {
	cmd    *exec.Cmd
	said   bytes.Buffer // complete once it exited
	exited chan struct{}
}

// begin makes a program ready to start.
func begin(path string, args ...string) *child {
	c := &child{cmd: exec.Command(path, args...), exited: make(chan struct{})}
	c.cmd.Stderr = &c.said
	c.cmd.WaitDelay = 10 * time.Second // of what it started and left behind
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return c
}

// start starts the program. It and what it started have ended when the test ends.
func (c *child) start(t *testing.T) {
	t.Helper()
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.exited)
		_ = c.cmd.Wait() // tests that care look at ProcessState
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // it may be gone already
		<-c.exited
	})
}

// output runs a program that ends by itself within a minute, and returns what it
// printed to its standard output.
func (c *child) output(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	c.cmd.Stdout = &out
	c.start(t)
	select {
	case <-c.exited:
	case <-time.After(time.Minute):
		t.Fatalf("%s does not end", c.cmd.Path)
	}
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("%s: exit code %d\n%s%s", c.cmd.Path, code, &out, &c.said)
	}
	return out.String()
}

// freeAddress is an address of loopback nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// sendRequest sends a request and reads its answer whole.
func sendRequest(c *http.Client, req *http.Request) (answer, error) {
	res, err := c.Do(req)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body)}, errors.Join(err, res.Body.Close())
}

// sockets counts the sockets a server has open.
func (s *server) sockets() int {
	s.t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd/", s.cmd.Process.Pid)
	files, err := os.ReadDir(dir)
	if err != nil {
		s.t.Fatalf("the server is gone: %v\n%s", err, s.log)
	}
	n := 0
	for _, file := range files {
		if to, err := os.Readlink(dir + file.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}
