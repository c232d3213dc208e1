package public

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	capupload "github.com/wasmoor/wasmoor/host/internal/capability/upload"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/server/tus"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
	"github.com/wasmoor/wasmoor/host/internal/upload"
)

// uploading is what an exchange has of an upload.
type uploading struct {
	found  *upload.Upload // that the request is about; nil = none
	begins bool           // the request asks for one
	id     string         // of the one that it asks for
	length int64          // of that one
	offset int64          // that the client goes on from
}

// findUpload returns the upload that a request of a client of tus is about, nil for none.
// Who knows the path of an upload may go on with it: nobody guesses it. The method that
// the request means is its own from then on.
func (p *Public) findUpload(c *exchange) *upload.Upload {
	if p.cfg.Uploads == nil {
		return nil
	}
	method := tus.Method(c.method, c.headers)
	if method == "" {
		return nil
	}
	slash := strings.LastIndexByte(c.path, '/')
	if slash < 0 || !tus.IsSpoken(c.headers) {
		return nil
	}
	u := p.cfg.Uploads.Find(c.path[slash+1:])
	if u == nil || u.Path != c.path[:slash] || u.Host != c.routeHost {
		return nil
	}
	c.method = method
	return u
}

// judgePart refuses a request about an upload by its head.
func (p *Public) judgePart(ctx *fasthttp.RequestCtx, c *exchange) (r *wire.Refusal) {
	m := p.cfg.Routes.Route(http.MethodPost, c.routeHost, c.upload.found.Path, c.params[:0], c)
	if m.Deployment != nil {
		m.Deployment.Release()
	}
	c.match.CORS = m.CORS
	if r := tus.Judge(c.headers); r != nil || c.method != http.MethodPatch {
		return r
	}
	if !tus.IsPart(c.headers) {
		return tus.RefuseType
	}
	if c.upload.offset, r = tus.Size(c.headers, tus.Offset); r != nil {
		return r
	}
	if int64(ctx.Request.Header.ContentLength()) > c.upload.found.Length-c.upload.offset {
		return tus.RefuseLong
	}
	return nil
}

// judgeBegin refuses a request that asks for an upload by its head.
func (p *Public) judgeBegin(ctx *fasthttp.RequestCtx, c *exchange) (r *wire.Refusal) {
	declared, size := c.match.Upload, int64(ctx.Request.Header.ContentLength())
	switch r := tus.Judge(c.headers); {
	case r != nil:
		return r
	case c.match.Preview || c.match.Dropped:
		return tus.RefusePreview
	case p.cfg.Uploads == nil:
		return tus.RefuseAll
	}
	if c.upload.length, r = tus.Size(c.headers, tus.Length); r != nil {
		return r
	}
	switch {
	case c.upload.length > declared.Max:
		return wire.Refusing(http.StatusRequestEntityTooLarge, fault.TooLarge, fmt.Sprintf("the upload has %d bytes, and the service takes %d at most", c.upload.length, declared.Max))
	case size > c.upload.length:
		return tus.RefuseLong
	case (size > 0 || size == -1) && !tus.IsPart(c.headers):
		return tus.RefuseType
	}
	c.upload.begins, c.upload.id = true, upload.NewID()
	return nil
}

// beginAttributes are what the handler is told that says whether there is to be an upload.
func (c *exchange) beginAttributes() []abi.Pair {
	return capupload.Attributes("create", c.upload.id, strconv.FormatInt(c.upload.length, 10))
}

// maxAttachment is what a plugin may keep with an upload, and maxMetadata what a client
// may, in bytes.
const (
	maxAttachment = 2 << 10
	maxMetadata   = 8 << 10
)

// beginUpload answers a request for an upload as its handler has decided, and takes the
// bytes that came with it.
func (p *Public) beginUpload(ctx *fasthttp.RequestCtx, c *exchange) {
	reply := &c.inv.Reply
	if reply.Status >= http.StatusMultipleChoices {
		p.writeReply(ctx, c)
		wire.EndUnread(ctx)
		return
	}
	info := &upload.Info{
		Plugin: c.match.Deployment.Env().Plugin, Pattern: c.match.Upload.Pattern, Host: strings.Clone(c.routeHost), Path: strings.Clone(c.path),
		Length: c.upload.length, Metadata: strings.Clone(field.Single(c.headers, "upload-metadata")), Attachment: string(reply.Body),
		Expires: c.start.Add(c.match.Upload.Expires),
	}
	u, err := p.createUpload(c.upload.id, info)
	if err != nil {
		c.err = err
		p.refuseUpload(ctx, c, nil, wire.RefusalOf(err))
		return
	}
	reply.SetBlob(nil)
	reply.Status, reply.Body, reply.Length = http.StatusCreated, nil, -1
	location := abi.Pair{Name: "Location", Value: c.path + "/" + u.ID()}
	if n := ctx.Request.Header.ContentLength(); n != 0 && n != -2 || u.Length == 0 {
		p.usePart(ctx, c, u, location)
		return
	}
	p.writeReply(ctx, c)
	tell(ctx, u, location)
}

func (p *Public) createUpload(id string, info *upload.Info) (*upload.Upload, error) {
	switch {
	case len(info.Attachment) > maxAttachment || !utf8.ValidString(info.Attachment):
		return nil, fault.New(fault.BadReply, "upload", "the answer that takes an upload has more than 2 KiB of text")
	case len(info.Metadata) > maxMetadata:
		return nil, fault.New(fault.TooLarge, "upload", "the Upload-Metadata are over the limit of 8 KiB")
	}
	return p.cfg.Uploads.Create(id, info)
}

// serveUpload answers a request about an upload.
func (p *Public) serveUpload(ctx *fasthttp.RequestCtx, c *exchange) {
	u := c.upload.found
	if c.method == http.MethodPatch {
		p.usePart(ctx, c, u, abi.Pair{})
		return
	}
	if !u.Take(p.edge.Context(), nil) {
		p.refuseTaken(ctx, c, u)
		return
	}
	defer u.Leave()
	c.setID(ctx)
	if c.method == http.MethodDelete {
		p.cfg.Uploads.Remove(u)
		ctx.Response.SetStatusCode(http.StatusNoContent)
		return
	}
	tell(ctx, u, abi.Pair{Name: "Cache-Control", Value: "no-store"}, abi.Pair{Name: tus.Length, Value: strconv.FormatInt(u.Length, 10)}, abi.Pair{Name: tus.Metadata, Value: u.Metadata})
}

// usePart appends the body of a request to an upload, and has the plugin take the upload
// if it is complete then. more is said with the answer.
func (p *Public) usePart(ctx *fasthttp.RequestCtx, c *exchange, u *upload.Upload, more abi.Pair) {
	part := &part{Upload: u}
	end := wire.Interrupt(ctx)
	if !u.Take(p.edge.Context(), func() { part.cut.Store(true); end() }) {
		p.refuseTaken(ctx, c, u)
		return
	}
	defer u.Leave()
	if c.upload.offset != u.Durable() {
		p.refuseUpload(ctx, c, u, tus.RefuseOffset)
		return
	}
	r := wire.CopyBody(ctx, part, math.MaxInt64) // the upload knows its length
	if r != nil && part.cut.Load() {
		r = tus.RefuseElsewhere
	}
	if err := u.Sync(); r == nil {
		r = wire.RefusalOf(err)
	}
	switch {
	case r != nil:
		p.refuseUpload(ctx, c, u, r)
		return
	case u.Durable() == u.Length && !u.IsDone():
		p.completeUpload(ctx, c, u)
	case c.upload.begins:
		p.writeReply(ctx, c)
	default:
		c.setID(ctx)
		ctx.Response.SetStatusCode(http.StatusNoContent)
	}
	tell(ctx, u, more)
}

// part appends to an upload until another connection asks for it.
type part struct {
	*upload.Upload
	cut atomic.Bool
}

func (p *part) Write(b []byte) (int, error) {
	if p.cut.Load() {
		return 0, io.ErrClosedPipe // usePart says why
	}
	return p.Upload.Write(b)
}

// completeUpload has the plugin take an upload, and answers as it does. Until it takes
// it, the upload stays as it is: the client may ask again.
func (p *Public) completeUpload(ctx *fasthttp.RequestCtx, c *exchange, u *upload.Upload) {
	file, sum, err := u.Whole()
	if err != nil {
		p.refuseUpload(ctx, c, u, wire.RefusalOf(err))
		return
	}
	body := invoke.BodyOfFile(file, u.Length, sum)
	attributes := capupload.Attributes("done", u.ID(), strconv.FormatInt(u.Length, 10))
	for _, a := range []abi.Pair{{Name: "upload.metadata", Value: u.Metadata}, {Name: "upload.attachment", Value: u.Attachment}} {
		if a.Value != "" {
			attributes = append(attributes, a)
		}
	}
	out := p.cfg.Trigger(p.edge.Context(), &trigger.Request{
		Plugin: u.Plugin, Trigger: abi.TriggerUpload, Attributes: attributes, Upload: &body, Remote: strings.Clone(c.remote),
		Once: &invoke.Once{Key: "upload " + u.ID(), Keep: max(u.Expires.Sub(c.start), time.Minute), Success: true}, // no client has a key with a space
		To: func(m *manifest.Manifest) (to manifest.Request, ok bool) {
			d, ok := capupload.Of(m).Find(u.Pattern)
			if ok {
				to = d.Done
			}
			return to, ok
		},
	})
	if fault.CodeOf(out.Err) == fault.Done { // the plugin has taken it, and its answer was too large to keep
		out = trigger.Outcome{Status: http.StatusNoContent, Reply: &invoke.Reply{}}
	}
	if out.Err != nil {
		c.err, c.record.Called = out.Err, out.Called
		p.fail(ctx, c)
		return
	}
	if out.Status < http.StatusMultipleChoices {
		if err := u.Finish(); err != nil {
			c.err = err // the client has its answer even so
		}
	}
	reply := &c.inv.Reply
	if reply.Status = out.Status; c.upload.begins && out.Status < http.StatusMultipleChoices {
		reply.Status = http.StatusCreated
	}
	reply.Headers, reply.Body, reply.Length = out.Reply.Headers, out.Reply.Body, -1
	p.writeReply(ctx, c)
}

// refuseTaken answers a request that does not get its upload: another has it, or has
// removed it.
func (p *Public) refuseTaken(ctx *fasthttp.RequestCtx, c *exchange, u *upload.Upload) {
	if p.cfg.Uploads.Find(u.ID()) == nil {
		p.refuseUpload(ctx, c, nil, tus.RefuseGone)
		return
	}
	p.refuseUpload(ctx, c, u, tus.RefuseLocked)
}

// refuseUpload answers a request that goes on with no upload; u may be nil.
func (p *Public) refuseUpload(ctx *fasthttp.RequestCtx, c *exchange, u *upload.Upload, r *wire.Refusal) {
	problem := r.Problem(c.id)
	problem.Effects = effectsOf(c.record.Outcome, r.Code)
	writeProblem(ctx, problem, r.Code)
	r.Finish(ctx)
	if u != nil {
		tell(ctx, u)
	}
}
