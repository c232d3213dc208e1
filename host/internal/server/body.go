package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// share is a part of a budget. The zero share belongs to none and has no bound.
type share struct {
	of   *atomic.Int64 // bytes left
	held int64
}

// take enlarges the share by n bytes, if they are left.
func (s *share) take(n int) bool {
	if s.of == nil {
		return true
	}
	if s.of.Add(int64(-n)) < 0 {
		s.of.Add(int64(n))
		return false
	}
	s.held += int64(n)
	return true
}

// give gives everything back.
func (s *share) give() {
	if s.held > 0 {
		s.of.Add(s.held)
		s.held = 0
	}
}

// readBody reads the body up to the route's limit: into memory, or where there
// is a spool and it is large, into a file.
func (c *call) readBody(ctx *fasthttp.RequestCtx, spool *Spool) (r *refusal) {
	max := c.match.Limits.RequestBody
	keep := int64(spoolOver)
	switch {
	case spool == nil:
		keep = max
	case int64(ctx.Request.Header.ContentLength()) > keep:
		keep = 0 // it goes to the file from its first piece
	}
	var more bool
	if c.body, more, r = readInto(ctx, c.body, max, keep, &c.share); r != nil || !more {
		c.request.Body = invoke.BodyOf(c.body)
		return r
	}
	if r = c.file.readFrom(ctx, spool, c.body, max); r != nil {
		return r
	}
	c.body = nil // before its share is another's
	c.share.give()
	c.request.Body = c.file.body()
	return nil
}

// readInto reads the body into buf, up to max bytes and within s. A length is a
// claim: memory grows with what arrives, and never beyond what it claims. When
// it has more than keep bytes it stops, and says that there may be more; buf grows
// no further than that and one read.
func readInto(ctx *fasthttp.RequestCtx, buf []byte, max, keep int64, s *share) (b []byte, more bool, r *refusal) {
	size := int64(ctx.Request.Header.ContentLength())
	stream := ctx.RequestBodyStream()
	switch {
	case size > max:
		return buf, false, bodyTooLarge(max)
	case size <= 0 && size != chunkedLength || stream == nil:
		return buf, false, nil
	}
	first := int(min(size, keptBuffer)) + minRead // a byte less when chunked
	if !s.take(first) {
		return buf, false, refuseBodies
	}
	buf = withRoom(buf, first)
	for {
		n, end, r := readPiece(ctx, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > max:
			return buf, false, bodyTooLarge(max)
		case r != nil || end:
			return buf, false, r
		case int64(len(buf)) > keep:
			return buf, true, nil
		case len(buf) == cap(buf):
			grow := min(growth(len(buf), size), int(keep)+minRead-len(buf))
			if !s.take(grow) {
				return buf, false, refuseBodies
			}
			buf = withRoom(buf, grow)
		}
	}
}

// readPiece reads what of the body has arrived, and reports whether it ends with
// that.
func readPiece(ctx *fasthttp.RequestCtx, p []byte) (n int, end bool, r *refusal) {
	n, err := ctx.RequestBodyStream().Read(p)
	switch {
	case errors.Is(err, io.EOF) && !inBody(ctx): // fasthttp ends a body cut short this way too
		return n, true, nil
	case err != nil:
		return n, false, refusalOf(ctx)
	}
	return n, false, nil
}

// growth returns how much a full buffer of n bytes grows: by as much again, but
// for a body of a known size not beyond it and the read that finds its end.
func growth(n int, size int64) int {
	if size < 0 {
		return n
	}
	return min(n, int(size)+minRead-n)
}

// withRoom returns buf with room for n more bytes, and where it is made anew for
// no more: append rounds up.
func withRoom(buf []byte, n int) []byte {
	if cap(buf)-len(buf) >= n {
		return buf
	}
	return append(make([]byte, 0, len(buf)+n), buf...)
}

const minRead = 512

func bodyTooLarge(limit int64) *refusal {
	return refusing(http.StatusRequestEntityTooLarge, fault.TooLarge,
		fmt.Sprintf("the body is over this route's limit of %d bytes", limit))
}

// inBody reports whether the gate is still waiting for a part of the body.
func inBody(ctx *fasthttp.RequestCtx) bool {
	c, ok := ctx.Conn().(*gateConn)
	return ok && c.inBody()
}

// refusalOf returns why the gate reads no further from a connection.
func refusalOf(ctx *fasthttp.RequestCtx) *refusal {
	if c, ok := ctx.Conn().(*gateConn); ok && c.refusal != nil {
		return c.refusal
	}
	return refuseUnreadable
}
