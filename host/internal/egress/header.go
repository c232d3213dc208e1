package egress

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
)

// fields are those of a guest's request.
type fields struct {
	given   []abi.Pair // that go out, in the guest's order and spelling
	lengths []string   // what content-length says, to compare with the body
}

// readFields takes from a header what goes out to a target, and leaves out what
// the host says itself: a guest that passes on the header of its own request,
// which came to host, is as good as one that has written none of it.
func readFields(header []abi.Pair, t target, host string) (f fields, why string) {
	f.given = make([]abi.Pair, 0, len(header))
	var options []string // of connection
	for _, h := range header {
		framing := field.FramingOf(h.Name, h.Value)
		switch {
		case !field.IsToken(h.Name):
			return f, fmt.Sprintf("the header name %.64q is not a token", h.Name)
		case !field.IsValue(h.Value):
			return f, fmt.Sprintf("the value of header %.64q has a control character", h.Name)
		case framing == field.Refused || !isOwn(h, t, host):
			return f, fmt.Sprintf("the header %.64q is the host's to set, and cannot be %.64q", h.Name, h.Value)
		case framing == field.Length:
			f.lengths = append(f.lengths, h.Value)
		case framing == field.End && !strings.EqualFold(h.Name, "host") && !strings.EqualFold(h.Name, "expect"):
			f.given = append(f.given, h)
		case strings.EqualFold(h.Name, "connection"):
			options = append(options, h.Value)
		}
	}
	f.given = field.DropNominated(f.given, options)
	return f, ""
}

// isOwn reports whether a field that the host sets says what the host does: host
// names the target, or is the field of the guest's own request; nothing is
// expected but that the body is sent.
func isOwn(h abi.Pair, t target, host string) bool {
	switch {
	case strings.EqualFold(h.Name, "host"):
		return t.isHost(h.Value) || host != "" && h.Value == host
	case strings.EqualFold(h.Name, "expect"):
		return strings.EqualFold(h.Value, "100-continue")
	}
	return true
}

// wrongLength says which length the guest announced for a body of that size, ""
// if none or the right one.
func (f *fields) wrongLength(size int) string {
	for _, value := range f.lengths {
		if !field.IsLength(value, int64(size)) {
			return fmt.Sprintf("the header \"content-length\" says %.64q, and the body has %d bytes", value, size)
		}
	}
	return ""
}

// header returns the fields as net/http has them, with those of the host.
func (s *Session) header(given []abi.Pair, parent string) http.Header {
	header := make(http.Header, len(given)+2)
	for _, h := range given {
		header.Add(h.Name, h.Value)
	}
	for name, value := range map[string]string{
		"User-Agent": userAgent, "X-Request-Id": s.trace.RequestID,
		"Traceparent": parent, "Tracestate": s.trace.Tracestate,
	} {
		if _, set := header[name]; !set && value != "" {
			header[name] = []string{value}
		}
	}
	return header
}
