//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

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
			j := &project{dir: dir, manifest: &manifest.Manifest{Build: manifest.Build{Command: command}}}
			ended := make(chan error, 1)
			go func() { ended <- j.build(ctx) }()
			child := pidIn(t, filepath.Join(dir, "child"))
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("build = %v, want %v", err, context.Canceled)
			}
			err := wait(func() error {
				if err := syscall.Kill(child, 0); err == nil && !isZombie(child) {
					return errors.New("it runs")
				}
				return nil
			})
			if err != nil {
				t.Errorf("child %d of the build: %v", child, err)
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
	err := wait(func() error {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		pid, err = strconv.Atoi(string(bytes.TrimSpace(data)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
