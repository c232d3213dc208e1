//go:build darwin || freebsd

package prepare

import (
	"os"
	"os/exec"
	"syscall"
)

func prepareThread() {}

func isolate(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func limitProcess(*os.Process, allowance) {}
