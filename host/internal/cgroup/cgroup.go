// Package cgroup says how much memory the control groups of this process leave it.
// Package host, which divides that, imports it.
package cgroup

import (
	"bytes"
	"cmp"
	"math"
	"path"
	"strconv"
	"strings"
)

// Reader reads a file, as os.ReadFile does.
type Reader func(name string) ([]byte, error)

// Limit returns how many bytes of memory the control groups of this process
// (version 1 and 2), and those above them, leave it. Without a limit, or on a
// system without such groups, that is the largest number.
func Limit(read Reader) int64 {
	most := int64(math.MaxInt64)
	groups, err := read("/proc/self/cgroup")
	if err != nil {
		return most
	}
	mounts, _ := read("/proc/self/mountinfo") // without it the groups are at their usual places
	for line := range bytes.Lines(groups) {
		// ID:CONTROLLERS:PATH, where version 2 names no controllers.
		fields := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(fields) != 3 {
			continue
		}
		switch {
		case fields[1] == "":
			at := hierarchyOf(mounts, "cgroup2", "", "/sys/fs/cgroup")
			most = min(most, at.limit(read, fields[2], "memory.max", "memory.high"))
		case lists(fields[1], "memory"):
			at := hierarchyOf(mounts, "cgroup", "memory", "/sys/fs/cgroup/memory")
			most = min(most, at.limit(read, fields[2], "memory.limit_in_bytes"))
		}
	}
	return most
}

func lists(options, name string) bool {
	for option := range strings.SplitSeq(options, ",") {
		if option == name {
			return true
		}
	}
	return false
}

// hierarchy is where groups are to be read.
type hierarchy struct {
	mount string // a folder
	root  string // the group that it shows, a container's own for example
}

// hierarchyOf finds the mount of a kind that has an option, in the text of
// mountinfo (proc_pid_mountinfo(5)); usual is where it is else.
func hierarchyOf(mountinfo []byte, kind, option, usual string) hierarchy {
	for line := range bytes.Lines(mountinfo) {
		before, after, ok := strings.Cut(strings.TrimSpace(string(line)), " - ")
		mount, super := strings.Fields(before), strings.Fields(after)
		if !ok || len(mount) < 5 || len(super) < 3 || super[0] != kind {
			continue
		}
		if option == "" || lists(super[2], option) {
			return hierarchy{mount: mount[4], root: mount[3]}
		}
	}
	return hierarchy{mount: usual, root: "/"}
}

// limit returns the least of what the files say in a group and in those above it.
func (h hierarchy) limit(read Reader, group string, files ...string) int64 {
	most := int64(math.MaxInt64)
	below := path.Join("/", group)
	if rest, ok := strings.CutPrefix(below, h.root); ok && (rest == "" || rest[0] == '/') {
		below = path.Join("/", rest)
	}
	for at := below; ; at = path.Dir(at) {
		for _, file := range files {
			text, err := read(path.Join(h.mount, at, file))
			if n, bad := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); cmp.Or(err, bad) == nil && n < unlimited {
				most = min(most, n)
			}
		}
		if at == "/" {
			return most
		}
	}
}

// unlimited is less than what version 1 says where there is no limit: the largest
// number of whole pages. Version 2 says "max".
const unlimited = 1 << 62
