package hub

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	capsocket "github.com/wasmoor/wasmoor/host/internal/capability/socket"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

// patience is how long an event waits for a place to run; between has it look again.
const (
	patience = 10 * time.Second
	between  = 50 * time.Millisecond
)

// handle handles an event, and acts on the answer.
func (s *Service) handle(one *sock, e *event, attributes []abi.Pair) {
	if s.run == nil {
		return
	}
	q := trigger.Request{
		Plugin: one.desk.plugin, Trigger: abi.TriggerSocket, Attributes: attributes, Body: e.data, Remote: one.client,
		To: func(m *manifest.Manifest) (manifest.Request, bool) {
			declared, ok := capsocket.Of(m).Find(one.pattern)
			if !ok || !declared.HasEvents {
				return manifest.Request{}, false
			}
			return declared.Events.Fill(one.params)
		},
	}
	out := s.try(&q)
	s.counts.handled.Add(1)
	if out.Err != nil || out.Status >= 400 {
		s.counts.failed.Add(1)
	}
	if !e.closed {
		one.answer(&out)
	}
}

// try runs a request, again while it finds no place.
func (s *Service) try(q *trigger.Request) trigger.Outcome {
	end := time.Now().Add(patience)
	for {
		out := s.run(s.Handling, q)
		if out.Called || fault.CodeOf(out.Err) != fault.Unavailable || dispatch.PausedBy(out.Err) != nil || time.Now().After(end) {
			return out
		}
		select {
		case <-time.After(between):
		case <-s.Handling.Done():
			return out
		}
	}
}

// answer sends what a handler has answered to a message, or closes the socket of one that
// was not taken.
func (one *sock) answer(out *trigger.Outcome) {
	code, reason := 0, ""
	switch fault.CodeOf(out.Err) {
	case "":
		switch {
		case out.Status < 300:
			if e := reply(out.Reply); e != nil {
				one.desk.mu.Lock()
				one.push(outgoing{event: e})
				one.desk.mu.Unlock()
			}
			return
		case out.Status < 500:
			code, reason = stream.CodePolicy, "the message was refused"
		default:
			code, reason = stream.CodeInternal, "the message was not handled"
		}
	case fault.NotFound:
		code, reason = codeRestart, "the service does not offer this any more"
	case fault.Unavailable, fault.Conflict, fault.Exhausted:
		code, reason = stream.CodeTryAgain, "the service cannot answer just now"
	default:
		code, reason = stream.CodeInternal, "the message was not handled"
	}
	one.desk.mu.Lock()
	defer one.desk.mu.Unlock()
	one.end(code, reason)
}

// reply is the body of a reply as something to send, nil for none.
func reply(r *invoke.Reply) *stream.Event {
	if len(r.Body) == 0 || r.Status == 204 || r.Status == 205 {
		return nil
	}
	return stream.NewEvent("", "", isText(Header(r, "content-type")) && utf8.Valid(r.Body), r.Body)
}

// Header returns the value of a field of a reply, its name in lower case.
func Header(r *invoke.Reply, name string) string {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// isText reports whether a body of a type is sent as text. One that says nothing is.
func isText(kind string) bool {
	kind, _, _ = strings.Cut(strings.ToLower(kind), ";")
	kind = strings.TrimSpace(kind)
	switch kind {
	case "", "application/json", "application/xml", "application/javascript", "application/x-ndjson", "application/x-www-form-urlencoded":
		return true
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml")
}
