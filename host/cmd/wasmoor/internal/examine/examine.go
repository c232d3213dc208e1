// Package examine finds out what is wrong with a machine, a configuration and a data
// directory before a server says so. `wasmoor doctor` shows it.
package examine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/openfiles"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/disk"
)

// How much a finding matters.
const (
	OK   = "ok"
	Warn = "warn" // it will go wrong, or is less safe or slower than it could be
	Fail = "fail" // a server does not start, or does not do what it should
)

// Finding is what Examine found out about one thing.
type Finding struct {
	About string `json:"about"`
	State string `json:"state"`
	What  string `json:"what"`
	Mend  string `json:"mend,omitempty"` // what to do; "" where nothing is
}

// All looks at the machine, a configuration and its data directory, whether or not
// a host runs there, and changes nothing. It takes a few milliseconds.
func All(c host.Config) []Finding {
	return []Finding{
		examineSettings(c), examineReach(c), examineCertificate(c, time.Now()), examineData(c), examineToken(c), examineDisk(c),
		examineMemory(c), examineFiles(c), examineReset(),
	}
}

func ok(about, what string, args ...any) Finding {
	return Finding{About: about, State: OK, What: fmt.Sprintf(what, args...)}
}

func examineSettings(c host.Config) Finding {
	if err := c.Validate(); err != nil {
		return Finding{"settings", Fail, fault.MessageOf(err), "change the key; `wasmoor config show` says where it was set"}
	}
	return ok("settings", "serve would take them")
}

// examineReach looks who reaches the admin listener.
func examineReach(c host.Config) Finding {
	const about = "admin listener"
	name, _, err := net.SplitHostPort(c.AdminAddr)
	if err != nil {
		return ok(about, "%s", c.AdminAddr) // a unix socket, or the settings say what is wrong
	}
	addr, err := netip.ParseAddr(name)
	local := name == "localhost" || err == nil && addr.IsLoopback()
	if !local && c.AdminTLSCert == "" {
		return Finding{
			about, Warn, fmt.Sprintf("%s is reached from other machines, and tokens pass unencrypted", c.AdminAddr),
			"listen on 127.0.0.1, or set admin_tls_cert and admin_tls_key",
		}
	}
	return ok(about, "%s", c.AdminAddr)
}

// renewBefore is how long before its end a certificate should have been replaced.
const renewBefore = 14 * 24 * time.Hour

func examineCertificate(c host.Config, now time.Time) Finding {
	const about = "certificate"
	if c.TLSCert == "" {
		return ok(about, "none: the public listener speaks plain HTTP")
	}
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	switch {
	case err != nil:
		return Finding{about, Fail, err.Error(), "name a PEM file and its key, without a passphrase"}
	case now.After(pair.Leaf.NotAfter):
		return Finding{about, Fail, "it has expired on " + pair.Leaf.NotAfter.Format(time.DateOnly), "replace the files; a server takes them up by itself"}
	case now.Add(renewBefore).After(pair.Leaf.NotAfter):
		return Finding{about, Warn, "it expires on " + pair.Leaf.NotAfter.Format(time.DateOnly), "replace the files; a server takes them up by itself"}
	}
	return ok(about, "valid until %s", pair.Leaf.NotAfter.Format(time.DateOnly))
}

func examineData(c host.Config) Finding {
	const about = "data folder"
	info, err := os.Stat(c.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ok(about, "%s is not there yet; serve makes it", c.DataDir)
	case err != nil:
		return Finding{about, Fail, err.Error(), "give this user access to it"}
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		return Finding{about, Warn, fmt.Sprintf("others can reach %s (mode %04o)", c.DataDir, info.Mode().Perm()), "chmod 700 " + c.DataDir}
	}
	if err := host.CheckFolder(c.DataDir); err != nil {
		return Finding{about, Fail, fault.MessageOf(err), "start it with the binary that wrote it, or a newer one"}
	}
	return ok(about, "%s, in formats of this binary", c.DataDir)
}

func examineToken(c host.Config) Finding {
	const about = "admin token"
	file := c.TokenFile
	if file == "" {
		file = host.TokenFile(c.DataDir)
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ok(about, "%s is not there yet; serve makes it", file)
	case err != nil:
		return Finding{about, Fail, err.Error(), "give this user access to it"}
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		return Finding{about, Fail, fmt.Sprintf("others can read %s (mode %04o)", file, info.Mode().Perm()), "chmod 600 " + file}
	}
	return ok(about, "%s", file)
}

// roomyDisk is how many times the least free space should be free.
const roomyDisk = 4

func examineDisk(c host.Config) Finding {
	const about = "disk"
	dir := c.DataDir
	if _, err := os.Stat(dir); err != nil {
		dir = "."
	}
	free, err := disk.Free(dir)
	size := limit.FormatSize(free &^ (1<<20 - 1))
	switch {
	case err != nil:
		return Finding{about, Warn, "nobody can tell how much is free: " + err.Error(), "watch the disk; min_free_disk does nothing there"}
	case c.MinFreeDisk == 0:
		return Finding{about, Warn, size + " are free, and min_free_disk is 0: a full disk ends the server", "set min_free_disk to 256MiB or more"}
	case free < c.MinFreeDisk:
		return Finding{about, Fail, fmt.Sprintf("%s are free, less than min_free_disk (%s): writes are refused", size, limit.FormatSize(c.MinFreeDisk)), "free some"}
	case free < roomyDisk*c.MinFreeDisk:
		return Finding{about, Warn, fmt.Sprintf("%s are free; writes are refused below %s", size, limit.FormatSize(c.MinFreeDisk)), "free some"}
	}
	return ok(about, "%s are free", size)
}

func examineMemory(c host.Config) Finding {
	const about = "memory"
	all, most := host.MemoryFor(c)
	most = min(most, machineMemory())
	if most == math.MaxInt64 {
		return ok(about, "the server may take %s", limit.FormatSize(all))
	}
	if all > most {
		return Finding{
			about, Warn, fmt.Sprintf("the server may take %s, and there are %s", limit.FormatSize(all), limit.FormatSize(most&^(1<<20-1))),
			"lower max_build_memory, max_guest_memory or other keys of the chapter Memory in OPERATING.md, or give it more",
		}
	}
	return ok(about, "the server may take %s of %s", limit.FormatSize(all), limit.FormatSize(most&^(1<<20-1)))
}

// machineMemory returns how many bytes the machine has, MaxInt64 where nobody says.
func machineMemory() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return math.MaxInt64
	}
	var kib int64
	if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kib); err != nil {
		return math.MaxInt64
	}
	return kib << 10
}

func examineFiles(c host.Config) Finding {
	const about = "open files"
	if need, most := openfiles.For(c.MaxConns + c.MaxSockets); most < need {
		return Finding{
			about, Warn, fmt.Sprintf("the process may open %d files, and max_conns and max_sockets need %d: fewer connections are taken", most, need),
			"raise the limit (ulimit -n, LimitNOFILE=), or lower them",
		}
	}
	return ok(about, "enough for %d connections and %d sockets", c.MaxConns, c.MaxSockets)
}

// examineReset says how instances are put back.
func examineReset() Finding {
	const about = "instances"
	switch means := linear.Means(); means {
	case "":
		return Finding{about, Warn, "nothing tells which memory a request has written, so each copies its instance's", "serve on Linux 6.7 or newer, in a container or sandbox that lets the process read /proc/self/pagemap"}
	case "pagemap":
		return Finding{about, Warn, "the kernel tells page by page which memory a request has written", "Linux 6.7 and newer tell it at once, which is faster"}
	default:
		return ok(about, "put back by what a request has written (%s)", means)
	}
}
