package public

import (
	"cmp"
	"net"
	"net/http"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/cache"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/head"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/socket/hub"
	"github.com/wasmoor/wasmoor/host/internal/spool"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// exchange is one public request on its way to its answer. It is pooled with its
// buffers; nothing in it refers to memory of fasthttp, which is reused too.
type exchange struct {
	start   time.Time
	match   Match
	inv     invoke.Invocation
	request invoke.Request
	handled bool         // the match was handed over with its hold
	record  trace.Record // of what was handled
	once    invoke.Once  // its Key is "" unless the request has one that counts
	err     error        // what a handler failed with

	continues bool // this was about the head only; the request comes again with its body

	scheme    string
	newCookie string // that the answer sets; "" = none

	head head.Head

	// Those below are parts of it.
	id, method, path, query, host, routeHost, remote string

	headers []abi.Pair
	params  []abi.Pair
	body    wire.Body
	client  wire.Client

	asked cache.Request // of the cache
	fill  *cache.Fill   // has the cache keep the answer; nil = it is not asked to

	upload uploading

	kind    stream.Kind  // of the socket that the request opens
	opening *hub.Opening // that socket, until it is taken or refused; nil = none
}

func (c *exchange) reset() {
	c.inv.Request, c.inv.Env, c.inv.Tx = nil, nil, nil
	clear(c.inv.Reply.Headers)
	c.inv.Reply.Headers = c.inv.Reply.Headers[:0]
	if cap(c.inv.Reply.Body) > wire.KeptBuffer {
		c.inv.Reply.Body = nil
	}
	if b := c.inv.Reply.Blob; b != nil { // it was not sent
		b.Release()
		c.inv.Reply.Blob = nil
	}
	c.body.Reset()
	if c.match.Params != nil {
		c.params = c.match.Params // with the room a lookup gave it
	}
	c.head.Reset()
	clear(c.params)
	c.request, c.match, c.handled, c.record, c.err, c.continues = invoke.Request{}, Match{}, false, trace.Record{}, nil, false
	c.once, c.client, c.opening = invoke.Once{}, wire.Client{}, nil
	c.asked, c.fill, c.upload = cache.Request{}, nil, uploading{}
	c.scheme, c.newCookie = "", ""
	c.id, c.method, c.path, c.query, c.host, c.routeHost, c.remote, c.headers = "", "", "", "", "", "", "", nil
}

// read copies what a guest learns of a request's head, which the gate has let through, and
// makes it what it was before it passed the proxies in front, if those are trusted.
func (p *Public) read(c *exchange, method, target, lines []byte, peer net.Addr) {
	h := &c.head
	h.Read(method, target, lines, peer, c.start)
	c.scheme = cmp.Or(h.TakeForwarded(*p.trusted.Load(), peer), p.scheme)
	c.id, c.method, c.path, c.query, c.host, c.routeHost, c.remote = h.ID, h.Method, h.Path, h.Query, h.Host, h.RouteHost, h.Remote
	c.headers = h.Headers
}

// readBody reads the body up to the route's limit.
func (c *exchange) readBody(ctx *fasthttp.RequestCtx, s *spool.Spool) *wire.Refusal {
	r := c.body.Read(ctx, s.New(c.match.Deployment.Env().Plugin), c.match.Limits.RequestBody)
	if file, size := c.body.File(); file != nil {
		c.request.Body = invoke.BodyOfFile(file, size, c.body.Sum())
	} else {
		c.request.Body = invoke.BodyOf(c.body.Bytes())
	}
	return r
}

var refuseReread = wire.Refusing(http.StatusServiceUnavailable, fault.Unavailable, "the server cannot read the body again; nothing was done")

// fillRequest makes the request as the guest sees it. HEAD goes where GET goes,
// by its own name, and has its effects dropped; fasthttp drops the body. The error
// is that of the file of its body.
func (c *exchange) fillRequest() error {
	c.request.Head = abi.RequestHead{
		Method:    c.method,
		Path:      c.match.Path,
		Mount:     c.match.Mount,
		Pattern:   c.match.Pattern,
		Params:    c.match.Params,
		Query:     c.query,
		Headers:   c.headers,
		Scheme:    c.scheme,
		Host:      c.host,
		Remote:    c.remote,
		RequestID: c.id,
		Trigger:   abi.TriggerHTTP,
		BodySize:  uint64(c.request.Body.Size()),
	}
	if c.opening != nil {
		c.request.Head.Trigger, c.request.Head.Attributes = abi.TriggerSocket, c.opening.Attributes()
	}
	if c.upload.begins {
		c.request.Head.Trigger, c.request.Head.Attributes = abi.TriggerUpload, c.beginAttributes()
	}
	c.request.Blobs = c.match.Socket == nil
	c.request.DropEffects = c.method == "HEAD" || c.match.Dropped
	if c.once.Key != "" {
		digest, err := c.digest()
		if err != nil {
			return err
		}
		c.once.Digest = digest
		c.request.Once = &c.once
	}
	if c.fill != nil {
		c.shareRequest()
	}
	c.request.Arrived = c.start
	c.inv.Request = &c.request
	return nil
}
