package e2e

import (
	"os/exec"
	"syscall"
)

// endsWithTest has the kernel kill what cmd starts when the test's process is gone,
// which then runs no cleanup: a server would hold its ports and go on for ever.
func endsWithTest(cmd *exec.Cmd) *exec.Cmd {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return cmd
}
