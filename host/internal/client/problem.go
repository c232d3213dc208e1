package client

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// refused turns an answer outside the 200s into an error with the server's code
// and words.
func (c *Client) refused(op string, resp *http.Response) error {
	data, _ := readAll(resp.Body, maxProblem)
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	var p adminapi.Problem
	if kind != adminapi.TypeProblem || json.Unmarshal(data, &p) != nil {
		return fault.New(codeOfStatus(resp.StatusCode), op, fmt.Sprintf(
			"%s answered %s without saying why; is --server the admin address?", c.base.Host, resp.Status))
	}
	code := fault.Code(p.Code)
	if code == "" {
		code = codeOfStatus(resp.StatusCode)
	}
	text := messageOf(p, resp.Status)
	if p.Code == "" || p.Effects != "" {
		text += "; is --server the admin address?"
	}
	return fault.New(code, op, text)
}

// messageOf is what p says to a person.
func messageOf(p adminapi.Problem, status string) string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	if text == "" {
		text = "the server answered " + status
	}
	var details []string
	for _, e := range p.Errors {
		details = append(details, strings.TrimSuffix(e.Message+" ("+e.Location+")", " ()"))
	}
	if len(details) > 0 {
		text += ": " + strings.Join(details, "; ")
	}
	if p.Code == string(fault.Internal) && p.RequestID != "" {
		text += " (request " + p.RequestID + " in the server's log)"
	}
	return text
}

// codeOfStatus is for answers without a code: those of a proxy in front, or of
// something that is not a wasmoor.
func codeOfStatus(status int) fault.Code {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType:
		return fault.Invalid
	case http.StatusUnauthorized:
		return fault.Unauthenticated
	case http.StatusForbidden:
		return fault.Denied
	case http.StatusNotFound:
		return fault.NotFound
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusRequestEntityTooLarge:
		return fault.TooLarge
	case http.StatusTooManyRequests, http.StatusInsufficientStorage:
		return fault.Exhausted
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return fault.Unavailable
	case http.StatusGatewayTimeout:
		return fault.Deadline
	}
	return fault.Internal
}
