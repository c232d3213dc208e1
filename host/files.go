package host

import (
	"fmt"
	"os"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

const (
	// adminConns is the number of admin connections open at a time.
	adminConns = 256
	// otherFiles is how many files a host may open in addition to its connections and
	// to what is open at its start: admin connections, calls to services, bodies,
	// tables of the store.
	otherFiles = adminConns + 384
	// fewestConns is the least number of public connections that is worth a start.
	fewestConns = 64
)

// connsThatFit returns how many public connections there may be: Config.MaxConns,
// or fewer where the process may not open so many files. Without a descriptor the
// store could not write, and that is worse than a connection that is refused.
func (h *Host) connsThatFit() (int, error) {
	return h.connsWithin(maxFiles(), openFiles())
}

func (h *Host) connsWithin(most, open int64) (int, error) {
	room := most - open - otherFiles
	if room >= int64(h.cfg.MaxConns) {
		return h.cfg.MaxConns, nil
	}
	if room < fewestConns {
		return 0, fault.New(fault.Unavailable, "listen", fmt.Sprintf(
			"the process may open %d files, and the server needs at least %d; raise the limit (ulimit -n, LimitNOFILE=)", most, open+otherFiles+fewestConns))
	}
	h.cfg.Log.Warn("the process may not open as many files as max_conns needs, so fewer connections are taken; raise the limit (ulimit -n, LimitNOFILE=) or lower max_conns",
		"limit", most, "max_conns", h.cfg.MaxConns, "taken", room, "needed", int64(h.cfg.MaxConns)+open+otherFiles)
	return int(room), nil
}

// openFiles returns how many files the process has open, 0 where nobody can say.
func openFiles() int64 {
	files, err := os.ReadDir("/dev/fd")
	if err != nil {
		return 0
	}
	return int64(len(files))
}
