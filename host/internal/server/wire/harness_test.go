package wire

import (
	"log/slog"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/spool"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's clock for the Date header runs as long as the process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
	)
}

// onEdge is a side of the simplest kind: it reads a body, of 64 bytes at most at
// /small, and hands it over.
type onEdge struct {
	*Edge
	room   *limit.Budget
	spool  *spool.Spool
	handle func(*fasthttp.RequestCtx, *Body)
}

func newTestEdge(conns Conns) *onEdge {
	const memory = 256 << 20
	e := &onEdge{room: limit.NewBudget(memory), handle: echo}
	e.Edge = NewEdge("test", conns, slog.New(slog.DiscardHandler), AccessLog{}, false, func(c *fiber.Ctx, _ error) error {
		refuse(c.Context(), Unreadable(c.Context()))
		return nil
	})
	e.BindHealth(nil)
	e.App.Use(func(c *fiber.Ctx) error { e.serve(c.Context()); return nil })
	e.ServeOtherMethods(e.serve)
	return e
}

func (e *onEdge) serve(ctx *fasthttp.RequestCtx) {
	max := int64(64 << 20)
	if path, _ := SplitTarget(ctx.Request.Header.RequestURI()); string(path) == "/small" {
		max = 64
	}
	body := NewBody(e.room)
	defer body.Reset()
	if r := AdmitBody(ctx, e.spool, "test", max); r != nil {
		refuse(ctx, r)
		return
	}
	if r := body.Read(ctx, e.spool.New("test"), max); r != nil {
		refuse(ctx, r)
		return
	}
	e.handle(ctx, &body)
}

func refuse(ctx *fasthttp.RequestCtx, r *Refusal) {
	r.Problem(NewRequestID()).Write(ctx)
	r.Finish(ctx)
}

// echo answers with the body.
func echo(ctx *fasthttp.RequestCtx, body *Body) { ctx.Response.SetBody(body.Bytes()) }

// edgeFor serves an edge until the test ends and returns the address.
func edgeFor(tb testing.TB, conns Conns) string {
	tb.Helper()
	return servertest.Listen(tb, newTestEdge(conns))
}
