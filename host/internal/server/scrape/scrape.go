// Package scrape is the listener that shows the metrics without a token, where an
// operator asks for one. Only package host imports it.
package scrape

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// MaxConns is the number of connections open at a time: whoever scrapes needs one.
const MaxConns = 16

// Exporter shows the metrics in Prometheus's text format, compressed with gzip or not.
// Unavailable says that other scrapes are being answered. Safe for concurrent use.
type Exporter interface {
	Scrape(ctx context.Context, compressed bool) ([]byte, error)
}

// Listener answers GET /metrics, and the probes. Methods are safe for concurrent use.
type Listener struct {
	edge     *wire.Edge
	exporter Exporter
}

// New returns a Listener that does not listen yet. Serve and Close it.
func New(exporter Exporter, health []wire.Check, log *slog.Logger) *Listener {
	l := &Listener{exporter: exporter}
	unreadable := func(c *fiber.Ctx, _ error) error { return refuse(c, wire.Unreadable(c.Context())) }
	l.edge = wire.NewEdge("metrics", wire.Conns{Max: MaxConns}, wire.OrDiscard(log), wire.AccessLog{}, true, unreadable)
	l.edge.BindHealth(health)
	l.edge.App.Get(adminapi.PathMetrics, l.metrics)
	l.edge.App.Use(func(c *fiber.Ctx) error {
		return refuse(c, wire.Refusing(http.StatusNotFound, fault.NotFound, "this listener answers GET "+adminapi.PathMetrics+" alone"))
	})
	return l
}

func refuse(c *fiber.Ctx, r *wire.Refusal) error {
	r.Problem(wire.NewRequestID()).Write(c.Context())
	r.Finish(c.Context())
	return nil
}

func (l *Listener) metrics(c *fiber.Ctx) error {
	compressed := strings.Contains(c.Get("Accept-Encoding"), "gzip")
	text, err := l.exporter.Scrape(l.edge.Context(), compressed)
	if err != nil {
		return refuse(c, &wire.Refusal{Status: wire.StatusOf(fault.CodeOf(err)), Code: fault.CodeOf(err), Detail: fault.MessageOf(err)})
	}
	c.Set("Content-Type", adminapi.TypeMetrics)
	c.Set("Cache-Control", "no-store")
	c.Set("X-Content-Type-Options", "nosniff")
	if compressed {
		c.Set("Content-Encoding", "gzip")
	}
	return c.Send(text)
}

// Serve serves ln until Close, and closes it. Call it once. It returns nil after
// Close; an error has the code Unavailable: ln failed.
func (l *Listener) Serve(ln net.Listener) error { return l.edge.Serve(ln) }

// closeTimeout is how long a scrape may take to end.
const closeTimeout = time.Second

// Close ends the listener. A scrape has a moment to end.
func (l *Listener) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	return l.edge.Close(ctx)
}
