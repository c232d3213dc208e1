//go:build unix

package project

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// An interrupted build takes what its shell started along, also what does not
// want to end.
func TestInterruptedBuildLeavesNothingRunning(t *testing.T) {
	const notes = "sleep 600 & echo $! >child; wait"
	tests := map[string]string{
		"child":          notes,
		"stubborn child": "trap '' TERM; sh -c '" + notes + "' & wait",
	}
	for name, command := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			j := &Project{Dir: dir, Manifest: &manifest.Manifest{Build: manifest.Build{Command: command}}}
			ended := make(chan error, 1)
			go func() { ended <- j.build(ctx) }()
			child := pidIn(t, filepath.Join(dir, "child"))
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("build = %v, want %v", err, context.Canceled)
			}
			if !soon(func() bool { return syscall.Kill(child, 0) != nil || isZombie(child) }) {
				t.Errorf("child %d of the build runs", child)
			}
		})
	}
}

// isZombie reports whether a process has ended and nobody has asked how: what
// adopts it may not look for a while.
func isZombie(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && bytes.Contains(data, []byte(") Z "))
}

func pidIn(t *testing.T, file string) (pid int) {
	t.Helper()
	noted := soon(func() bool {
		data, err := os.ReadFile(file)
		if err == nil {
			pid, err = strconv.Atoi(string(bytes.TrimSpace(data)))
		}
		return err == nil
	})
	if !noted {
		t.Fatalf("the build wrote no number of a process to %s", file)
	}
	return pid
}

// soon waits until something holds of another process, on a slow machine too.
func soon(holds func() bool) bool {
	deadline := time.Now().Add(time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(20 * time.Millisecond) // between looks at another process, which cannot tell
	}
	return true
}
