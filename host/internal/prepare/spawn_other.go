//go:build !linux && !darwin && !freebsd

package prepare

import (
	"os"
	"os/exec"
)

func prepareThread() {}

func isolate(*exec.Cmd) {}

func limitProcess(*os.Process, allowance) {}

func killGroup(p *os.Process) { _ = p.Kill() }

// usageOf returns what a child used.
func usageOf(s *os.ProcessState) usage { return usage{cpu: s.UserTime() + s.SystemTime()} }

func wasKilled(*os.ProcessState) bool { return false }
