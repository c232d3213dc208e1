package prepare

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// activity returns how long the threads of a process have computed and waited for
// a processor, together, and whether one of them does so now: how long it has waited
// is counted when it gets one. It is unknown of a kernel that does not count that.
func activity(pid int) (active time.Duration, now, known bool) {
	tasks := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(tasks)
	if err != nil {
		return 0, false, false
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(tasks + "/" + thread.Name() + "/stat")
		text, failed := os.ReadFile(tasks + "/" + thread.Name() + "/schedstat")
		if err != nil || failed != nil {
			continue // it has ended
		}
		now = now || bytes.Contains(stat, []byte(") R "))
		var computed, waited, slices int64
		if _, err := fmt.Sscan(string(text), &computed, &waited, &slices); err == nil {
			active, known = active+time.Duration(computed+waited), true
		}
	}
	return active, now, known
}

// peakMemory returns how many bytes of memory this process had at the most. What
// the kernel tells of a process that has ended is no less than what its parent had
// when it was started.
func peakMemory() int64 { return 1 << 10 * countIn("/proc/self/status", "VmHWM:") }

// memoryKills returns how many processes the kernel has killed because memory
// ended, of the machine or of a control group.
func memoryKills() int64 { return countIn("/proc/vmstat", "oom_kill ") }

// countIn returns the number that follows a name at the start of a line of a
// file, 0 if there is none.
func countIn(file, name string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest + " 0")[0], 10, 64)
			return n
		}
	}
	return 0
}
