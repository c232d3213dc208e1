package prepare_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// mapForever takes memory that Go knows nothing of.
func mapForever(string) error {
	for {
		if _, err := unix.Mmap(-1, 0, 16<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON); err != nil {
			return fault.Wrap(fault.Internal, "prepare", "the compiler failed", fmt.Errorf("map: %w", err))
		}
	}
}

// patience is how long a test waits for what must happen, on a slow machine.
const patience = time.Minute

// wait calls check until it is satisfied, and returns its last complaint.
func wait(check func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(5 * time.Millisecond) // between looks at another process, which cannot tell
	}
}

// builderIn returns the process that builds "sleep" in dir.
func builderIn(t *testing.T, dir string) (pid int) {
	t.Helper()
	err := wait(func() error {
		files, err := filepath.Glob(filepath.Join(dir, "artefacts", "build-*", "artefact", "pid"))
		if err != nil || len(files) != 1 {
			return fmt.Errorf("builds under way: %v, %w", files, err)
		}
		text, err := os.ReadFile(files[0])
		if err == nil {
			pid, err = strconv.Atoi(string(text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// mustEnd waits until a process is gone, or has ended and nobody has asked how.
func mustEnd(t *testing.T, pid int) {
	t.Helper()
	err := wait(func() error {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && !bytes.Contains(stat, []byte(") Z ")) {
			return errors.New("it runs")
		}
		return nil
	})
	if err != nil {
		t.Errorf("process %d: %v", pid, err)
	}
}

// A server that is killed takes its build along, and the next one removes what
// is left of it.
func TestKilledServerLeavesNoBuild(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(self, "server", dir)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	pid := builderIn(t, dir)
	open(t, config(dir, nil, "build")) // a second user of the directory
	if builderIn(t, dir) != pid {
		t.Fatal("the directory of a build under way was removed")
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait() // it was killed
	mustEnd(t, pid)
	p, _ := open(t, config(dir, nil, "build"))
	onlyArtefacts(t, dir, 0)
	mustPrepare(t, p, "one", engine.Options{})
}

// A build is limited in every respect before it sees a byte of the module.
func TestTheProcessThatBuilds(t *testing.T) {
	t.Setenv("A_SECRET", "of the server")
	dir := t.TempDir()
	p, _ := open(t, config(dir, nil, "build"))
	ended := make(chan error, 1)
	go func() {
		_, err := p.Prepare(t.Context(), saying("sleep"), engine.Options{})
		ended <- err
	}()
	pid := builderIn(t, dir)
	proc := func(name string) string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, want := range []string{
		"Max cpu time              10                   10 ",
		"Max file size             1048576              1048576 ",
		"Max core file size        0                    0 ",
		"Max open files            64                   64 ",
	} {
		if limits := proc("limits"); !strings.Contains(limits, want) {
			t.Errorf("no %q in\n%s", want, limits)
		}
	}
	if strings.Contains(proc("limits"), "Max address space         unlimited") {
		t.Error("its address space is not limited")
	}
	for _, thread := range threads(t, pid) {
		status := proc("task/" + thread + "/status")
		if !strings.Contains(status, "NoNewPrivs:\t1") {
			t.Errorf("thread %s can gain privileges", thread)
		}
		if nice := strings.Fields(proc("task/" + thread + "/stat"))[18]; nice == "0" {
			t.Errorf("thread %s is not nice", thread)
		}
	}
	if got := proc("oom_score_adj"); got != "1000\n" {
		t.Errorf("oom_score_adj %q", got)
	}
	if got := proc("environ"); strings.Contains(got, "SECRET") || !strings.Contains(got, "TMPDIR="+dir) {
		t.Errorf("its environment is %q", got)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v, want %s", err, fault.Unavailable)
	}
}

func threads(t *testing.T, pid int) (ids []string) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		ids = append(ids, task.Name())
	}
	return ids
}

// A build that waits keeps nobody else from building: neither an upload nor a
// plugin that requests wait for, nor both.
func TestABuildThatWaitsKeepsNobody(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir, nil, "build")
	cfg.Limits.Places, cfg.Limits.Memory = 3, 2<<30
	p, _ := open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := p.Prepare(ctx, saying("sleep"), engine.Options{Owner: "sleeper"})
		ended <- err
	}()
	builderIn(t, dir)
	mustPrepare(t, p, "one", engine.Options{Owner: "other"})
	mustPrepare(t, p, "two", engine.Options{Owner: "awaited", Awaited: true})
	cancel()
	if err := <-ended; fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v, want %s", err, fault.Unavailable)
	}
}

// What a build had of memory is its own, and not what its parent has.
func TestPeakIsTheBuilds(t *testing.T) {
	const large = 256 << 20
	ballast := bytes.Repeat([]byte{1}, large)
	var log bytes.Buffer
	p, _ := open(t, config(t.TempDir(), &log, "build"))
	mustPrepare(t, p, "one", engine.Options{})
	_, text, _ := strings.Cut(log.String(), "peak_bytes=")
	peak, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || peak < 1<<20 || peak >= large {
		t.Errorf("its peak is %d, %v, and its parent has %d:\n%s", peak, err, len(ballast), log.String())
	}
	runtime.KeepAlive(ballast)
}
