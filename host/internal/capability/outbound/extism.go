package outbound

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/egress"
)

// extism returns Extism's client.
func extism() []capability.Func {
	one := []abi.Type{abi.I64}
	return []capability.Func{
		{Module: capability.ExtismEnv, Name: "http_request", Params: []abi.Type{abi.I64, abi.I64}, Results: one, Call: httpRequest},
		{Module: capability.ExtismEnv, Name: "http_status_code", Results: []abi.Type{abi.I32}, Call: httpStatusCode},
		{Module: capability.ExtismEnv, Name: "http_headers", Results: one, Call: httpHeaders},
	}
}

// request is a call to another server in Extism's form.
type request struct {
	URL     string `json:"url"`
	Method  string `json:"method"`
	Headers header `json:"headers"`
	Body    []byte `json:"-"`
}

// header is an object of JSON whose members stay in their order.
type header []abi.Pair

// UnmarshalJSON implements json.Unmarshaler.
func (h *header) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	switch open, err := d.Token(); {
	case err != nil || open == nil: // null is none
		return err
	case open != json.Delim('{'):
		return errors.New("headers is no object")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value string
		if err := d.Decode(&value); err != nil {
			return err
		}
		*h = append(*h, abi.Pair{Name: name.(string), Value: value}) // the key of a member
	}
	return nil
}

// answer is what came back. Names of headers are in lower case.
type answer struct {
	status  int
	headers map[string]string
}

// do makes the plugin's call, as one of the attempt's, and keeps the answer but
// for its body, which it returns. An error ends the guest's handler: Extism has no
// other way to tell it. At most max bytes of body are read.
func (r *request) do(ctx context.Context, calls *attempt, max int) ([]byte, error) {
	handle, status, why := calls.Open(r.native())
	if status != abi.OK {
		return nil, forbidden(r, why)
	}
	defer func() { _ = calls.CloseCall(handle) }() // it is open
	if calls.Write(handle, r.Body) != abi.OK {
		return nil, forbidden(r, fmt.Sprintf("its body is over the limit of %d bytes", egress.MaxBody))
	}
	if _, _, err := calls.send(ctx, []uint32{handle}); err != nil {
		return nil, err
	}
	return calls.receive(ctx, handle, max)
}

// native returns the request as the native ABI has it.
func (r *request) native() *abi.HTTPRequest {
	return &abi.HTTPRequest{Method: r.Method, URL: r.URL, Headers: r.Headers}
}

func forbidden(r *request, why string) error {
	return capability.Mistake(fmt.Sprintf("HTTP request to %q is not allowed: %s", shown(r.URL), why))
}

// receive reads what became of a call. Fields of one name are joined, as in
// other hosts of Extism.
func (a *attempt) receive(ctx context.Context, handle uint32, max int) ([]byte, error) {
	head, _ := a.Response(handle) // it was sent
	if head.Failure != 0 {
		return nil, capability.Mistake("HTTP request failed: " + head.Reason)
	}
	headers := make(map[string]string, len(head.Headers))
	for _, h := range head.Headers {
		if before, ok := headers[h.Name]; ok {
			h.Value = before + "," + h.Value
		}
		headers[h.Name] = h.Value
	}
	body, err := a.readBody(ctx, handle, max)
	if err == nil {
		a.answer = answer{int(head.Status), headers}
	}
	return body, err
}

// readBody reads a response's body, at most what the blocks could ever hold.
func (a *attempt) readBody(ctx context.Context, handle uint32, max int) ([]byte, error) {
	var body []byte
	for {
		body = slices.Grow(body, minRead)
		n, status, err := a.read(ctx, handle, body[len(body):cap(body)])
		switch {
		case err != nil:
			return nil, err
		case status != abi.OK:
			return nil, capability.Mistake("HTTP request failed: " + a.Reason(handle))
		case n == 0:
			return body, nil
		}
		if body = body[:len(body)+n]; len(body) > max {
			return nil, capability.Mistake("the response has no room in the memory it shares with the host")
		}
	}
}

// minRead is the room for each reading of a body.
const minRead = 4 << 10

// httpRequest makes a request of two blocks, JSON and a body, and returns the
// block of the response's body; 0 when that is empty.
func httpRequest(ctx context.Context, g *capability.Guest, args []uint64) (uint64, error) {
	if err := g.Serving(); err != nil {
		return 0, err
	}
	r, err := readRequest(g, args[0], args[1])
	if err != nil {
		return 0, err
	}
	calls := of(g.Inv)
	if calls == nil {
		return 0, forbidden(r, noGrant(r.URL))
	}
	calls.answer = answer{}
	if !g.Inv.Hold(len(r.Body)) {
		return 0, g.Inv.Starved()
	}
	body, err := r.do(ctx, calls, g.Blocks.Limit())
	if err != nil || len(body) == 0 {
		return 0, err
	}
	return g.PutBlock(body)
}

// readRequest reads a request, and frees its blocks.
func readRequest(g *capability.Guest, head, body uint64) (*request, error) {
	text, _ := g.Blocks.Block(head)
	if len(text) > egress.MaxHead {
		return nil, capability.Mistake(fmt.Sprintf("its HTTP request is over the limit of %d bytes without its body", egress.MaxHead))
	}
	r := new(request)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, capability.Mistake(fmt.Sprintf("its HTTP request is not valid JSON: %v", err))
	}
	g.Blocks.Free(head)
	if body != 0 {
		r.Body = []byte(g.Text(body))
		g.Blocks.Free(body)
	}
	r.Method = cmp.Or(strings.ToUpper(r.Method), "GET")
	return r, nil
}

// last returns the answer to the last http_request; none is the zero one.
func last(g *capability.Guest) (a answer) {
	if g.Inv != nil {
		if kept, ok := g.Inv.State(Name).(*attempt); ok {
			a = kept.answer
		}
	}
	return a
}

func httpStatusCode(_ context.Context, g *capability.Guest, _ []uint64) (uint64, error) {
	return uint64(uint32(last(g).status)), nil
}

// httpHeaders returns the block of the last response's headers as JSON; 0
// before there is one.
func httpHeaders(_ context.Context, g *capability.Guest, _ []uint64) (uint64, error) {
	headers := last(g).headers
	if headers == nil {
		return 0, nil
	}
	text, err := json.Marshal(headers)
	if err != nil {
		return 0, err
	}
	return g.PutBlock(text)
}
