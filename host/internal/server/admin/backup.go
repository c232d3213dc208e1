package admin

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
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
	route(api, operator, withBackup(get("stream-backup", adminapi.PathBackup, "Make a backup, and send it as it is made; it is whole if the answer ends as it should")), a.streamBackup)
	route(api, operator, get("list-backups", adminapi.PathBackups, "List the backups in the server's own place, and show how its schedule does"), a.listBackups)
	route(api, operator, operation("begin-backup", http.MethodPost, adminapi.PathBackups, "Have a backup made in the server's own place", http.StatusAccepted), a.beginBackup)
}

func (a *Admin) listBackups(ctx context.Context, _ *struct{}) (*output[adminapi.Backups], error) {
	return show(a.cfg.Backups.List(ctx))
}

func (a *Admin) beginBackup(ctx context.Context, _ *struct{}) (*struct{}, error) {
	return nil, a.cfg.Backups.Begin(ctx, by(ctx))
}

// backupInput notes whose answer has a length that nobody knows.
type backupInput struct{ ctx *fasthttp.RequestCtx }

// Resolve is called by huma.
func (in *backupInput) Resolve(ctx huma.Context) []error {
	in.ctx = humafiber.Unwrap(ctx).Context()
	return nil
}

func (a *Admin) streamBackup(ctx context.Context, in *backupInput) (*huma.StreamResponse, error) {
	if in.ctx.IsHead() {
		return &huma.StreamResponse{Body: func(huma.Context) { in.ctx.SetContentType(adminapi.TypeBackup) }}, nil
	}
	if err := a.cfg.Backups.Announce(ctx, by(ctx)); err != nil {
		return nil, err
	}
	conn, id := in.ctx.Conn(), ""
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		id = exchangeOf(hc.Context()).id
		in.ctx.SetContentType(adminapi.TypeBackup)
		in.ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
			out := &patient{conn: conn, w: w, timeout: a.edge.WriteTimeout()}
			err := a.cfg.Backups.Stream(a.edge.Ending(), out)
			if err == nil {
				return
			}
			a.log.Error("a backup that was asked for failed", "request_id", id, "error", err)
			_ = conn.Close() // or the answer would end as if it were whole
		})
	}}, nil
}

// patient gives a client the same time for each piece that it takes.
type patient struct {
	conn    net.Conn
	w       *bufio.Writer
	timeout time.Duration
}

func (p *patient) Write(b []byte) (int, error) {
	_ = p.conn.SetWriteDeadline(time.Now().Add(p.timeout))
	return p.w.Write(b)
}

// withBackup says in the document what a route answers with.
func withBackup(op huma.Operation) huma.Operation {
	op.Responses = map[string]*huma.Response{"200": {
		Description: "A tar archive, compressed with zstd",
		Content:     map[string]*huma.MediaType{adminapi.TypeBackup: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}}
	return op
}
