package admin

import (
	"bufio"
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/server/admin/flow"
)

// Backups makes backups, and shows those that the server has made. Safe for
// concurrent use. Errors are faults; package backup documents them.
type Backups interface {
	Announce(ctx context.Context, by string) error // that one is sent to whoever asks
	Stream(ctx context.Context, w io.Writer) error
	Begin(ctx context.Context, by string) error
	List(ctx context.Context) (adminapi.Backups, error)
}

// bindBackups is every route of backups. They hold the data of all plugins.
func (a *Admin) bindBackups(api huma.API) {
	route(api, operator, withStream(get("stream-backup", adminapi.PathBackup, "Make a backup, and send it as it is made; it is whole if the answer ends as it should"), adminapi.TypeBackup, "A tar archive, compressed with zstd"), a.streamBackup)
	route(api, operator, get("list-backups", adminapi.PathBackups, "List the backups in the server's own place, and show how its schedule does"), a.listBackups)
	route(api, operator, operation("begin-backup", http.MethodPost, adminapi.PathBackups, "Have a backup made in the server's own place", http.StatusAccepted), a.beginBackup)
}

func (a *Admin) listBackups(ctx context.Context, _ *struct{}) (*output[adminapi.Backups], error) {
	return show(a.cfg.Backups.List(ctx))
}

func (a *Admin) beginBackup(ctx context.Context, _ *struct{}) (*struct{}, error) {
	return nil, a.cfg.Backups.Begin(ctx, by(ctx))
}

func (a *Admin) streamBackup(ctx context.Context, in *streamInput) (*huma.StreamResponse, error) {
	return a.stream(in, adminapi.TypeBackup, func() (sender, error) { return a.cfg.Backups.Stream, a.cfg.Backups.Announce(ctx, by(ctx)) })
}

// streamInput notes the request, whose answer or body has a length that nobody knows, or whose
// client may leave.
type streamInput struct{ ctx *fasthttp.RequestCtx }

// Resolve is called by huma.
func (in *streamInput) Resolve(ctx huma.Context) []error {
	in.ctx = humafiber.Unwrap(ctx).Context()
	return nil
}

// sender writes an answer. After an error it is not whole.
type sender = func(context.Context, io.Writer) error

// stream answers with what a sender writes, as fast as the client takes it. begin is not
// called for a HEAD.
func (a *Admin) stream(in *streamInput, mediaType string, begin func() (sender, error)) (*huma.StreamResponse, error) {
	if in.ctx.IsHead() {
		return &huma.StreamResponse{Body: func(huma.Context) { in.ctx.SetContentType(mediaType) }}, nil
	}
	send, err := begin()
	if err != nil {
		return nil, err
	}
	conn := in.ctx.Conn()
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		id := exchangeOf(hc.Context()).id
		in.ctx.SetContentType(mediaType)
		in.ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
			err := send(a.edge.Ending(), &flow.Patient{Conn: conn, W: w, Timeout: a.edge.WriteTimeout()})
			if err == nil {
				return
			}
			a.log.Error("an answer that was being sent broke off", "request_id", id, "error", err)
			_ = conn.Close() // or it would end as if it were whole
		})
	}}, nil
}

// arriving returns a body of any length.
func (a *Admin) arriving(ctx *fasthttp.RequestCtx) io.Reader {
	return &flow.Arriving{Conn: ctx.Conn(), R: ctx.RequestBodyStream(), Timeout: a.edge.WriteTimeout()}
}
