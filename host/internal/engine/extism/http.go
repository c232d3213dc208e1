package extism

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// request is a call to another server in Extism's form.
type request struct {
	URL     string            `json:"url"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"-"`
}

// response is what came back. Names of headers are in lower case.
type response struct {
	status  int
	headers map[string]string
	body    []byte
}

// outbound makes the plugin's call, as one of the invocation's. An error ends
// the guest's handler: Extism has no other way to tell it.
func (s *state) outbound(ctx context.Context, r *request) (response, error) {
	calls := outbound.Calls(s.inv)
	if calls == nil {
		return response{}, refused(r, "no origin is granted; the manifest asks for it with outbound.allow")
	}
	handle, status, why := calls.Open(r.native())
	if status != abi.OK {
		return response{}, refused(r, why)
	}
	defer func() { _ = calls.CloseCall(handle) }() // it is open
	if calls.Write(handle, r.Body) != abi.OK {
		return response{}, refused(r, fmt.Sprintf("its body is over the limit of %d bytes", limit.OutboundBody))
	}
	if _, _, err := calls.Send(ctx, []uint32{handle}); err != nil {
		return response{}, err
	}
	return s.receive(ctx, calls, handle)
}

// native returns the request as the native ABI has it, its headers in an order
// that is always the same.
func (r *request) native() *abi.HTTPRequest {
	n := &abi.HTTPRequest{Method: r.Method, URL: r.URL}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		n.Headers = append(n.Headers, abi.Pair{Name: name, Value: r.Headers[name]})
	}
	return n
}

func refused(r *request, why string) error {
	return mistake(fmt.Sprintf("HTTP request to %q is not allowed: %s", outbound.Shown(r.URL), why))
}

// receive reads what became of a call. Fields of one name are joined, as in
// other hosts of Extism.
func (s *state) receive(ctx context.Context, calls *egress.Session, handle uint32) (r response, err error) {
	head, _ := calls.Response(handle) // it was sent
	if head.Failure != 0 {
		return r, mistake("HTTP request failed: " + head.Reason)
	}
	r.status, r.headers = int(head.Status), make(map[string]string, len(head.Headers))
	for _, h := range head.Headers {
		if before, ok := r.headers[h.Name]; ok {
			h.Value = before + "," + h.Value
		}
		r.headers[h.Name] = h.Value
	}
	r.body, err = s.readBody(ctx, calls, handle)
	return r, err
}

// readBody reads a response's body, at most what the arena could ever hold.
func (s *state) readBody(ctx context.Context, calls *egress.Session, handle uint32) ([]byte, error) {
	var body []byte
	for {
		body = slices.Grow(body, minRead)
		n, status := calls.Read(handle, body[len(body):cap(body)])
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case status != abi.OK:
			return nil, mistake("HTTP request failed: " + calls.Reason(handle))
		case n == 0:
			return body, nil
		}
		if body = body[:len(body)+n]; len(body) > s.arena.limit {
			return nil, mistake("the response has no room in the memory it shares with the host")
		}
	}
}

// minRead is the room for each reading of a body.
const minRead = 4 << 10

// httpFunctions are Extism's client.
func httpFunctions() []function {
	return []function{
		{EnvModule, "http_request", []abi.Type{abi.I64, abi.I64}, []abi.Type{abi.I64}, httpRequest},
		plain(EnvModule, "http_status_code", ">i", func(s *state, _ []uint64) uint64 { return uint64(uint32(s.response.status)) }),
		fallible(EnvModule, "http_headers", ">l", httpHeaders),
	}
}

// httpRequest makes a request of two blocks, JSON and a body, and returns the
// block of the response's body; 0 when that is empty.
func httpRequest(ctx context.Context, s *state, args []uint64) (uint64, error) {
	if err := s.serving(); err != nil {
		return 0, err
	}
	s.response = response{}
	var r request
	text, _ := s.arena.block(args[0])
	if len(text) > limit.OutboundHead {
		return 0, mistake(fmt.Sprintf("its HTTP request is over the limit of %d bytes without its body", limit.OutboundHead))
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return 0, mistake(fmt.Sprintf("its HTTP request is not valid JSON: %v", err))
	}
	s.arena.free(args[0])
	if args[1] != 0 {
		r.Body = []byte(s.text(args[1]))
		s.arena.free(args[1])
	}
	r.Method = strings.ToUpper(r.Method)
	if r.Method == "" {
		r.Method = "GET"
	}
	got, err := s.outbound(ctx, &r)
	if err != nil {
		return 0, err
	}
	s.response.status, s.response.headers = got.status, got.headers
	if len(got.body) == 0 {
		return 0, nil
	}
	return s.put(got.body)
}

// httpHeaders returns the block of the last response's headers as JSON; 0
// before there is one.
func httpHeaders(s *state, _ []uint64) (uint64, error) {
	if s.response.headers == nil {
		return 0, nil
	}
	text, err := json.Marshal(s.response.headers)
	if err != nil {
		return 0, err
	}
	return s.put(text)
}
