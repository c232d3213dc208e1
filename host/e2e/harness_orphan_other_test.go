//go:build !linux

package e2e

import "os/exec"

// endsWithTest can do nothing here.
func endsWithTest(cmd *exec.Cmd) *exec.Cmd { return cmd }
