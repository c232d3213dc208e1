package public

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/cache"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// The header fields that say how old an answer is, and what a cache made of a request
// (RFC 9211).
const (
	headerAge    = "Age"
	headerStatus = "Cache-Status"
	statusHit    = "wasmoor; hit"
	statusMiss   = "wasmoor; fwd=" // and why
)

// asksCache reports whether a request may be answered from the cache, or leave its answer
// there. A paused plugin answers nothing.
func (p *Public) asksCache(c *exchange) bool {
	if c.match.Cache.Keep == 0 || p.cfg.Cache == nil || c.match.Socket != nil || c.request.Body.Size() > 0 {
		return false
	}
	if c.method != http.MethodGet && c.method != http.MethodHead {
		return false
	}
	pause := c.match.Deployment.Plugin().Pause.Load()
	return (pause == nil || pause.Writes) && !slices.ContainsFunc(c.headers, isPartial)
}

// isPartial reports whether a field asks for a part of an answer, or for a failure: the
// handler knows how.
func isPartial(h abi.Pair) bool {
	return h.Name == "range" || h.Name == "if-match" || h.Name == "if-unmodified-since"
}

// isConditional reports whether a field asks for the answer only if the client has another.
// The host sees to that for what may be kept.
func isConditional(h abi.Pair) bool {
	return h.Name == "if-none-match" || h.Name == "if-modified-since" || h.Name == "if-range"
}

// asksFor is what the cache is asked.
func (c *exchange) asksFor() cache.Request {
	return cache.Request{
		Deployment: c.match.Deployment, Scheme: c.scheme, Host: c.host, Path: c.path, Query: c.query, Pattern: c.match.Pattern,
		ID: c.id, Headers: c.headers, At: c.start, Rules: c.match.Cache,
	}
}

// serveKept answers from the cache. It reports false when the handler has to run.
func (p *Public) serveKept(ctx *fasthttp.RequestCtx, c *exchange) bool {
	c.asked = c.asksFor()
	if a := p.cfg.Cache.Find(&c.asked); a != nil {
		p.writeAnswer(ctx, c, a, statusHit)
		return true
	}
	if a, fill := p.cfg.Cache.Renew(&c.asked); a != nil {
		p.renew(c, fill)
		p.writeAnswer(ctx, c, a, statusHit+"; ttl=-"+strconv.Itoa(1+int(c.asked.Late()/time.Second)))
		return true
	}
	if c.method == http.MethodHead {
		return false
	}
	client, miss := p.edge.ClientOf(ctx), c.asked.Miss
	a, fill, err := p.cfg.Cache.Join(&c.asked, &client, c.match.Limits.Deadline)
	switch {
	case err != nil:
		c.err = err
		p.fail(ctx, c)
	case a != nil:
		p.writeAnswer(ctx, c, a, statusMiss+miss+"; collapsed")
	default:
		c.fill = fill
		return false
	}
	return true
}

// renew has the handler run for no client, so that a kept answer is made anew. A nil fill is
// no work.
func (p *Public) renew(c *exchange, fill *cache.Fill) {
	if fill == nil {
		return
	}
	c.fill = fill
	err := c.fillRequest()
	request := c.request
	c.fill, c.request = nil, invoke.Request{}
	request.Head.Method = http.MethodGet // HEAD asks for no answer that could be kept
	request.DropEffects, request.Once = false, nil
	request.Head.Headers, request.Head.Params = slices.Clone(request.Head.Headers), slices.Clone(request.Head.Params)
	inv := &invoke.Invocation{Request: &request}
	target, pattern, id := c.match.Target, c.match.Pattern, c.id
	if err != nil { // of a body, and there is none
		fill.End()
		return
	}
	done, ok := p.renewals.Begin()
	if !ok { // the server stops
		fill.End()
		return
	}
	d := target.Deployment
	serves := d.Acquire() // else another version does, which begins anew
	go func() {
		defer done()
		defer fill.End()
		if !serves {
			return
		}
		var rec trace.Record
		if err := p.cfg.Handler.Handle(p.renewals.Handling, target, inv, &rec); err != nil {
			p.log.Warn("a kept answer could not be made anew; it is given until its stale_while_revalidate is over",
				"plugin", d.Env().Plugin, "pattern", pattern, "request_id", id, "error", err)
			return
		}
		if b := inv.Reply.Blob; b != nil {
			b.Release()
			return
		}
		fill.Keep(&inv.Reply)
	}()
}

// shareRequest has the handler see nothing of a client that its answer cannot name in
// Vary, and answer in full.
func (c *exchange) shareRequest() {
	head := &c.request.Head
	head.Remote = field.LiveAddress
	if slices.ContainsFunc(c.headers, isConditional) {
		head.Headers = slices.DeleteFunc(slices.Clone(c.headers), isConditional)
	}
	c.request.Seen = c.fill.Seen
}

// keepReply has the cache keep the reply of the handler, and makes it the response.
func (p *Public) keepReply(ctx *fasthttp.RequestCtx, c *exchange) {
	if c.inv.Reply.Blob != nil { // the disk has it already
		c.fill.End()
		p.writeReply(ctx, c)
		ctx.Response.Header.Add(headerStatus, statusMiss+c.asked.Miss+"; detail=blob")
		return
	}
	a, why := c.fill.Keep(&c.inv.Reply)
	c.fill.End()
	if a != nil {
		p.writeAnswer(ctx, c, a, statusMiss+c.asked.Miss+"; stored")
		return
	}
	fresh := !cache.NotModified(c.headers, &c.inv.Reply)
	if !fresh {
		c.inv.Reply.Status = http.StatusNotModified
	}
	p.writeReply(ctx, c)
	ctx.Response.Header.Add(headerStatus, statusMiss+c.asked.Miss+"; detail="+why)
}

// writeAnswer makes an answer of the cache the response, or says that the client has it.
// The status is for Cache-Status.
func (p *Public) writeAnswer(ctx *fasthttp.RequestCtx, c *exchange, a *cache.Answer, status string) {
	resp, has := &ctx.Response, a.NotModified(c.headers)
	// A client may read it for longer than the cache keeps it.
	large := len(a.Body) > wire.KeptBuffer && !has && !bodyless(a.Status) && c.method != http.MethodHead
	held := p.sends.Share()
	if large && !held.Take(len(a.Body)) {
		p.failUnsent(ctx, c)
		return
	}
	c.setAnswer(&resp.Header, a, status)
	c.setID(ctx)
	if age := c.start.Sub(a.Made) / time.Second; age >= 0 {
		resp.Header.Set(headerAge, strconv.Itoa(int(age)))
	}
	if has {
		resp.SetStatusCode(http.StatusNotModified)
		return
	}
	resp.SetStatusCode(a.Status)
	switch {
	case bodyless(a.Status):
	case large:
		resp.SetBodyStream(newSending(a.Body, held), len(a.Body))
	default:
		resp.SetBodyRaw(a.Body)
	}
}

// setAnswer sets the fields of an answer of the cache, and its Cache-Status.
func (c *exchange) setAnswer(to *fasthttp.ResponseHeader, a *cache.Answer, status string) {
	to.DisableNormalizing()
	for _, h := range a.Headers {
		if !c.hostSets(h.Name) {
			to.Add(h.Name, h.Value)
		}
	}
	to.Add(headerStatus, status)
}
