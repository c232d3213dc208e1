package admin

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

func (a *Admin) logs(ctx context.Context, in *adminapi.LogsQuery) (*output[adminapi.LogPage], error) {
	return show(a.cfg.Operator.Logs(ctx, *in))
}

// followInput notes whose answer is to have no end.
type followInput struct {
	adminapi.LogsQuery
	ctx *fasthttp.RequestCtx
}

// Resolve is called by huma when it has read the parameters.
func (in *followInput) Resolve(ctx huma.Context) []error {
	in.ctx = humafiber.Unwrap(ctx).Context()
	return nil
}

func (a *Admin) followLogs(ctx context.Context, in *followInput) (*huma.StreamResponse, error) {
	next, stop, err := a.cfg.Operator.Follow(ctx, in.LogsQuery)
	if err != nil {
		return nil, err
	}
	if in.ctx.IsHead() {
		stop()
		return &huma.StreamResponse{Body: func(huma.Context) { in.ctx.SetContentType(adminapi.TypeLines) }}, nil
	}
	authorization, from, name := string(in.ctx.Request.Header.Peek("Authorization")), addressOf(in.ctx.RemoteAddr()), in.Name
	may := func() error { // a token that ends takes its streams with it
		who, err := a.cfg.Token.Identify(authorization, from)
		return cmp.Or(err, viewer.met(who, name))
	}
	s := &stream{may: may, lines: next, stop: stop, conn: in.ctx.Conn(), timeout: a.edge.WriteTimeout(), beat: adminapi.Heartbeat}
	return &huma.StreamResponse{Body: func(huma.Context) {
		in.ctx.SetContentType(adminapi.TypeLines)
		in.ctx.SetBodyStreamWriter(func(w *bufio.Writer) { s.send(a.edge.Ending(), w) })
	}}, nil
}

// stream sends lines to one client.
type stream struct {
	may     func() error // whether the client may still have them
	lines   func(context.Context) ([]adminapi.LogLine, error)
	stop    func()
	conn    net.Conn
	timeout time.Duration // for a client to take some of them
	beat    time.Duration // at which the client hears something at the latest
}

// send sends lines until there are no more, ctx ends, or the client is gone. It begins
// with an empty one, so that the client knows that there is an answer.
func (s *stream) send(ctx context.Context, w *bufio.Writer) {
	defer s.stop()
	var lines []adminapi.LogLine
	for {
		_ = s.conn.SetWriteDeadline(time.Now().Add(s.timeout))
		if encodeLines(w, lines) != nil || w.Flush() != nil {
			return
		}
		var err error
		if lines, err = s.next(ctx); err != nil {
			return
		}
	}
}

// next waits for lines, but no longer than until the next heartbeat.
func (s *stream) next(ctx context.Context) ([]adminapi.LogLine, error) {
	beat, cancel := context.WithTimeout(ctx, s.beat)
	defer cancel()
	lines, err := s.lines(beat)
	if late := s.may(); late != nil {
		return nil, late
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, nil
	}
	return lines, err
}

// encodeLines writes lines, or for none an empty one.
func encodeLines(w *bufio.Writer, lines []adminapi.LogLine) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for i := range lines {
		if err := encoder.Encode(&lines[i]); err != nil {
			return err
		}
	}
	if len(lines) == 0 {
		return w.WriteByte('\n')
	}
	return nil
}

// withLines says in the document that a route answers with lines of JSON.
func withLines(op huma.Operation) huma.Operation {
	op.Responses = map[string]*huma.Response{"200": {
		Description: "Lines of JSON, each a LogLine or empty, as they come",
		Content:     map[string]*huma.MediaType{adminapi.TypeLines: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	return op
}
