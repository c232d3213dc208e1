package server

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
)

// record is what the log says of a finished request.
type record struct {
	method    string
	path      string // as received, without the query, which may hold secrets
	status    int
	bytes     int // of the response body
	duration  time.Duration
	requestID string
	remote    string // IP address of the client
	err       error  // why the handler failed; nil when it answered

	// The rest is empty where no plugin answered.
	plugin   string
	version  int
	pattern  string // what matched: the guest's router, or the manifest's route
	attempts int    // runs of the handler; more than 1 after conflicts
	outcome  dispatch.Outcome
}

// report logs a finished request. It costs nothing where nobody reads it.
func (p *Public) report(ctx *fasthttp.RequestCtx, c *call) {
	if p.log.Enabled(context.Background(), levelOf(ctx.Response.StatusCode())) {
		c.record(ctx).log(p.log, "request")
	}
}

func levelOf(status int) slog.Level {
	if status >= 500 {
		return slog.LevelError
	}
	return slog.LevelInfo
}

func (r *record) log(log *slog.Logger, message string) {
	log.LogAttrs(context.Background(), levelOf(r.status), message, r.attrs()...)
}

// bodySize does not read a body that is a stream, which would be its end.
func bodySize(r *fasthttp.Response) int {
	if r.IsBodyStream() {
		return r.Header.ContentLength()
	}
	return len(r.Body())
}

func (c *call) record(ctx *fasthttp.RequestCtx) *record {
	r := &record{
		method:    c.method,
		path:      c.path,
		status:    ctx.Response.StatusCode(),
		bytes:     bodySize(&ctx.Response),
		duration:  time.Since(c.start),
		requestID: c.id,
		remote:    c.remote,
		err:       c.err,
	}
	if c.match.Service != nil {
		env := c.match.Service.Env()
		r.plugin, r.version = env.Plugin, env.Version
		r.attempts, r.outcome = c.result.Attempts, c.result.Outcome
		r.pattern = cmp.Or(c.inv.Pattern, c.match.Pattern)
	}
	return r
}

func (r *record) attrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 13)
	attrs = append(attrs,
		slog.String("method", r.method),
		slog.String("path", r.path),
		slog.Int("status", r.status),
		slog.Int("bytes", r.bytes),
		slog.Float64("ms", float64(r.duration.Microseconds())/1000),
		slog.String("request_id", r.requestID),
		slog.String("remote", r.remote),
	)
	if r.plugin != "" {
		attrs = append(attrs,
			slog.String("plugin", r.plugin),
			slog.Int("version", r.version),
			slog.String("pattern", r.pattern),
			slog.Int("attempts", r.attempts),
			slog.String("outcome", cmp.Or(string(r.outcome), string(dispatch.None))),
		)
	}
	if r.err != nil {
		attrs = append(attrs, slog.Any("error", r.err))
	}
	return attrs
}

// logRefused returns what logs the gate's refusals: they never become requests.
func logRefused(log *slog.Logger) func(net.Addr, *refusal, string) {
	return func(remote net.Addr, r *refusal, id string) {
		log.LogAttrs(context.Background(), slog.LevelInfo, "refused",
			slog.Int("status", r.status), slog.String("reason", r.detail),
			slog.String("request_id", id), slog.String("remote", string(appendIP(nil, remote))))
	}
}
