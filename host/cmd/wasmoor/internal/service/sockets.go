package service

import (
	"fmt"
	"net"
	"os"

	"github.com/coreos/go-systemd/v22/activation"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/server/socket"
)

// sockets are the listening sockets by the names of their listeners. They outlive
// the listeners, for a successor.
type sockets struct{ files map[string]*os.File }

// inherit takes the sockets that systemd passes (LISTEN_FDS), or a predecessor.
func inherit() (*sockets, error) {
	s := &sockets{files: map[string]*os.File{}}
	for _, f := range append(activation.Files(true), handedOver()...) {
		name := f.Name()
		if name != host.PublicListener && name != host.AdminListener && name != host.MetricsListener {
			return nil, cli.Usage("the process has inherited a socket named %q; the names are %q, %q and %q (FileDescriptorName= in the socket's unit)",
				name, host.PublicListener, host.AdminListener, host.MetricsListener)
		}
		if s.files[name] != nil {
			return nil, cli.Usage("the process has inherited two sockets named %q", name)
		}
		s.files[name] = f
	}
	return s, nil
}

// listen opens a listener on the inherited socket of that name, or at addr.
func (s *sockets) listen(name, addr string) (net.Listener, error) {
	if f := s.files[name]; f != nil {
		ln, err := net.FileListener(f)
		if err != nil {
			return nil, fmt.Errorf("the inherited socket %q: %w", name, err)
		}
		switch ln := ln.(type) {
		case *net.TCPListener:
			return ln, nil
		case *net.UnixListener:
			ln.SetUnlinkOnClose(false) // whoever made it may listen on it again
			return ln, nil
		}
		_ = ln.Close()
		return nil, fmt.Errorf("the inherited socket %q is one of neither TCP nor the file system", name)
	}
	ln, err := socket.Listen(addr)
	if err != nil {
		return nil, err
	}
	s.keep(name, ln)
	return ln, nil
}

// close closes the sockets, but for those that listeners have or that others hold.
func (s *sockets) close() {
	for _, f := range s.files {
		_ = f.Close()
	}
}
