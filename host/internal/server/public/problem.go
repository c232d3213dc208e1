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

// statusOf maps a fault to the status a plugin's client gets.
func statusOf(code fault.Code) int {
	switch code {
	case fault.Conflict, fault.Unavailable, fault.Unknown:
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
func detailOf(code fault.Code) string {
	switch code {
	case fault.Conflict:
		return "other requests kept changing the same data; nothing was changed, try again"
	case fault.Exhausted:
		return "the storage for this is full; nothing was changed"
	case fault.Unavailable:
		return "the service cannot answer at the moment; nothing was changed, try again"
	case fault.Unknown:
		return wire.DetailUnknown
	case fault.Deadline:
		return "the handler took too long; nothing was changed"
	case fault.Trap:
		return "the handler failed; nothing was changed"
	case fault.Mismatch:
		return "the Idempotency-Key was used before, for a request that differs from this one; nothing was changed"
	case fault.Done:
		return "a request with this Idempotency-Key was carried out before; its answer was too large to be kept"
	case fault.Left:
		return "the client has left; nothing was changed"
	case fault.BadReply:
		return "the handler gave an answer that cannot be sent; nothing was changed"
	}
	return wire.DetailInternal
}
