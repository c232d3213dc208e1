package prepare

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// niceness of a build: requests come first.
const niceness = 10

// prepareThread gives the calling goroutine a thread of its own, which ends with
// it, and makes that what the child is to be: unable to gain privileges, and
// nice. The child is killed when this thread ends.
func prepareThread() {
	runtime.LockOSThread()                               // never unlocked
	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) // every kernel since 3.5 has it
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, niceness) // of this thread; more than now is allowed
}

func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// limit sets the child's limits from outside; it does the same itself. A child
// that has ended needs none.
func limitProcess(p *os.Process, a allowance) {
	for _, r := range rlimits(a) {
		_ = unix.Prlimit(p.Pid, r.resource, &unix.Rlimit{Cur: r.value, Max: r.value}, nil)
	}
}
