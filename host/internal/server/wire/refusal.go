package wire

import (
	"net/http"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Refusal is the server's own answer to a request that reaches no handler. The
// gate closes the connection after its refusals: where such a request ends is
// not to be guessed. A Refusal is not changed once it is made.
type Refusal struct {
	Status int
	Code   fault.Code
	Detail string // for a person
	Allow  string // methods, with 405
	Close  bool   // the connection, where the gate has not done it
}

// Bad returns a Refusal with the status 400 that closes the connection.
func Bad(detail string) *Refusal {
	return Refusing(http.StatusBadRequest, fault.Invalid, detail)
}

// Refusing returns a Refusal that closes the connection.
func Refusing(status int, code fault.Code, detail string) *Refusal {
	return &Refusal{Status: status, Code: code, Detail: detail, Close: true}
}

// Problem returns the refusal as a body for the request with the id.
func (r *Refusal) Problem(id string) Problem {
	return NewProblem(r.Status, r.Code, r.Detail, id)
}

// Finish adds to a response that has the body of the refusal what else belongs to
// it: the methods that are allowed, when to try again, and the end of the
// connection.
func (r *Refusal) Finish(ctx *fasthttp.RequestCtx) {
	if after := RetryAfter(r.Code); after != "" {
		ctx.Response.Header.Set("Retry-After", after)
	}
	if r.Allow != "" {
		ctx.Response.Header.Set("Allow", r.Allow)
	}
	if r.Close {
		endConnection(ctx)
	}
}

// endConnection closes the connection after the response. Nothing the client sent
// after the request is served, but it gets a moment to read the answer.
func endConnection(ctx *fasthttp.RequestCtx) {
	ctx.SetConnectionClose()
	if c, ok := ctx.Conn().(*gateConn); ok {
		c.unread.Store(true)
	}
}

// Refused returns why the gate reads no further from the connection of a request
// that runs; nil while it does.
func Refused(ctx *fasthttp.RequestCtx) *Refusal {
	if c, ok := ctx.Conn().(*gateConn); ok {
		return c.refusal
	}
	return nil
}

// Unreadable returns why a request that the gate let through cannot be read: its
// body broke, or stopped.
func Unreadable(ctx *fasthttp.RequestCtx) *Refusal {
	if r := Refused(ctx); r != nil {
		return r
	}
	return refuseUnreadable
}
