package host

import (
	"bytes"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/cgroup"
	"github.com/wasmoor/wasmoor/host/internal/footprint"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// What version 1 says without a limit, and lines of mountinfo.
const (
	v1None     = "9223372036854771712\n"
	v1Mount    = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
	v2Mount    = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	hybrid     = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n" + v1Mount + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	v1InDocker = "812 800 0:32 /docker/f00 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
)

func TestGroupLimit(t *testing.T) {
	const none = math.MaxInt64
	for name, c := range map[string]struct {
		groups, mounts string
		files          map[string]string // below /sys/fs/cgroup
		want           int64
	}{
		"no groups":                   {"", "", nil, none},
		"no limit":                    {"0::/a\n", v2Mount, map[string]string{"/a/memory.max": "max\n"}, none},
		"its own limit":               {"0::/a\n", v2Mount, map[string]string{"/a/memory.max": "4096\n"}, 4096},
		"without mountinfo":           {"0::/a\n", "", map[string]string{"/a/memory.max": "4096\n"}, 4096},
		"one that only slows it down": {"0::/a\n", v2Mount, map[string]string{"/a/memory.max": "max\n", "/a/memory.high": "4096\n"}, 4096},
		"a limit above": {"1:name=systemd:/\n0::/a/b/c\n", v2Mount, map[string]string{
			"/a/b/c/memory.max": "max\n", "/a/b/memory.max": "8192\n", "/a/memory.max": "4096\n",
		}, 4096},
		"of a container":     {"0::/\n", v2Mount, map[string]string{"/memory.max": "1048576\n"}, 1 << 20},
		"outside its root":   {"0::/../..\n", v2Mount, map[string]string{"/memory.max": "77\n"}, 77},
		"no number and more": {"0::/a\n", v2Mount, map[string]string{"/a/memory.max": "99999999999999999999\n"}, none},
		"a path with colons": {"0::/a:b\n", v2Mount, map[string]string{"/a:b/memory.max": "4096\n"}, 4096},

		"version 1":           {"4:memory:/a\n0::/\n", hybrid, map[string]string{"/memory/a/memory.limit_in_bytes": "4096\n"}, 4096},
		"version 1, no limit": {"4:memory:/a\n0::/\n", hybrid, map[string]string{"/memory/a/memory.limit_in_bytes": v1None}, none},
		"version 1, a limit above": {"4:memory:/a/b\n0::/\n", hybrid, map[string]string{
			"/memory/a/b/memory.limit_in_bytes": v1None, "/memory/a/memory.limit_in_bytes": "8192\n", "/memory/memory.limit_in_bytes": v1None,
		}, 8192},
		"version 1 with others":      {"4:cpu,memory:/a\n", "", map[string]string{"/memory/a/memory.limit_in_bytes": "4096\n"}, 4096},
		"version 1 elsewhere":        {"4:memory:/a\n", "35 31 0:32 / /sys/fs/cgroup/m rw - cgroup cgroup rw,memory\n", map[string]string{"/m/a/memory.limit_in_bytes": "4096\n"}, 4096},
		"version 1 in a container":   {"4:memory:/docker/f00\n", v1InDocker, map[string]string{"/memory/memory.limit_in_bytes": "4096\n"}, 4096},
		"version 1, below container": {"4:memory:/docker/f00/b\n", v1InDocker, map[string]string{"/memory/b/memory.limit_in_bytes": "4096\n", "/memory/memory.limit_in_bytes": v1None}, 4096},
		"another's controller":       {"4:memory2:/a\n", "", map[string]string{"/memory/a/memory.limit_in_bytes": "4096\n"}, none},
		"garbage":                    {"4:memory\n:::::\n\n", "- -\n" + v1Mount[:20], map[string]string{"/memory.max": "4096\n"}, 4096},
	} {
		t.Run(name, func(t *testing.T) {
			got := cgroup.Limit(func(file string) ([]byte, error) {
				text, ok := c.files[strings.TrimPrefix(file, "/sys/fs/cgroup")]
				switch file {
				case "/proc/self/cgroup":
					text, ok = c.groups, c.groups != ""
				case "/proc/self/mountinfo":
					text, ok = c.mounts, c.mounts != ""
				}
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

// TestTooLittleMemory: what the parts may take together is said with the keys to
// change.
func TestTooLittleMemory(t *testing.T) {
	c := DefaultConfig()
	c.Build = []string{"x"}
	parts := c.memoryParts()
	all, _ := footprint.Sum(parts)
	got := footprint.TooLittle(parts, all, all-3<<19)
	for _, p := range parts {
		if !strings.Contains(got, p.What+" "+limit.FormatSize(p.Bytes)) || !strings.Contains(got, p.Key) {
			t.Errorf("%q does not name %q with its size and its key", got, p.What)
		}
	}
	if !strings.Contains(got, "lower keys by 2MiB") {
		t.Errorf("%q does not say by how much", got)
	}
}

func TestHeapLimit(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct{ all, heap, most, want int64 }{
		"no group":             {2000 * mib, 900 * mib, math.MaxInt64, 900 * mib},
		"a group that is more": {2000 * mib, 900 * mib, 3000 * mib, 900 * mib},
		"one that is less":     {2000 * mib, 900 * mib, 1000 * mib, 450 * mib},
		"one of nothing":       {2000 * mib, 900 * mib, 1, 128 * mib},
		"without a bound":      {math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64},
	} {
		if got := footprint.HeapLimit(c.all, c.heap, c.most); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestMemoryLimit: a limit that somebody set stays.
func TestMemoryLimit(t *testing.T) {
	before := debug.SetMemoryLimit(5 << 30)
	defer debug.SetMemoryLimit(before)
	var log bytes.Buffer
	h := &Host{cfg: DefaultConfig()}
	h.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	h.boundMemory(&h.cfg)
	if got := debug.SetMemoryLimit(-1); got != 5<<30 {
		t.Errorf("a limit of 5 GiB became %d", got)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	h.boundMemory(&h.cfg)
	all, heap := footprint.Sum(h.cfg.memoryParts())
	if got, want := debug.SetMemoryLimit(-1), footprint.HeapLimit(all, heap, cgroup.Limit(os.ReadFile)); got != want {
		t.Errorf("the limit is %d, want %d", got, want)
	}
}

// TestOperatingMemoryIsTheCode: the table of what a server takes.
func TestOperatingMemoryIsTheCode(t *testing.T) {
	table := operating(t)
	c := DefaultConfig()
	c.Build = []string{"x"}
	parts := c.memoryParts()
	all, _ := footprint.Sum(parts)
	for _, p := range append(parts, footprint.Part{What: "all together", Bytes: all}) {
		row := table["memory of "+p.What]
		if p.What == "all together" {
			row = table[p.What]
		}
		if len(row) < 2 || row[0] != p.Key || row[1] != limit.FormatSize(p.Bytes) {
			t.Errorf("OPERATING.md has %q for %q, the code %q of %s", row, p.What, p.Key, limit.FormatSize(p.Bytes))
		}
	}
}
