package server

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

var (
	refuseRebinding = refusing(http.StatusForbidden, fault.Denied,
		"this listener is local: reach it as localhost or by its address; a proxy's name must be allowed in the configuration")
	refuseOtherMethod = refusing(http.StatusNotImplemented, fault.Invalid, "the admin API has no such method")

	refuseTokens = bad("there is more than one Authorization")
	refuseToken  = refusing(http.StatusUnauthorized, fault.Unauthenticated,
		"an admin token is needed: send the header Authorization: Bearer TOKEN")
)

// hostRule keeps a browser on this machine from being used by a site whose name
// was made to resolve to a loopback address (DNS rebinding): it sends that
// site's name as Host. A listener others can reach is reached by any name.
type hostRule struct {
	local   bool
	allowed []string
}

func newHostRule(addr net.Addr, allowed []string) hostRule {
	tcp, ok := addr.(*net.TCPAddr)
	return hostRule{local: ok && tcp.IP.IsLoopback(), allowed: allowed}
}

func (r hostRule) allows(host []byte) bool {
	if !r.local {
		return true
	}
	name := strings.Trim(string(appendRouteHost(nil, host)), "[]")
	if name == "localhost" || slices.Contains(r.allowed, name) {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Unmap().IsLoopback()
}

// needsToken reports whether a path shows or changes anything.
func needsToken(path string) bool {
	return path != pathLive && path != pathReady && path != pathOpenAPI
}
