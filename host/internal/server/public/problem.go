package public

import (
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// The effects member of a problem.
const (
	effectsNone      = "none"
	effectsCommitted = "committed"
	effectsUnknown   = "unknown"
)

// StatusOf maps a fault to the status a plugin's client gets.
func StatusOf(code fault.Code) int {
	switch code {
	case fault.Conflict, fault.Diverged, fault.Unavailable, fault.Unknown:
		return http.StatusServiceUnavailable
	case fault.Trap, fault.BadReply:
		return http.StatusBadGateway
	case fault.Mismatch:
		return http.StatusUnprocessableEntity
	case fault.Done:
		return http.StatusConflict
	}
	return wire.StatusOf(code)
}

// detailOf says what happened to somebody who knows nothing of plugins. The
// fault's own message is for the author and the operator: it may quote a guest.
// called says that the handler had called a service before it failed.
func detailOf(code fault.Code, called bool) string {
	nothing, then := "nothing was changed", ", try again"
	if called {
		nothing, then = "nothing was changed here, but a call to another service was made", "; look before you try again"
	}
	switch code {
	case fault.Conflict:
		return "other requests kept changing the same data; " + nothing + then
	case fault.Diverged:
		return "other requests changed what this one had read before its call; " + nothing + then
	case fault.Exhausted:
		return "the storage for this is full; " + nothing
	case fault.Unavailable:
		return "the service cannot answer at the moment; " + nothing + then
	case fault.Unknown:
		return wire.DetailUnknown
	case fault.Deadline:
		return "the handler took too long; " + nothing
	case fault.Trap:
		return "the handler failed; " + nothing
	case fault.Mismatch:
		return "the Idempotency-Key was used before, for a request that differs from this one; " + nothing
	case fault.Done:
		return "a request with this Idempotency-Key was carried out before; its answer was too large to be kept"
	case fault.Left:
		return "the client has left; " + nothing
	case fault.BadReply:
		return "the handler gave an answer that cannot be sent; " + nothing
	}
	return wire.DetailInternal
}
