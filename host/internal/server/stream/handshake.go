package stream

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 §4.2.2 wants it; nothing is kept secret with it
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Handshake is what a request says of the kind of stream that it wants.
type Handshake struct {
	Method, Upgrade, Connection, Version, Key, Protocols, Accept string
	HTTP11                                                       bool
}

// Refusals of Handshake.Judge.
var (
	ErrNoStream = fault.New(fault.Invalid, "open", "a socket is served at this path: ask for one, with the header fields of a WebSocket or with Accept: text/event-stream")
	ErrVersion  = fault.New(fault.Invalid, "open", "only version 13 of the WebSocket protocol is spoken here")
	ErrShake    = fault.New(fault.Invalid, "open", "the opening handshake of the WebSocket is malformed: it is a GET in HTTP/1.1 with Upgrade: websocket, Connection: Upgrade and a Sec-WebSocket-Key of 16 bytes in base64")
)

// Judge says what kind of stream is asked for. Errors: ErrNoStream, ErrVersion,
// ErrShake.
func (h *Handshake) Judge() (Kind, error) {
	if !listed(h.Upgrade, "websocket") {
		if h.Method == http.MethodGet && accepts(h.Accept) {
			return EventSource, nil
		}
		return 0, ErrNoStream
	}
	key, err := base64.StdEncoding.Strict().DecodeString(h.Key)
	switch {
	case h.Method != http.MethodGet || !h.HTTP11 || !listed(h.Connection, "upgrade") || err != nil || len(key) != 16:
		return 0, ErrShake
	case h.Version != "13":
		return 0, ErrVersion
	}
	return WebSocket, nil
}

// AcceptKey returns the value of Sec-WebSocket-Accept.
func (h *Handshake) AcceptKey() string {
	sum := sha1.Sum([]byte(h.Key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // as above
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Offers reports whether the client offers a subprotocol.
func (h *Handshake) Offers(protocol string) bool {
	if !field.IsToken(protocol) {
		return false
	}
	for offer := range strings.SplitSeq(h.Protocols, ",") {
		if strings.Trim(offer, " \t") == protocol {
			return true
		}
	}
	return false
}

// listed reports whether a list of tokens has one, in any case.
func listed(list, token string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(one, " \t"), token) {
			return true
		}
	}
	return false
}

// accepts reports whether Accept names text/event-stream. That it takes anything is not
// enough: it would be left with an answer that does not end.
func accepts(list string) bool {
	for one := range strings.SplitSeq(list, ",") {
		kind, _, _ := strings.Cut(one, ";")
		if strings.EqualFold(strings.Trim(kind, " \t"), "text/event-stream") {
			return true
		}
	}
	return false
}
