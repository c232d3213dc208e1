// Package head reads what a request says before its body, in memory of the request's own.
package head

import (
	"bytes"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// Head is what a request says. Its strings may be kept, its slices until it is read again.
type Head struct {
	ID                        string // the client's, or a new one
	Method, Path, Query, Host string // as received
	RouteHost                 string // the host in lower case, without a port
	Remote                    string // IP address of the peer
	Headers                   []abi.Pair
	// Options are those of Connection, joined by commas.
	Options string

	text []byte // where it is assembled
	at   []place
}

// place is where a field is in the text.
type place struct{ name, value, end int }

// Read reads the parts of a head that the gate has let through, in one allocation. Names of
// fields get lower case. Those that belong to the connection are left out.
func (h *Head) Read(method, target, lines []byte, remote net.Addr, now time.Time) {
	path, query := wire.SplitTarget(target)
	b := append(h.text[:0], method...)
	b = append(b, path...)
	pathEnd := len(b)
	b = append(b, query...)
	queryEnd := len(b)
	b = wire.AppendIP(b, remote)
	remoteEnd := len(b)
	b, host, id := h.appendLines(b, lines)
	hostEnd := len(b)
	b = wire.AppendRouteHost(b, b[host.value:host.end])
	routeEnd := len(b)
	b = wire.AppendRequestID(b, b[id.value:id.end], now)
	h.text = b

	s := string(b)
	h.Method, h.Path, h.Query, h.Remote = s[:len(method)], s[len(method):pathEnd], s[pathEnd:queryEnd], s[queryEnd:remoteEnd]
	h.Host, h.RouteHost, h.ID = s[host.value:host.end], s[hostEnd:routeEnd], s[routeEnd:]
	h.takeFields(s)
}

// Reset forgets the request, and keeps the room it took.
func (h *Head) Reset() {
	clear(h.Headers)
	*h = Head{Headers: h.Headers[:0], text: h.text, at: h.at}
}

// appendLines appends the names and values of fields, and notes where they are. It returns
// where the host and the request's id are.
func (h *Head) appendLines(b, lines []byte) (text []byte, host, id place) {
	h.at = h.at[:0]
	for len(lines) > 2 {
		end := bytes.IndexByte(lines, '\n')
		line := lines[:end-1]
		lines = lines[end+1:]
		colon := bytes.IndexByte(line, ':')
		f := place{name: len(b)}
		for _, c := range line[:colon] {
			b = append(b, wire.LowerByte(c))
		}
		f.value = len(b)
		b = append(b, wire.TrimOWS(line[colon+1:])...)
		f.end = len(b)
		switch string(b[f.name:f.value]) {
		case "host":
			host = f
		case wire.HeaderRequestID:
			if id.end == 0 {
				id = f
			}
		}
		h.at = append(h.at, f)
	}
	return b, host, id
}

// takeFields makes the fields out of the text, in order and repeated.
func (h *Head) takeFields(s string) {
	h.Headers, h.Options = h.Headers[:0], ""
	for _, f := range h.at {
		name, value := s[f.name:f.value], s[f.value:f.end]
		switch {
		case !field.IsHopByHop(name):
			h.Headers = append(h.Headers, abi.Pair{Name: name, Value: value})
		case name == "connection" && h.Options == "":
			h.Options = value
		case name == "connection":
			h.Options += "," + value
		}
	}
	h.dropNominated(h.Options)
}

// dropNominated removes the fields that Connection says are for this connection
// (RFC 9110 §7.6.1).
func (h *Head) dropNominated(options string) {
	for options != "" {
		var option string
		option, options, _ = strings.Cut(options, ",")
		switch option = strings.ToLower(strings.Trim(option, " \t")); option {
		case "", "close", "keep-alive", "upgrade", "te", "host": // the host of a request is not for one connection
			continue
		}
		if field.IsForwarded(option) {
			continue // a client would have the host believe that the proxy asks
		}
		h.Headers = slices.DeleteFunc(h.Headers, func(p abi.Pair) bool { return p.Name == option })
	}
}

// IsPlain reports whether the connection is for further requests after this one, and the
// client expects nothing but an answer.
func (h *Head) IsPlain() bool {
	if h.Options != "" && !strings.EqualFold(h.Options, "keep-alive") {
		return false
	}
	for i := range h.Headers {
		if h.Headers[i].Name == "expect" {
			return false
		}
	}
	return true
}
