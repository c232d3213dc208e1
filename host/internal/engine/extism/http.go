package extism

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
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

// outbound makes the plugin's call. An error ends the guest's handler: Extism
// has no other way to tell it.
func (s *state) outbound(_ context.Context, r *request) (response, error) {
	return response{}, mistake(fmt.Sprintf("HTTP request to %.256q is not allowed: this host grants no plugin outbound requests", r.URL))
}

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
	s.response = response{}
	var r request
	text, _ := s.arena.block(args[0])
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
