package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// problemType is the media type of every error the host makes (RFC 9457).
const problemType = "application/problem+json"

// problem is the body of an error response. Type is fixed for a code, so that a
// client can branch on it; Detail is for a person.
type problem struct {
	Type      string         `json:"type" doc:"urn:wasmoor: and the code" example:"urn:wasmoor:not_found"`
	Title     string         `json:"title" doc:"The meaning of the status"`
	Status    int            `json:"status" doc:"The HTTP status"`
	Code      fault.Code     `json:"code" doc:"What kind of failure it is" example:"not_found"`
	Detail    string         `json:"detail" doc:"What happened and what to do, for a person"`
	RequestID string         `json:"request_id" doc:"Names the request in the server's log"`
	Effects   string         `json:"effects,omitempty" doc:"What became of a handler's writes: none, committed or unknown"`
	Errors    []problemField `json:"errors,omitempty" doc:"Which parts of the request are wrong"`
}

var problemSchema = reflect.TypeFor[problem]()

// problemField says what is wrong with one part of a request.
type problemField struct {
	Message  string `json:"message" doc:"What is wrong"`
	Location string `json:"location,omitempty" doc:"Where, e.g. query.limit"`
}

func newProblem(status int, code fault.Code, detail, requestID string) problem {
	return problem{
		Type:      "urn:wasmoor:" + string(code),
		Title:     http.StatusText(status),
		Status:    status,
		Code:      code,
		Detail:    detail,
		RequestID: requestID,
	}
}

func (p problem) encode() []byte {
	body, err := json.Marshal(p)
	if err != nil { // strings and numbers: it cannot be
		return []byte(`{"type":"urn:wasmoor:internal","status":500}`)
	}
	return body
}

// response is the refusal as bytes on the wire, with the end of the connection.
func (r *refusal) response(id string) []byte {
	body := newProblem(r.status, r.code, r.detail, id).encode()
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nX-Request-Id: %s\r\n",
		r.status, http.StatusText(r.status), time.Now().UTC().Format(http.TimeFormat), problemType, len(body), id)
	if after := retryAfter(r.code); after != "" {
		b = fmt.Appendf(b, "Retry-After: %s\r\n", after)
	}
	b = append(b, "Connection: close\r\n\r\n"...)
	return append(b, body...)
}

// The effects member of a problem.
const (
	effectsNone      = "none"
	effectsCommitted = "committed"
	effectsUnknown   = "unknown"
)

// publicStatus maps a fault to the status a plugin's client gets.
func publicStatus(code fault.Code) int {
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
	return adminStatus(code)
}

// adminStatus maps a fault to the status an operator's client gets.
func adminStatus(code fault.Code) int {
	switch code {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Denied:
		return http.StatusForbidden
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Exhausted:
		return http.StatusInsufficientStorage
	case fault.Unavailable, fault.Unknown:
		return http.StatusServiceUnavailable
	case fault.Deadline:
		return http.StatusGatewayTimeout
	case fault.Trap, fault.BadReply:
		return http.StatusBadGateway
	}
	return http.StatusInternalServerError
}

// publicDetail says what happened to somebody who knows nothing of plugins. The
// fault's own message is for the author and the operator: it may quote a guest.
func publicDetail(code fault.Code) string {
	switch code {
	case fault.Conflict:
		return "other requests kept changing the same data; nothing was changed, try again"
	case fault.Exhausted:
		return "the storage for this is full; nothing was changed"
	case fault.Unavailable:
		return "the service cannot answer at the moment; nothing was changed, try again"
	case fault.Unknown:
		return "whether the change was kept is unknown; look before you try again"
	case fault.Deadline:
		return "the handler took too long; nothing was changed"
	case fault.Trap:
		return "the handler failed; nothing was changed"
	case fault.Mismatch:
		return "the Idempotency-Key was used before, for a request that differs from this one; nothing was changed"
	case fault.Done:
		return "a request with this Idempotency-Key was carried out before; its answer was too large to be kept"
	case fault.BadReply:
		return "the handler gave an answer that cannot be sent; nothing was changed"
	}
	return "something went wrong inside the server; its operator finds the request id in the log"
}

// retryAfter returns the seconds after which a request is worth sending again,
// "" when it is not: after an unknown outcome a client must look first, and what
// is full stays so until somebody makes room.
func retryAfter(code fault.Code) string {
	switch code {
	case fault.Conflict:
		return "1"
	case fault.Unavailable:
		return "5"
	}
	return ""
}
