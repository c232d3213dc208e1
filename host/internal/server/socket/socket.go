// Package socket opens the sockets that listeners have: of TCP, or in the file
// system. Packages host and cmd/wasmoor/internal/service import it.
package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// Path returns the path of a unix socket that an address such as
// unix:/run/wasmoor/admin.sock names.
func Path(addr string) (string, bool) {
	path, ok := strings.CutPrefix(addr, "unix:")
	return path, ok && path != ""
}

// Check returns why nothing could listen at an address, as far as its text says.
func Check(addr string) error {
	path, unix := Path(addr)
	_, _, err := net.SplitHostPort(addr)
	switch {
	case addr == "unix:":
		return errors.New("unix: names no path; write e.g. unix:/run/wasmoor/admin.sock")
	case unix && len(path) > maxPath:
		return fmt.Errorf("the path of the socket %q has %d bytes; the system takes %d", path, len(path), maxPath)
	case !unix && err != nil:
		return fmt.Errorf("%q is not host:port, nor unix:PATH", addr)
	}
	return nil
}

// maxPath is how long the path of a unix socket may be (sun_path, with its end).
const maxPath = 107

// Listen listens at host:port or unix:PATH. A socket of the file system may be
// used by its owner and group (mode 0660). It stays there after Close, for a
// successor that has it may serve on; one that nobody listens on is replaced.
func Listen(addr string) (net.Listener, error) {
	path, unix := Path(addr)
	if !unix {
		return net.Listen("tcp", addr)
	}
	if err := clear(path); err != nil {
		return nil, err
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

// clear removes a socket that nobody listens on, and nothing else.
func clear(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is no socket; name another path, or remove it", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("a process listens on %s", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}
