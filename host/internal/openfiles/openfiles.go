// Package openfiles is how many files the process may have open, and how many
// connections that leaves room for. Package host imports it.
package openfiles

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

const (
	// AdminConns is the number of admin connections open at a time.
	AdminConns = 256
	// others is how many files a host may open in addition to its connections and
	// to what is open at its start: admin connections, calls to services, bodies,
	// tables of the store.
	others = AdminConns + 384
	// fewest is the least number of public connections that is worth a start.
	fewest = 64
)

// Fit returns how many public connections and sockets there may be: as many as are
// wanted, max_conns and max_sockets, or fewer in proportion where the process may not
// open so many files, of which open are connections and sockets now. Without a descriptor
// the store could not write, and that is worse than a connection that is refused.
func Fit(conns, sockets int, in int64, log *slog.Logger) (int, int, error) {
	room, err := fit(conns+sockets, most(), max(open()-in, 0), log)
	if err != nil || room == conns+sockets {
		return conns, sockets, err
	}
	fewer := max(int(int64(room)*int64(conns)/int64(conns+sockets)), 1)
	return fewer, room - fewer, nil
}

func fit(wanted int, most, open int64, log *slog.Logger) (int, error) {
	room := most - open - others
	if room >= int64(wanted) {
		return wanted, nil
	}
	if room < fewest {
		return 0, fault.New(fault.Unavailable, "listen", fmt.Sprintf(
			"the process may open %d files, and the server needs at least %d; raise the limit (ulimit -n, LimitNOFILE=)", most, open+others+fewest))
	}
	log.Warn("the process may not open as many files as max_conns and max_sockets need, so fewer connections are taken; raise the limit (ulimit -n, LimitNOFILE=) or lower them",
		"limit", most, "wanted", wanted, "taken", room, "needed", int64(wanted)+open+others)
	return int(room), nil
}

// For returns how many files a host with so many public connections and sockets may have open, and
// how many the process may.
func For(conns int) (need, allowed int64) { return int64(conns) + others, most() }

// open returns how many files the process has open, 0 where nobody can say.
func open() int64 {
	files, err := os.ReadDir("/dev/fd")
	if err != nil {
		return 0
	}
	return int64(len(files))
}
