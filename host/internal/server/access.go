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

// RequestInfo describes a finished request, for whoever watches the server.
type RequestInfo struct {
	Method    string
	Path      string // as received, without the query, which may hold secrets
	Status    int
	Bytes     int // of the response body
	Duration  time.Duration
	RequestID string
	Remote    string // IP address of the client

	// The rest is empty where no plugin answered.
	Plugin   string
	Version  int
	Pattern  string // what matched: the guest's router, or the manifest's route
	Attempts int    // runs of the handler; more than 1 after conflicts
	Outcome  dispatch.Outcome
	Err      error // why the handler failed; nil when it answered
}

// report tells the log and the observer of a finished request.
func (p *Public) report(ctx *fasthttp.RequestCtx, c *call) {
	if p.cfg.Observe == nil && !p.log.Enabled(context.Background(), levelOf(ctx.Response.StatusCode())) {
		return
	}
	info := c.info(ctx)
	info.log(p.log, "request")
	if p.cfg.Observe != nil {
		p.cfg.Observe(info)
	}
}

func levelOf(status int) slog.Level {
	if status >= 500 {
		return slog.LevelError
	}
	return slog.LevelInfo
}

func (i RequestInfo) log(log *slog.Logger, message string) {
	if level := levelOf(i.Status); log.Enabled(context.Background(), level) {
		log.LogAttrs(context.Background(), level, message, i.attrs()...)
	}
}

func (c *call) info(ctx *fasthttp.RequestCtx) RequestInfo {
	info := RequestInfo{
		Method:    c.method,
		Path:      c.path,
		Status:    ctx.Response.StatusCode(),
		Bytes:     len(ctx.Response.Body()),
		Duration:  time.Since(c.start),
		RequestID: c.id,
		Remote:    c.remote,
		Err:       c.err,
	}
	if c.match.Service != nil {
		env := c.match.Service.Env()
		info.Plugin, info.Version = env.Plugin, env.Version
		info.Attempts, info.Outcome = c.result.Attempts, c.result.Outcome
		info.Pattern = c.match.Pattern
		if c.inv.Pattern != "" {
			info.Pattern = c.inv.Pattern
		}
	}
	return info
}

func (i RequestInfo) attrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 13)
	attrs = append(attrs,
		slog.String("method", i.Method),
		slog.String("path", i.Path),
		slog.Int("status", i.Status),
		slog.Int("bytes", i.Bytes),
		slog.Float64("ms", float64(i.Duration.Microseconds())/1000),
		slog.String("request_id", i.RequestID),
		slog.String("remote", i.Remote),
	)
	if i.Plugin != "" {
		attrs = append(attrs,
			slog.String("plugin", i.Plugin),
			slog.Int("version", i.Version),
			slog.String("pattern", i.Pattern),
			slog.Int("attempts", i.Attempts),
			slog.String("outcome", cmp.Or(string(i.Outcome), "none")),
		)
	}
	if i.Err != nil {
		attrs = append(attrs, slog.Any("error", i.Err))
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
