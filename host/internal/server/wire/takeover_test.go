package wire

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// TestTakeOver: what takes a connection over gets all that comes after the request, and
// only that, and the edge neither counts the connection any more nor waits for it.
func TestTakeOver(t *testing.T) {
	type taken struct {
		conn        net.Conn
		ahead, head string
	}
	got := make(chan taken, 1)
	e := newTestEdge(Conns{Max: 1})
	e.handle = func(ctx *fasthttp.RequestCtx, _ *Body) {
		if string(ctx.Path()) != "/take" {
			return
		}
		ctx.Response.SetStatusCode(101)
		ctx.Response.Header.Set("Upgrade", "test")
		e.TakeOver(ctx, func(conn net.Conn, ahead, head []byte) { got <- taken{conn, string(ahead), string(head)} })
	}
	addr, end := draining(t, e)
	const behind = "not HTTP\r\n\r\n\x00\xff"
	for _, first := range []string{"", servertest.Get("/first")} {
		c := servertest.Dial(t, addr)
		servertest.Send(t, c, first+servertest.Get("/take")+behind)
		k := <-got
		if !strings.HasPrefix(k.head, "HTTP/1.1 101 Switching Protocols\r\n") || !strings.Contains(k.head, "\r\nUpgrade: test\r\n") ||
			!strings.HasSuffix(k.head, "\r\n\r\n") || strings.Contains(strings.ToLower(k.head), "content-length") {
			t.Errorf("the head is %q", k.head)
		}
		servertest.Send(t, c, "more")
		_ = k.conn.SetDeadline(time.Now().Add(time.Minute))
		rest := make([]byte, len(behind+"more")-len(k.ahead))
		if _, err := io.ReadFull(k.conn, rest); err != nil || k.ahead+string(rest) != behind+"more" {
			t.Errorf("behind the request: %q and %q, %v", k.ahead, rest, err)
		}
		for e.Open() > 0 { // it leaves once take has returned
			time.Sleep(time.Millisecond)
		}
		other := servertest.Dial(t, addr)
		servertest.Send(t, other, servertest.Request("GET", "/", "", "Connection: close"))
		if b, err := io.ReadAll(other); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200") {
			t.Errorf("another connection: %q, %v", b, err)
		}
		defer func() { _ = k.conn.Close() }()
	}
	end()
}
