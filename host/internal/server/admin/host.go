package admin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

var (
	refuseRebinding = wire.Refusing(http.StatusForbidden, fault.Denied,
		"this listener is local: reach it as localhost or by its address, and let a proxy send one of these as Host")
	refuseUpload = wire.Refusing(http.StatusRequestEntityTooLarge, fault.TooLarge, "the upload is over the limit of "+limit.FormatSize(limit.Module))
	refuseSlash  = wire.Bad("the path has an encoded slash")
	refuseTokens = wire.Bad("there is more than one Authorization")
)

// isLocal reports whether only this machine reaches a listener at addr. A
// browser on it must not be used by a site whose name was made to resolve to a
// loopback address (DNS rebinding): it sends that name as Host. A listener
// others can reach is reached by any name.
func isLocal(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// isLocalName reports whether a Host can be no site's: localhost, or a loopback
// address.
func isLocalName(host []byte) bool {
	name := strings.Trim(string(wire.AppendRouteHost(nil, host)), "[]")
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// needsToken reports whether a path shows or changes anything.
func needsToken(path string) bool {
	return path != wire.PathLive && path != wire.PathReady && path != pathOpenAPI && path != adminapi.PathLogin
}
