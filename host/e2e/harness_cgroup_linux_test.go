package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// cgroup is a control group that limits memory.
type cgroup struct {
	dir   string
	limit string // its files
	peak  string
	usage string
	kills string
}

// newCgroup makes a control group of version 1 or 2 below that of this process,
// which has so many bytes of memory. The error says that this machine lets us make
// none.
func newCgroup(t testing.TB, bytes int64) (*cgroup, error) {
	t.Helper()
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	err = errors.New("no control group for memory")
	for line := range strings.Lines(string(groups)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		var c *cgroup
		switch {
		case len(fields) != 3:
			continue
		case fields[1] == "":
			c = &cgroup{"/sys/fs/cgroup" + fields[2], "memory.max", "memory.peak", "memory.current", "memory.events"}
		case strings.Contains(","+fields[1]+",", ",memory,"):
			c = &cgroup{"/sys/fs/cgroup/memory" + fields[2], "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.usage_in_bytes", "memory.oom_control"}
		default:
			continue
		}
		c.dir = filepath.Join(c.dir, fmt.Sprintf("wasmoor-test-%d-%d", os.Getpid(), bytes))
		if err = c.make(bytes); err == nil {
			t.Cleanup(func() { _ = os.Remove(c.dir) }) // once nothing is in it
			return c, nil
		}
	}
	return nil, err
}

func (c *cgroup) make(bytes int64) error {
	if err := os.Mkdir(c.dir, 0o755); err != nil {
		return err
	}
	err := os.WriteFile(filepath.Join(c.dir, c.limit), []byte(strconv.FormatInt(bytes, 10)), 0o600)
	if err != nil {
		_ = os.Remove(c.dir)
	}
	return err
}

// bytes returns the number in a file of the group.
func (c *cgroup) bytes(t testing.TB, file string) int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, file))
	if err != nil {
		return 0 // memory.peak is there since Linux 5.19
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// killed returns how many processes of the group were ended for want of memory.
func (c *cgroup) killed(t testing.TB) int {
	return number(readLines(t, filepath.Join(c.dir, c.kills)), "oom_kill ")
}

// enter has a command start in the group: its shell goes in first.
func (c *cgroup) enter(program string, args []string) []string {
	script := `echo $$ > "$0/cgroup.procs" && exec "$@"`
	return append([]string{"sh", "-c", script, c.dir, program}, args...)
}
