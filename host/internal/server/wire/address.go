package wire

import (
	"bytes"
	"net"
)

// AppendIP appends the client's address without its port.
func AppendIP(b []byte, addr net.Addr) []byte {
	ip, _ := addrOf(addr)
	return ip.AppendTo(b) // nothing of no address
}

// AppendRouteHost appends the host without its port, in lower case and without
// the dot of a fully qualified name: what mounts are compared with.
func AppendRouteHost(b, host []byte) []byte {
	name, _ := splitPort(host)
	name = bytes.TrimSuffix(name, []byte{'.'})
	for _, c := range name {
		b = append(b, LowerByte(c))
	}
	return b
}
