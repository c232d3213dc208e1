package public

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// report logs a finished request: where it failed, to the host's log, and to the
// access log. It costs nothing where nobody reads it.
func (p *Public) report(ctx *fasthttp.RequestCtx, c *exchange) {
	status := ctx.Response.StatusCode()
	failed := wire.LevelOf(status) > slog.LevelInfo
	if failed && p.log.Enabled(context.Background(), slog.LevelError) && c.mayTell() {
		c.logged(ctx).Log(p.log, "request", c.answered()...)
	}
	if failed && !p.cfg.Access.Apart {
		return
	}
	if p.cfg.Access.Wants(status, time.Since(c.start)) {
		c.logged(ctx).Log(p.cfg.Access.Log, "request", c.answered()...)
	}
}

// mayTell reports whether the log has room for one more failure of the plugin.
func (c *exchange) mayTell() bool {
	return c.match.Deployment == nil || c.match.Deployment.Plugin().Lines.Failed()
}

func (c *exchange) logged(ctx *fasthttp.RequestCtx) *wire.Record {
	return &wire.Record{
		Method:    c.method,
		Path:      c.path,
		Status:    ctx.Response.StatusCode(),
		Bytes:     wire.BodySize(&ctx.Response),
		Duration:  time.Since(c.start),
		RequestID: c.id,
		Remote:    c.remote,
		Err:       c.err,
	}
}

// answered says which plugin answered, and how; nothing where none did.
func (c *exchange) answered() []slog.Attr {
	if c.match.Deployment == nil {
		return nil
	}
	env := c.match.Deployment.Env()
	return []slog.Attr{
		slog.String("plugin", env.Plugin),
		slog.Int("version", env.Version),
		slog.String("pattern", cmp.Or(c.record.Pattern, c.match.Pattern)),
		// Runs of the handler; more than 1 after conflicts.
		slog.Int("attempts", c.record.Attempts),
		slog.String("outcome", string(cmp.Or(c.record.Outcome, trace.None))),
	}
}
