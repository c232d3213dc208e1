package wasi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// path answers e for a name in a directory, whose descriptor is that argument. No
// directory is open, but languages ask all the same, with a descriptor of none: for
// them there is an empty file system that takes no file. A standard stream is no
// directory. The name and its length are the arguments from name on.
func path(directory, name int, e errno) handler {
	return func(g *capability.Guest, args []uint64) errno {
		if uint32(args[directory]) <= stderr {
			return notdir
		}
		if text, ok := g.Mem.Range(args[name], min(args[name+1], maxPath)); ok {
			looked(g, string(text), e)
		}
		return e
	}
}

// maxPath bounds what is read of a path, in bytes.
const maxPath = 200

// pathOpen finds no file, and makes none.
func pathOpen(g *capability.Guest, args []uint64) errno {
	const create = 1 // of the open flags
	if args[4]&create != 0 {
		return path(0, 2, rofs)(g, args)
	}
	return path(0, 2, noent)(g, args)
}

// socket is for functions of sockets: nothing that is open is one.
func socket(g *capability.Guest, args []uint64) errno {
	g.Notice(invoke.NoSockets, "the guest uses a socket: "+noSockets)
	return stdio(notsock)(g, args)
}

const noSockets = "a plugin has no sockets; call services with sdk/fetch, or import sdk/nethttp, with which http.Client works"

// What languages look for by themselves.
var (
	// byItself are files that a library can do without.
	byItself = []string{"/etc/localtime", "/etc/mime.types", "/etc/apache/", "/etc/apache2/", "/etc/httpd/", "/usr/share/mime/", "/usr/local/share/mime/", "/dev/null"}
	// byNetwork are files that are read on the way to a connection.
	byNetwork = []string{"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/services", "/etc/protocols", "/etc/ssl/", "/etc/pki/"}
	// byZone are the places of time zones, of which Go tries one after the other.
	byZone = []string{"/usr/share/zoneinfo/", "/usr/share/lib/zoneinfo/", "/usr/lib/locale/TZ/", "/etc/zoneinfo/"}
)

// looked tells the log that the guest looked for a file, and what it could do instead.
func looked(g *capability.Guest, path string, e errno) {
	is := func(prefixes []string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix("/"+strings.TrimPrefix(path, "/"), prefix) })
	}
	switch {
	case is(byItself):
	case is(byNetwork):
		g.Notice(invoke.NoSockets, fmt.Sprintf("the guest reads %q to look up a name: %s", path, noSockets))
	case is(byZone), strings.HasSuffix(path, "/lib/time/zoneinfo.zip"):
		g.Notice(invoke.NoFiles, fmt.Sprintf("the guest looks for the time zone %q: a plugin has no files; in Go, import _ \"time/tzdata\"", path))
	case e == rofs && strings.Contains(path, "/multipart-"): // of Go's mime/multipart
		g.Notice(invoke.NoFiles, fmt.Sprintf("the guest writes an upload to the file %q: a plugin has no files; keep it in memory, in Go with r.ParseMultipartForm(r.ContentLength)", path))
	case e == rofs:
		g.Notice(invoke.NoFiles, fmt.Sprintf("the guest writes the file %q: a plugin has no files; keep data in the key-value store, in Go with sdk/kv", path))
	default:
		g.Notice(invoke.NoFiles, fmt.Sprintf("the guest looks for the file %q: a plugin has no files; pack it into the module, in Go with //go:embed", path))
	}
}
