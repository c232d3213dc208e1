package public

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/cache"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
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

	// The strings below are parts of one copy of the request's head.
	id, method, path, query, host, routeHost, remote string

	text    []byte // where that copy is assembled
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
	clear(c.headers)
	clear(c.params)
	c.request, c.match, c.handled, c.record, c.err, c.continues = invoke.Request{}, Match{}, false, trace.Record{}, nil, false
	c.once, c.client, c.opening = invoke.Once{}, wire.Client{}, nil
	c.asked, c.fill, c.upload = cache.Request{}, nil, uploading{}
	c.scheme, c.newCookie = "", ""
	c.id, c.method, c.path, c.query, c.host, c.routeHost, c.remote = "", "", "", "", "", "", ""
}

// read copies the request's id and what a guest learns of its head, in one
// allocation.
func (c *exchange) read(ctx *fasthttp.RequestCtx) {
	h := &ctx.Request.Header
	path, query := wire.SplitTarget(h.RequestURI())
	b := wire.AppendRequestID(c.text[:0], h.Peek(wire.HeaderRequestID), c.start)
	id := len(b)
	b = append(b, h.Method()...)
	method := len(b)
	b = append(b, path...)
	pathEnd := len(b)
	b = append(b, query...)
	queryEnd := len(b)
	b = append(b, h.Host()...)
	host := len(b)
	b = wire.AppendRouteHost(b, h.Host())
	routeHost := len(b)
	b = wire.AppendIP(b, ctx.RemoteAddr())
	remote := len(b)
	b = appendLowerNames(b, h.RawHeaders())
	c.text = b

	s := string(b)
	c.id, c.method, c.path, c.query = s[:id], s[id:method], s[method:pathEnd], s[pathEnd:queryEnd]
	c.host, c.routeHost, c.remote = s[queryEnd:host], s[host:routeHost], s[routeHost:remote]
	c.headers = appendPairs(c.headers[:0], s[remote:])
}

// appendLowerNames appends the lines of a header with their names in lower
// case. The gate has seen that each is NAME ":" VALUE CR LF.
func appendLowerNames(b, raw []byte) []byte {
	inName := true
	for _, c := range raw {
		switch {
		case c == '\n':
			inName = true
		case c == ':':
			inName = false
		case inName:
			c = wire.LowerByte(c)
		}
		b = append(b, c)
	}
	return b
}

// appendPairs reads the header fields of such lines, in order and repeated,
// without those that belong to the connection.
func appendPairs(pairs []abi.Pair, lines string) []abi.Pair {
	var options []string // of Connection
	for len(lines) > 2 {
		line, rest, _ := strings.Cut(lines, "\r\n")
		lines = rest
		name, value, _ := strings.Cut(line, ":")
		if field.IsHopByHop(name) {
			if name == "connection" {
				options = append(options, value)
			}
			continue
		}
		pairs = append(pairs, abi.Pair{Name: name, Value: strings.Trim(value, " \t")})
	}
	return dropNominated(pairs, strings.Join(options, ","))
}

// dropNominated removes the fields that Connection says are for this connection
// (RFC 9110 §7.6.1).
func dropNominated(pairs []abi.Pair, options string) []abi.Pair {
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
		pairs = slices.DeleteFunc(pairs, func(p abi.Pair) bool { return p.Name == option })
	}
	return pairs
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
