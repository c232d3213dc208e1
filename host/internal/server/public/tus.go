package public

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	capupload "github.com/wasmoor/wasmoor/host/internal/capability/upload"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/upload"
)

// What the protocol of resumable uploads says (https://tus.io/protocols/resumable-upload).
const (
	headerTus     = "Tus-Resumable"
	tusVersion    = "1.0.0"
	tusExtensions = "creation,creation-with-upload,expiration,termination"
	typePart      = "application/offset+octet-stream"
)

var (
	refuseVersion       = wire.Refusing(http.StatusPreconditionFailed, fault.Invalid, "the server speaks version "+tusVersion+" of tus (Tus-Resumable)")
	refuseType          = wire.Refusing(http.StatusUnsupportedMediaType, fault.Invalid, "a part of an upload has the Content-Type "+typePart)
	refuseLong          = wire.Refusing(http.StatusRequestEntityTooLarge, fault.TooLarge, "the body goes beyond the length of the upload (Upload-Length)")
	refuseGone          = wire.Refusing(http.StatusNotFound, fault.NotFound, "there is no such upload; it was ended meanwhile")
	refuseLocked        = wire.Refusing(http.StatusLocked, fault.Conflict, "the upload is in use by another request; try again")
	refuseOffset        = wire.Refusing(http.StatusConflict, fault.Conflict, "the Upload-Offset is not where the upload stands; ask for that with HEAD")
	refusePreviewUpload = wire.Refusing(http.StatusNotImplemented, fault.Invalid, "a preview takes no uploads")
	refuseUploads       = wire.Refusing(http.StatusServiceUnavailable, fault.Unavailable, "uploads are not taken here")
)

func speaksTus(headers []abi.Pair) bool {
	for _, h := range headers {
		if h.Name == "tus-resumable" {
			return true
		}
	}
	return false
}

func judgeTus(headers []abi.Pair) *wire.Refusal {
	if field.Single(headers, "tus-resumable") != tusVersion {
		return refuseVersion
	}
	return nil
}

// sizeOf reads a field that is a number of bytes.
func sizeOf(headers []abi.Pair, name string) (int64, *wire.Refusal) {
	text := field.Single(headers, name)
	n, err := strconv.ParseUint(text, 10, 62)
	if err != nil || text[0] == '+' {
		return 0, wire.Bad(fmt.Sprintf("the request needs one %s, a number of bytes", name))
	}
	return int64(n), nil
}

// tell says where an upload stands, in addition to what is said already.
func tell(ctx *fasthttp.RequestCtx, u *upload.Upload, more ...abi.Pair) {
	h := &ctx.Response.Header
	h.Set(headerTus, tusVersion)
	h.Set("Upload-Offset", strconv.FormatInt(u.Durable(), 10))
	h.Set("Upload-Expires", u.Expires.UTC().Format(http.TimeFormat))
	for _, f := range more {
		if f.Value != "" {
			h.Set(f.Name, f.Value)
		}
	}
}

// answerTus answers OPTIONS where uploads are asked for.
func (c *exchange) answerTus(ctx *fasthttp.RequestCtx, d *capupload.Declared) {
	ctx.Response.SetStatusCode(http.StatusNoContent)
	c.setID(ctx)
	h := &ctx.Response.Header
	h.Set(headerTus, tusVersion)
	h.Set("Tus-Version", tusVersion)
	h.Set("Tus-Extension", tusExtensions)
	h.Set("Tus-Max-Size", strconv.FormatInt(d.Max, 10))
}

// asksTus reports whether a request asks what uploads there may be, and answers it.
func (p *Public) asksTus(ctx *fasthttp.RequestCtx, c *exchange) bool {
	if c.method != http.MethodOptions || p.cfg.Uploads == nil {
		return false
	}
	m := p.cfg.Routes.Route(http.MethodPost, c.routeHost, c.path, c.params[:0], c)
	if m.Deployment != nil {
		defer m.Deployment.Release()
	}
	if m.Upload == nil {
		return false
	}
	c.match.CORS = m.CORS
	c.answerTus(ctx, m.Upload)
	return true
}
