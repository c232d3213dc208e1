package wire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/spool"
)

// Body is the body of one request. The zero Body belongs to no budget. It may be
// used again after a Reset, with the buffer it has. Not safe for concurrent use.
type Body struct {
	buf   []byte
	share limit.Share // what buf takes of the memory for all bodies
	file  spool.File  // the body, when it is too large for memory
}

// NewBody returns a Body whose memory belongs to the budget.
func NewBody(of *limit.Budget) Body { return Body{share: of.Share()} }

// SpoolOver is how large a body may be, in bytes, that is kept in memory where there is a
// file for a larger one.
const SpoolOver = 1 << 20

// AdmitBody refuses a request before any of its body is read: for a body that says it is
// over max bytes, or larger than what a spool has room for. owner is whose it would be.
func AdmitBody(ctx *fasthttp.RequestCtx, s *spool.Spool, owner string, max int64) *Refusal {
	switch size := int64(ctx.Request.Header.ContentLength()); {
	case size > max:
		return BodyTooLarge(max)
	case size > SpoolOver:
		return RefusalOf(s.Admit(owner, size))
	}
	return nil
}

// Read reads the body of a request, up to max bytes: into memory, or where the file
// belongs to a spool and the body is large, into that. Reset gives back what it takes,
// after a refusal too.
func (b *Body) Read(ctx *fasthttp.RequestCtx, file spool.File, max int64) (r *Refusal) {
	keep := int64(SpoolOver)
	b.file = file
	switch {
	case !file.Takes():
		keep = max
	case int64(ctx.Request.Header.ContentLength()) > keep:
		keep = 0 // it goes to the file from its first piece
	}
	var more bool
	if b.buf, more, r = readInto(ctx, b.buf, max, keep, &b.share); r != nil || !more {
		return r
	}
	if r = b.spool(ctx, max); r != nil {
		return r
	}
	b.buf = nil // before its share is another's
	b.share.Give()
	return nil
}

// spool writes the beginning of a body that is in memory into the file, and then the rest
// of it, up to max bytes. Only the buffer is memory.
func (b *Body) spool(ctx *fasthttp.RequestCtx, max int64) *Refusal {
	return copyBody(ctx, &b.file, b.buf, max)
}

// CopyBody writes the body of a request to w as it comes, up to max bytes. What has come
// before a refusal is written. An error of w is for the client.
func CopyBody(ctx *fasthttp.RequestCtx, w io.Writer, max int64) *Refusal {
	switch size := int64(ctx.Request.Header.ContentLength()); {
	case size > max:
		return BodyTooLarge(max)
	case size <= 0 && size != chunkedLength || ctx.RequestBodyStream() == nil:
		return nil
	}
	buf := sendBuffers.Get().(*[sendBuffer]byte) //nolint:forcetypeassert // New makes no other
	defer sendBuffers.Put(buf)
	return copyBody(ctx, w, buf[:0], max)
}

// copyBody writes what of a body is in buf, and then the rest, which passes through it.
func copyBody(ctx *fasthttp.RequestCtx, w io.Writer, buf []byte, max int64) *Refusal {
	total, next := int64(len(buf)), int64(paceBytes)
	for end := false; ; {
		if len(buf) > 0 {
			if _, err := w.Write(buf); err != nil {
				return RefusalOf(err)
			}
		}
		if end {
			return nil
		}
		if total >= next {
			next += paceBytes
			bodyMoves(ctx)
		}
		var n int
		var r *Refusal
		if n, end, r = readPiece(ctx, buf[:cap(buf)]); r != nil {
			return r
		}
		buf = buf[:n]
		if total += int64(n); total > max {
			return BodyTooLarge(max)
		}
	}
}

// RefusalOf returns the refusal of a body that a spool or an upload does not take, nil for
// no error.
func RefusalOf(err error) *Refusal {
	if err == nil {
		return nil
	}
	code := fault.CodeOf(err)
	return Refusing(StatusOf(code), code, fault.MessageOf(err))
}

// Bytes returns a body that is in memory, until Reset.
func (b *Body) Bytes() []byte { return b.buf }

// File returns the file of a body that is not in memory, and its size; nil when
// it is. The file is closed by Reset.
func (b *Body) File() (*os.File, int64) { return b.file.Open() }

// Sum returns the SHA-256 of a body that is in a file.
func (b *Body) Sum() [32]byte { return b.file.Sum() }

// Reset makes b empty and gives back what it took. Of its buffer up to KeptBuffer
// bytes stay.
func (b *Body) Reset() {
	b.share.Give()
	b.file.Close()
	b.buf = b.buf[:0]
	if cap(b.buf) > KeptBuffer {
		b.buf = nil
	}
}

// KeptBuffer is the size, in bytes, up to which a buffer stays with what is pooled.
const KeptBuffer = 64 << 10

// readInto reads the body into buf, up to max bytes and within s. A length is a
// claim: memory grows with what arrives, and never beyond what it claims. When
// it has more than keep bytes it stops, and says that there may be more; buf grows
// no further than that and one read.
func readInto(ctx *fasthttp.RequestCtx, buf []byte, max, keep int64, s *limit.Share) (b []byte, more bool, r *Refusal) {
	size := int64(ctx.Request.Header.ContentLength())
	stream := ctx.RequestBodyStream()
	switch {
	case size > max:
		return buf, false, BodyTooLarge(max)
	case min(size, keep) > s.Most():
		return buf, false, refuseOverMemory
	case size <= 0 && size != chunkedLength || stream == nil:
		return buf, false, nil
	}
	first := int(min(size, KeptBuffer)) + minRead // a byte less when chunked
	if !s.Take(first) {
		return buf, false, refuseBodies
	}
	buf = withRoom(buf, first)
	for {
		n, end, r := readPiece(ctx, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > max:
			return buf, false, BodyTooLarge(max)
		case r != nil || end:
			return buf, false, r
		case int64(len(buf)) > keep:
			return buf, true, nil
		case len(buf) == cap(buf):
			grow := min(growth(len(buf), size), int(keep)+minRead-len(buf))
			if !s.Take(grow) {
				return buf, false, refuseBodies
			}
			buf = withRoom(buf, grow)
		}
	}
}

// readPiece reads what of the body has arrived, and reports whether it ends with
// that.
func readPiece(ctx *fasthttp.RequestCtx, p []byte) (n int, end bool, r *Refusal) {
	n, err := ctx.RequestBodyStream().Read(p)
	switch {
	case errors.Is(err, io.EOF) && !inBody(ctx): // fasthttp ends a body cut short this way too
		return n, true, nil
	case err != nil:
		return n, false, Unreadable(ctx)
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

// BodyTooLarge is the refusal of a body over a plugin's limit of max bytes.
func BodyTooLarge(max int64) *Refusal {
	return Refusing(http.StatusRequestEntityTooLarge, fault.TooLarge, fmt.Sprintf(
		"the body is over the limit of %s (request_body, of the route or of limits, in the plugin's manifest)", limit.FormatSize(max)))
}

// inBody reports whether the gate is still waiting for a part of the body.
func inBody(ctx *fasthttp.RequestCtx) bool {
	c, ok := ctx.Conn().(*gateConn)
	return ok && c.inBody()
}
