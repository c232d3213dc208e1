package public

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/content"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// writeBlob makes a blob the body of the response, or the parts of it that the client
// asks for. What the guest says of it in the header wins over what its name says.
func (p *Public) writeBlob(ctx *fasthttp.RequestCtx, c *exchange) {
	reply := &c.inv.Reply
	a := reply.Blob
	entity := entityOf(a, reply.Headers)
	answer := entity.Full()
	answer.Status = reply.Status
	plain := reply.Status == http.StatusOK && (c.method == http.MethodGet || c.method == http.MethodHead)
	if plain {
		answer = entity.Answer(c.method, c.headers)
	}
	if answer.Status == http.StatusPreconditionFailed || answer.Status == http.StatusRequestedRangeNotSatisfiable {
		p.refuseBlob(ctx, c, &answer)
		return
	}
	resp := &ctx.Response
	resp.SetStatusCode(answer.Status)
	resp.Header.DisableNormalizing()
	resp.Header.SetNoDefaultContentType(true)
	for _, h := range blobHeader(a, reply.Headers, &answer, &entity, plain) {
		if !c.hostSets(h.Name) {
			resp.Header.Add(h.Name, h.Value)
		}
	}
	c.setID(ctx)
	if bodyless(answer.Status) {
		return
	}
	reply.Blob = nil // the body's to release
	resp.SetBodyStream(content.NewBody(p.edge.Context(), a, &answer, a.Release), int(answer.Length))
}

// entityOf is what an answer with a blob is about.
func entityOf(a *blob.Answer, header []abi.Pair) content.Entity {
	e := content.Entity{
		Size: a.Size, Modified: time.UnixMilli(a.Created),
		ETag: cmp.Or(fieldOf(header, "etag"), a.ETag()), Type: cmp.Or(fieldOf(header, "content-type"), a.Type),
	}
	if at, err := http.ParseTime(fieldOf(header, "last-modified")); err == nil {
		e.Modified = at
	}
	return e
}

// blobHeader is the header of an answer with a blob.
func blobHeader(a *blob.Answer, guest []abi.Pair, answer *content.Answer, e *content.Entity, plain bool) []abi.Pair {
	header := slices.Clone(answer.Header)
	add := func(fields ...abi.Pair) {
		for _, f := range fields {
			if f.Value != "" && fieldOf(header, f.Name) == "" {
				header = append(header, f)
			}
		}
	}
	without := bodyless(answer.Status)
	for _, f := range guest {
		if fieldOf(answer.Header, f.Name) == "" && !(without && ofBody(f.Name)) {
			header = append(header, f)
		}
	}
	if !without {
		add(abi.Pair{Name: "Content-Type", Value: cmp.Or(e.Type, "application/octet-stream")}, abi.Pair{Name: "Content-Disposition", Value: a.Disposition})
	}
	if plain {
		add(e.Describe()...)
	}
	add(blob.Guard[:]...)
	return header
}

// ofBody reports whether a field says what a body is like.
func ofBody(name string) bool {
	switch strings.ToLower(name) {
	case "content-type", "content-length", "content-disposition", "content-encoding", "content-language":
		return true
	}
	return false
}

// refuseBlob answers a request whose conditions do not hold, or which asks for what is not
// there.
func (p *Public) refuseBlob(ctx *fasthttp.RequestCtx, c *exchange, a *content.Answer) {
	detail := "what the request is conditional on does not hold (If-Match, If-Unmodified-Since)"
	if a.Status == http.StatusRequestedRangeNotSatisfiable {
		detail = "the range is not within the bytes there are"
	}
	problem := wire.NewProblem(a.Status, fault.Invalid, detail, c.id)
	problem.Effects = effectsOf(c.record.Outcome, "")
	problem.Write(ctx)
	for _, h := range a.Header {
		ctx.Response.Header.Set(h.Name, h.Value)
	}
}

// fieldOf returns the first value of a field, whatever the case of its name; "" = there is
// none.
func fieldOf(header []abi.Pair, name string) string {
	for _, h := range header {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}
