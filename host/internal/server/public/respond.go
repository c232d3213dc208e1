package public

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// everyMethod answers OPTIONS *, which asks about the server as a whole.
const everyMethod = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// writeReply makes the guest's reply the response. Package invoke has checked
// the status, names and values.
func (p *Public) writeReply(ctx *fasthttp.RequestCtx, c *exchange) {
	reply, resp := &c.inv.Reply, &ctx.Response
	if reply.Blob != nil {
		p.writeBlob(ctx, c)
		return
	}
	large := len(reply.Body) > wire.KeptBuffer && !bodyless(reply.Status)
	held := p.sends.Share()
	if large && !held.Take(cap(reply.Body)) {
		p.failUnsent(ctx, c)
		return
	}
	resp.SetStatusCode(reply.Status)
	resp.Header.DisableNormalizing()
	for _, h := range reply.Headers {
		if !c.hostSets(h.Name) {
			resp.Header.Add(h.Name, h.Value)
		}
	}
	c.setID(ctx)
	if c.record.Replayed {
		resp.Header.Set(headerReplayed, "true")
	}
	if reply.Length >= 0 && reply.IsLengthOnly() && (reply.Status == http.StatusNotModified || !bodyless(reply.Status)) {
		resp.Header.Set("Content-Length", strconv.FormatInt(reply.Length, 10))
	}
	switch {
	case bodyless(reply.Status):
	case large: // fasthttp sends it after this exchange is reused
		resp.SetBodyStream(newSending(reply.Body, held), len(reply.Body))
		reply.Body = nil
	default:
		resp.SetBody(reply.Body)
	}
}

// sending is a body on its way to a client, who may take as long for it as
// WriteTimeout allows. fasthttp closes it when it has been sent or will not be.
type sending struct {
	bytes.Reader
	held limit.Share
}

func newSending(body []byte, held limit.Share) *sending {
	s := &sending{held: held}
	s.Reset(body)
	return s
}

// Close gives the memory back.
func (s *sending) Close() error {
	s.Reset(nil)
	s.held.Give()
	return nil
}

// failUnsent answers for a handler whose reply has no room. What it did stays
// done.
func (p *Public) failUnsent(ctx *fasthttp.RequestCtx, c *exchange) {
	const detail = "the answers that other clients have not read take all the memory there is for them"
	c.err = fault.New(fault.Unavailable, "respond", detail)
	problem := wire.NewProblem(http.StatusServiceUnavailable, fault.Unavailable, detail, c.id)
	problem.Effects = effectsOf(c.record.Outcome, fault.Unavailable)
	if c.record.Replayed {
		problem.Effects = effectsCommitted
	}
	if problem.Effects == effectsNone {
		writeProblem(ctx, problem, fault.Unavailable)
		return
	}
	problem.Write(ctx)
}

// hostSets reports whether a response field is not the guest's to set: Date is
// that of the server that answers, the id is the request's.
func (c *exchange) hostSets(name string) bool {
	return strings.EqualFold(name, "date") || strings.EqualFold(name, wire.HeaderRequestID) || strings.EqualFold(name, headerReplayed) ||
		c.match.CORS != nil && len(name) > len(corsPrefix) && strings.EqualFold(name[:len(corsPrefix)], corsPrefix)
}

// bodyless reports whether a response of the status has no content (RFC 9110
// §15.3.5, §15.3.6, §15.4.5).
func bodyless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusResetContent || status == http.StatusNotModified
}

func (c *exchange) setID(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("X-Request-Id", c.id)
}

// answerOptions answers OPTIONS for the host.
func (c *exchange) answerOptions(ctx *fasthttp.RequestCtx, allow string) {
	ctx.Response.SetStatusCode(http.StatusNoContent)
	ctx.Response.Header.Set("Allow", allow)
	c.setID(ctx)
}

// unrouted answers a request no handler wants: 204 to OPTIONS, 405 where other
// methods are served, 404 where nothing is.
func (p *Public) unrouted(ctx *fasthttp.RequestCtx, c *exchange) *wire.Refusal {
	if len(c.match.Allow) == 0 {
		if r := p.cfg.Author.unserved(c.path); r != nil {
			return r
		}
		return &wire.Refusal{Status: http.StatusNotFound, Code: fault.NotFound, Detail: "nothing is served at this path"}
	}
	allow := strings.Join(c.match.Allow, ", ")
	if c.method == http.MethodOptions {
		c.answerOptions(ctx, allow)
		return nil
	}
	return notAllowed(c.method, allow)
}

var refuseTrace = wire.Refusing(http.StatusNotImplemented, fault.Invalid, "TRACE is not offered")

// probed refuses what is not a probe at the path of one. GET and HEAD come here
// only to ask whether to send a body.
func (c *exchange) probed() *wire.Refusal {
	if c.method == http.MethodGet || c.method == http.MethodHead {
		return nil
	}
	return notAllowed(c.method, "GET, HEAD")
}

func notAllowed(method, allow string) *wire.Refusal {
	return &wire.Refusal{
		Status: http.StatusMethodNotAllowed, Code: fault.Invalid, Allow: allow,
		Detail: "the path is served, but not for " + method,
	}
}

// refuse answers a request that reached no handler.
func (p *Public) refuse(ctx *fasthttp.RequestCtx, c *exchange, r *wire.Refusal) {
	if c.match.Deployment == nil {
		p.edge.Refusals.Count(r.Status)
	}
	problem := r.Problem(c.id)
	problem.Effects = effectsNone
	writeProblem(ctx, problem, r.Code)
	if r.Status == http.StatusUpgradeRequired {
		ctx.Response.Header.Set("Upgrade", "websocket")
		ctx.Response.Header.Set("Sec-WebSocket-Version", "13")
	}
	r.Finish(ctx)
}

// fail answers for a handler that failed. The text is the server's: what failed
// is for the author and the operator to know.
func (p *Public) fail(ctx *fasthttp.RequestCtx, c *exchange) {
	code := fault.CodeOf(c.err)
	pause := dispatch.PausedBy(c.err)
	if pause != nil && !c.record.Called {
		p.failPaused(ctx, c, pause)
		return
	}
	detail := detailOf(code, c.record.Called)
	if p.cfg.Author != nil {
		detail = fault.MessageOf(c.err)
	}
	problem := wire.NewProblem(StatusOf(code), code, detail, c.id)
	problem.Effects = effectsOf(c.record.Outcome, code)
	if c.record.Called {
		problem.Write(ctx) // to try again may repeat the call
		return
	}
	writeProblem(ctx, problem, code)
}

// failPaused answers for a plugin that an operator has paused: with a page, if there
// is one.
func (p *Public) failPaused(ctx *fasthttp.RequestCtx, c *exchange, pause *plugin.Pause) {
	detail := "the service is paused by its operator; nothing was changed, try again later"
	if pause.Writes {
		detail = "the service takes no changes at the moment; nothing was changed, reading goes on"
	}
	problem := wire.NewProblem(http.StatusServiceUnavailable, fault.Unavailable, detail, c.id)
	problem.Effects = effectsNone
	problem.Write(ctx)
	if pause.Page != "" {
		ctx.Response.Header.SetContentType(pause.PageType)
		ctx.Response.SetBodyString(pause.Page)
	}
	ctx.Response.Header.Set("Retry-After", strconv.Itoa(int(pause.RetryAfter/time.Second)))
}

// writeProblem says next to the problem when to try again, where that helps.
func writeProblem(ctx *fasthttp.RequestCtx, p wire.Problem, code fault.Code) {
	p.Write(ctx)
	if after := wire.RetryAfter(code); after != "" {
		ctx.Response.Header.Set("Retry-After", after)
	}
}

// effectsOf says what became of the handler's writes when err ended it.
func effectsOf(outcome trace.Outcome, code fault.Code) string {
	switch {
	case outcome == trace.Committed || code == fault.Done:
		return effectsCommitted
	case outcome == trace.Unknown || code == fault.Unknown:
		return effectsUnknown
	}
	return effectsNone
}

func (p *Public) panicked(ctx *fasthttp.RequestCtx, c *exchange, reason any) {
	p.log.Error("panic in the server", "request_id", c.id, "reason", reason, "stack", string(debug.Stack()))
	c.record.Outcome = trace.Unknown
	c.err = fault.New(fault.Internal, "serve", fmt.Sprintf("panic: %v", reason))
	p.fail(ctx, c)
}

// unreadable answers what fasthttp could not read although the gate let it
// through: a body that stopped within its first bytes.
func (p *Public) unreadable(c *fiber.Ctx, _ error) error {
	r := wire.Unreadable(c.Context())
	p.edge.Refusals.Count(r.Status)
	problem := r.Problem(wire.NewRequestID())
	problem.Effects = effectsNone
	problem.Write(c.Context())
	return nil
}
