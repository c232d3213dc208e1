package wire

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Problem is the body of an error response.
type Problem adminapi.Problem

// NewProblem returns the Problem of a response with the status.
func NewProblem(status int, code fault.Code, detail, requestID string) Problem {
	return Problem{
		Type:      "urn:wasmoor:" + string(code),
		Title:     http.StatusText(status),
		Status:    status,
		Code:      string(code),
		Detail:    detail,
		RequestID: requestID,
	}
}

func (p Problem) encode() []byte {
	body, err := json.Marshal(p)
	if err != nil { // strings and numbers: it cannot be
		return []byte(`{"type":"urn:wasmoor:internal","status":500}`)
	}
	return body
}

// Write makes p the response, whatever was written before.
func (p Problem) Write(ctx *fasthttp.RequestCtx) {
	ctx.Response.Reset()
	ctx.Response.SetStatusCode(p.Status)
	ctx.Response.Header.SetContentType(adminapi.TypeProblem)
	ctx.Response.Header.Set("X-Request-Id", p.RequestID)
	ctx.Response.Header.Set("Cache-Control", "no-store")
	ctx.Response.Header.Set("X-Content-Type-Options", "nosniff")
	ctx.Response.SetBodyRaw(p.encode())
}

// response is the refusal as bytes on the wire, with the end of the connection.
func (r *Refusal) response(id string) []byte {
	body := r.Problem(id).encode()
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nX-Request-Id: %s\r\n",
		r.Status, http.StatusText(r.Status), time.Now().UTC().Format(http.TimeFormat), adminapi.TypeProblem, len(body), id)
	if after := RetryAfter(r.Code); after != "" {
		b = fmt.Appendf(b, "Retry-After: %s\r\n", after)
	}
	b = append(b, "Connection: close\r\n\r\n"...)
	return append(b, body...)
}

// StatusLeft is the status that the log gives a request whose client has left, as
// nginx does. Nobody gets it.
const StatusLeft = 499

// StatusOf maps a fault to an HTTP status. The public side differs where its
// clients know nothing of plugins.
func StatusOf(code fault.Code) int {
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
	case fault.Left:
		return StatusLeft
	}
	return http.StatusInternalServerError
}

// RetryAfter returns the seconds after which a request is worth sending again,
// "" when it is not: after an unknown outcome a client must look first, and what
// is full stays so until somebody makes room.
func RetryAfter(code fault.Code) string {
	switch code {
	case fault.Conflict:
		return "1"
	case fault.Unavailable:
		return "5"
	}
	return ""
}

// What both sides say of faults whose own text stays in the log.
const (
	DetailInternal = "something went wrong inside the server; its operator finds the request id in the log"
	DetailUnknown  = "whether the change was kept is unknown; look before you try again"
)
