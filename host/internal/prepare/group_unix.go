//go:build linux || darwin || freebsd

package prepare

import (
	"os"
	"runtime"
	"syscall"
)

// killGroup ends a child with all that it may have started.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }

// usageOf returns what a child used.
func usageOf(s *os.ProcessState) usage {
	u := usage{cpu: s.UserTime() + s.SystemTime()}
	if r, ok := s.SysUsage().(*syscall.Rusage); ok {
		u.peak = r.Maxrss
		if runtime.GOOS != "darwin" { // which counts in bytes
			u.peak <<= 10
		}
	}
	return u
}

// wasKilled reports whether a child did not end by itself.
func wasKilled(s *os.ProcessState) bool {
	status, ok := s.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && (status.Signal() == syscall.SIGKILL || status.Signal() == syscall.SIGXCPU)
}
