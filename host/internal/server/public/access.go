package public

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// report counts a finished request that was for a plugin, and logs it: where it
// failed, to the host's log, and to the access log. A log costs nothing where nobody
// reads it.
func (p *Public) report(c *exchange, status, size int) {
	took := time.Since(c.start)
	if d := c.match.Deployment; d != nil {
		d.Plugin().Meter.Observe(d.Env().Version, cmp.Or(c.record.Pattern, c.match.Pattern), c.method, status, took)
	}
	failed := wire.LevelOf(status) > slog.LevelInfo
	if failed && p.log.Enabled(context.Background(), slog.LevelError) && c.mayTell() {
		c.logged(status, size, took).Log(p.log, "request", c.answered()...)
	}
	if failed && !p.cfg.Access.Apart {
		return
	}
	if p.cfg.Access.Wants(status, took) {
		c.logged(status, size, took).Log(p.cfg.Access.Log, "request", append(c.answered(), p.agent(c)...)...)
	}
}

// agent is what a client says of itself, if the access log wants to know. Of a referer
// the query is left out, as of the path.
func (p *Public) agent(c *exchange) []slog.Attr {
	if !p.cfg.Access.Agents {
		return nil
	}
	referer, _, _ := strings.Cut(field.Single(c.headers, "referer"), "?")
	return []slog.Attr{slog.String("referer", referer), slog.String("user_agent", field.Single(c.headers, "user-agent"))}
}

// mayTell reports whether the log has room for one more failure of the plugin.
func (c *exchange) mayTell() bool {
	return c.match.Deployment == nil || c.match.Deployment.Plugin().Lines.Failed()
}

func (c *exchange) logged(status, size int, took time.Duration) *wire.Record {
	return &wire.Record{
		Method:    c.method,
		Path:      c.path,
		Status:    status,
		Bytes:     size,
		Duration:  took,
		RequestID: c.id,
		Remote:    c.remote,
		Err:       c.err,
	}
}

// answered says which plugin answered, and how, or whose upload it was about; nothing where
// none did.
func (c *exchange) answered() []slog.Attr {
	switch {
	case c.match.Deployment != nil:
	case c.upload.found != nil: // a part, of which no handler learns
		return []slog.Attr{slog.String("plugin", c.upload.found.Plugin), slog.String("pattern", c.upload.found.Pattern)}
	default:
		return nil
	}
	env := c.match.Deployment.Env()
	attrs := []slog.Attr{
		slog.String("plugin", env.Plugin),
		slog.Int("version", env.Version),
		slog.String("pattern", cmp.Or(c.record.Pattern, c.match.Pattern)),
		// Runs of the handler; more than 1 after conflicts.
		slog.Int("attempts", c.record.Attempts),
		slog.String("outcome", string(cmp.Or(c.record.Outcome, trace.None))),
	}
	id := c.record.Timeline.TraceID()
	if id == "" {
		id = invoke.TraceOf(c.headers).ID()
	}
	if id != "" {
		attrs = append(attrs, slog.String("trace_id", id))
	}
	return attrs
}
