package trace

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// Context places a request in a trace of several programs, as W3C Trace Context
// has it. The zero Context is none.
type Context struct {
	Trace   [16]byte
	Span    [8]byte
	Sampled bool
}

// Of a traceparent, VERSION-TRACE-PARENT-FLAGS in hexadecimal. Versions to come
// may put more after it.
const (
	parentForm = "00-00000000000000000000000000000000-0000000000000000-00"
	maxParent  = 128
	traceAt    = 3
	spanAt     = traceAt + 33
	flagsAt    = spanAt + 17
)

// MaxState is how many bytes a tracestate may have to be passed on (W3C Trace
// Context §3.3.1.5).
const MaxState = 512

// Parse reads a traceparent, which a stranger wrote.
func Parse(parent string) (c Context, ok bool) {
	if !isParent(parent) {
		return Context{}, false
	}
	var flags [1]byte
	_, _ = hex.Decode(c.Trace[:], []byte(parent[traceAt:spanAt-1])) // isParent has read the digits
	_, _ = hex.Decode(c.Span[:], []byte(parent[spanAt:flagsAt-1]))
	_, _ = hex.Decode(flags[:], []byte(parent[flagsAt:flagsAt+2]))
	c.Sampled = flags[0]&1 != 0
	return c, c.Trace != [16]byte{} && c.Span != [8]byte{}
}

func isParent(s string) bool {
	const size = len(parentForm)
	if len(s) < size || len(s) > maxParent || len(s) > size && (s[:2] == "00" || s[size] != '-') {
		return false
	}
	for i := range size {
		digit := s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'f'
		if dash := parentForm[i] == '-'; dash && s[i] != '-' || !dash && !digit {
			return false
		}
	}
	return s[:2] != "ff"
}

// Parent returns c as a traceparent.
func (c Context) Parent() string {
	b := make([]byte, 0, len(parentForm))
	b = hex.AppendEncode(append(b, "00-"...), c.Trace[:])
	b = hex.AppendEncode(append(b, '-'), c.Span[:])
	if c.Sampled {
		return string(append(b, "-01"...))
	}
	return string(append(b, "-00"...))
}

// ID returns the id of the trace as people and tools write it, "" of none.
func (c Context) ID() string {
	if c.Trace == [16]byte{} {
		return ""
	}
	return hex.EncodeToString(c.Trace[:])
}

// NewTrace returns the id of a new trace.
func NewTrace() (id [16]byte) {
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64()|1) // it is never zero
	binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	return id
}

// NewSpan returns the id of a new span.
func NewSpan() (id [8]byte) {
	binary.NativeEndian.PutUint64(id[:], rand.Uint64()|1)
	return id
}
