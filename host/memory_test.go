package host

import (
	"bytes"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
)

func TestGroupLimit(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"no groups":     {nil, math.MaxInt64},
		"version 1":     {map[string]string{"/proc/self/cgroup": "3:memory:/a\n"}, math.MaxInt64},
		"no limit":      {map[string]string{"/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "max\n"}, math.MaxInt64},
		"its own limit": {map[string]string{"/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "4096\n"}, 4096},
		"a limit above": {map[string]string{
			"/proc/self/cgroup": "1:name=systemd:/\n0::/a/b/c\n", "/sys/fs/cgroup/a/b/c/memory.max": "max\n",
			"/sys/fs/cgroup/a/b/memory.max": "8192\n", "/sys/fs/cgroup/a/memory.max": "4096\n",
		}, 4096},
		"of a container":     {map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "1048576\n"}, 1 << 20},
		"outside its root":   {map[string]string{"/proc/self/cgroup": "0::/../..\n", "/sys/fs/cgroup/memory.max": "77\n"}, 77},
		"no number and more": {map[string]string{"/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "99999999999999999999\n"}, math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			got := groupLimit(func(file string) ([]byte, error) {
				text, ok := c.files[file]
				if !ok {
					return nil, fs.ErrNotExist
				}
				return []byte(text), nil
			})
			if got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

// What the parts may take together is said with the keys to change.
func TestMemoryWarning(t *testing.T) {
	var log bytes.Buffer
	h := &Host{cfg: DefaultConfig()}
	h.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	h.cfg.MaxGuestMemory = math.MaxInt64 / 2
	h.checkMemory()
	limited := groupLimit(os.ReadFile) < h.cfg.MaxGuestMemory
	if got := strings.Contains(log.String(), "max_build_memory"); got != limited {
		t.Errorf("a warning: %v, want %v: %s", got, limited, log.String())
	}
}
