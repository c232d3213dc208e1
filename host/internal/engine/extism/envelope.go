package extism

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// envelopeVersion is the v of a request. Members are added without changing it.
const envelopeVersion = 1

// requestEnvelope is a request as a handler reads it. Params has one value for
// each name of the pattern; a name of Attributes occurs once.
type requestEnvelope struct {
	V          int               `json:"v"`
	Method     string            `json:"method"`
	Path       string            `json:"path"`
	Mount      string            `json:"mount"`
	Pattern    string            `json:"pattern"`
	Params     map[string]string `json:"params"`
	Query      string            `json:"query"`
	Headers    [][2]string       `json:"headers"`
	Scheme     string            `json:"scheme"`
	Host       string            `json:"host"`
	Remote     string            `json:"remote"`
	RequestID  string            `json:"request_id"`
	Attempt    uint32            `json:"attempt"`
	Trigger    string            `json:"trigger"`
	Attributes map[string]string `json:"attributes"`
	Body       *string           `json:"body,omitempty"`
	Base64     []byte            `json:"body_base64,omitempty"`
}

// appendRequest appends the envelope of a request. A body that is UTF-8 is text,
// any other is base64. Of the other members bytes that are no UTF-8 become
// U+FFFD.
func appendRequest(b []byte, h *abi.RequestHead, body []byte) []byte {
	e := requestEnvelope{
		V: envelopeVersion, Method: h.Method, Path: h.Path, Mount: h.Mount, Pattern: h.Pattern,
		Params: make(map[string]string, len(h.Params)), Query: h.Query, Headers: make([][2]string, 0, len(h.Headers)),
		Scheme: h.Scheme, Host: h.Host, Remote: h.Remote, RequestID: h.RequestID, Attempt: h.Attempt,
		Trigger: h.Trigger, Attributes: make(map[string]string, len(h.Attributes)),
	}
	for _, p := range h.Params {
		e.Params[p.Name] = p.Value
	}
	for _, p := range h.Attributes {
		e.Attributes[p.Name] = p.Value
	}
	for _, p := range h.Headers {
		e.Headers = append(e.Headers, [2]string{p.Name, p.Value})
	}
	if utf8.Valid(body) {
		text := string(body)
		e.Body = &text
	} else {
		e.Base64 = body
	}
	out := bytes.NewBuffer(b)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(e) // strings and numbers, to memory: it cannot fail
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// replyEnvelope is a response as a handler writes it.
type replyEnvelope struct {
	Status  *int64     `json:"status"`
	Headers [][]string `json:"headers"`
	Outcome string     `json:"outcome"`
	Body    *string    `json:"body"`
	Base64  *string    `json:"body_base64"`
}

// answer is a response that has been read. What its head may hold is checked by
// the reply.
type answer struct {
	head    abi.ResponseHead
	body    []byte
	outcome uint32
}

var outcomes = map[string]uint32{
	"": abi.OutcomeDefault, "commit": abi.OutcomeCommit, "abort": abi.OutcomeAbort,
}

// decodeReply reads the envelope of a response. It is strict: a member it does
// not know would be one that the handler means and nobody heeds.
func decodeReply(output []byte) (a answer, err error) {
	var e replyEnvelope
	if err := decodeStrict(output, &e); err != nil {
		return a, err
	}
	a.head.Status = 200
	if e.Status != nil {
		if *e.Status < 0 || *e.Status > math.MaxUint32 {
			return a, fmt.Errorf("response status %d is not between 200 and 599", *e.Status)
		}
		a.head.Status = uint32(*e.Status)
	}
	for i, field := range e.Headers {
		if len(field) != 2 {
			return a, fmt.Errorf("headers[%d] of the handler's answer has %d strings; write [name, value]", i, len(field))
		}
		a.head.Headers = append(a.head.Headers, abi.Pair{Name: field[0], Value: field[1]})
	}
	var known bool
	if a.outcome, known = outcomes[e.Outcome]; !known {
		return a, fmt.Errorf(`the outcome %.32q of the handler's answer is neither "commit" nor "abort"`, e.Outcome)
	}
	a.body, err = e.bytes()
	return a, err
}

func decodeStrict(output []byte, e *replyEnvelope) error {
	if !bytes.HasPrefix(bytes.TrimSpace(output), []byte("{")) {
		return fmt.Errorf(`the handler's answer is %.32q, not a JSON object; write at least {"status":204}`, output)
	}
	decoder := json.NewDecoder(bytes.NewReader(output))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(e); err != nil {
		return fmt.Errorf("the handler's answer is not what it must be: %s", invoke.Cut(strings.TrimPrefix(err.Error(), "json: "), maxReason))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the handler's answer has something after its JSON")
	}
	return nil
}

// bytes returns the body of either form.
func (e *replyEnvelope) bytes() ([]byte, error) {
	switch {
	case e.Body != nil && e.Base64 != nil:
		return nil, errors.New("the handler's answer has both body and body_base64; write one")
	case e.Body != nil:
		return []byte(*e.Body), nil
	case e.Base64 == nil:
		return nil, nil
	}
	body, err := base64.StdEncoding.DecodeString(*e.Base64)
	if err != nil {
		return nil, errors.New("body_base64 of the handler's answer is not standard base64 with padding")
	}
	return body, nil
}
