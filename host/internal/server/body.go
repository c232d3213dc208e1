package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
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

// readBody reads the body up to the route's limit.
func (c *call) readBody(ctx *fasthttp.RequestCtx) (r *refusal) {
	c.body, r = readBody(ctx, c.body, c.match.Limits.RequestBody, &c.share)
	return r
}

// readBody reads the body into buf, up to max bytes and within s. A length is a
// claim: memory grows with what arrives, and never beyond what it claims.
func readBody(ctx *fasthttp.RequestCtx, buf []byte, max int64, s *share) ([]byte, *refusal) {
	size := int64(ctx.Request.Header.ContentLength())
	stream := ctx.RequestBodyStream()
	switch {
	case size > max:
		return buf, bodyTooLarge(max)
	case size <= 0 && size != chunkedLength || stream == nil:
		return buf, nil
	}
	first := int(min(size, keptBuffer)) + minRead // a byte less when chunked
	if !s.take(first) {
		return buf, refuseBodies
	}
	buf = withRoom(buf, first)
	for {
		n, err := stream.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > max:
			return buf, bodyTooLarge(max)
		case errors.Is(err, io.EOF) && !inBody(ctx): // fasthttp ends a body cut short this way too
			return buf, nil
		case err != nil:
			return buf, refusalOf(ctx)
		case len(buf) == cap(buf):
			more := growth(len(buf), size)
			if !s.take(more) {
				return buf, refuseBodies
			}
			buf = withRoom(buf, more)
		}
	}
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
