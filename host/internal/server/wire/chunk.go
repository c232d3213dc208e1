package wire

import (
	"fmt"
	"net/http"

	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

var (
	refuseChunk      = Bad("the chunked body is malformed")
	refuseExtension  = Bad("a chunk of the body has a malformed size or extension")
	refuseExtensions = Bad("the chunk extensions are longer than the body")
	refuseTrailer    = Bad("the trailer section of the chunked body is malformed")
	refuseTrailers   = Refusing(http.StatusRequestHeaderFieldsTooLarge, fault.TooLarge, fmt.Sprintf("the trailer section of the chunked body is over the limit of %s or %d fields", limit.FormatSize(maxTrailer), limit.Headers))
)

// chunkState is where a chunked body stands.
type chunkState uint8

const (
	chunkSize   chunkState = iota // in the digits of a size
	chunkPad                      // in white space after a size or a value
	chunkExt                      // before the name of an extension
	chunkName                     // in the name
	chunkEqual                    // in the white space after the name
	chunkValue                    // before the value
	chunkToken                    // in a value that is a token
	chunkQuote                    // in a value in quotes
	chunkPair                     // after a backslash in it
	chunkLF                       // after the CR of a size
	chunkData                     // in the data
	chunkCR                       // before the CR after the data
	chunkCRLF                     // before the LF after the data
	chunkEnd                      // at the start of a line after the last chunk
	chunkEndLF                    // before the last LF
	chunkField                    // in the name of a trailer field
	chunkText                     // in its value
	chunkTextLF                   // before the LF after it
)

// chunks follows a chunked body to its end without holding any of it. It accepts
// the grammar of RFC 9112 §7.1, with white space after a size as other servers do.
// Extensions and trailer fields, which reach no guest, are checked and cut out
// here: another parser might find their end elsewhere.
type chunks struct {
	state  chunkState
	digits uint8
	fields uint8 // of the trailer section
	left   int64 // of the chunk
	cut    int64 // bytes that were cut out, less those of data
}

// Bounds of what is cut out of a body, so that a client cannot send for ever what
// counts as no body.
const (
	maxChunkDigits = 15
	maxExtensions  = 16 << 10 // more than the data has
	maxTrailer     = 16 << 10
)

// feed follows b, whose first bytes it overwrites with those that may be passed
// on. It returns how many it took and how many of them are passed on, whether
// the body ended there, and why it is malformed.
func (c *chunks) feed(b []byte) (taken, passed int, done bool, r *Refusal) {
	for taken < len(b) {
		if c.state == chunkData {
			step := int(min(c.left, int64(len(b)-taken)))
			passed += move(b, passed, taken, step)
			taken += step
			c.data(step)
			continue
		}
		pass, end, r := c.step(b[taken])
		if r != nil {
			return taken, passed, false, r
		}
		if pass {
			b[passed] = b[taken]
			passed++
		}
		taken++
		if end {
			*c = chunks{}
			return taken, passed, true, nil
		}
	}
	return taken, passed, false, nil
}

// move moves n bytes of b down, unless they are where they belong.
func move(b []byte, to, from, n int) int {
	if to != from {
		copy(b[to:], b[from:from+n])
	}
	return n
}

// data counts n bytes of a chunk.
func (c *chunks) data(n int) {
	c.cut = max(c.cut-int64(n), 0)
	if c.left -= int64(n); c.left == 0 {
		c.state = chunkCR
	}
}

// step takes one byte outside the data. It reports whether the byte is passed on
// and whether the body ends with it.
func (c *chunks) step(b byte) (pass, end bool, r *Refusal) {
	switch {
	case c.state == chunkSize && (c.digits == 0 || isHex(b)):
		return true, false, c.size(b)
	case c.state < chunkLF:
		pass, r = c.extension(b)
		return pass, false, r
	case c.state > chunkEndLF, c.state == chunkEnd && b != '\r':
		return false, false, c.trailer(b)
	}
	end, r = c.lineEnd(b)
	return true, end, r
}

func (c *chunks) size(b byte) *Refusal {
	if !isHex(b) || c.digits == maxChunkDigits {
		return refuseChunk
	}
	c.digits++
	c.left = c.left<<4 | int64(unhex(b))
	return nil
}

// lineEnd takes the CR or the LF of a line.
func (c *chunks) lineEnd(b byte) (end bool, r *Refusal) {
	want := byte('\n')
	switch c.state {
	case chunkLF:
		c.state = chunkData
		if c.left == 0 {
			c.state, c.cut = chunkEnd, 0
		}
	case chunkCR:
		c.state, want = chunkCRLF, '\r'
	case chunkCRLF:
		c.state, c.digits = chunkSize, 0
	case chunkEnd:
		c.state, want = chunkEndLF, '\r'
	default:
		end = true
	}
	if b != want {
		return false, refuseChunk
	}
	return end, nil
}

// extension takes a byte between a size and the CR after it, which alone is
// passed on.
func (c *chunks) extension(b byte) (pass bool, r *Refusal) {
	if b == '\r' && c.endsExtension() {
		c.state = chunkLF
		return true, nil
	}
	var ok bool
	if c.state, ok = c.state.extend(b); !ok {
		return false, refuseExtension
	}
	if c.cut++; c.cut > maxExtensions {
		return false, refuseExtensions
	}
	return false, nil
}

func (c *chunks) endsExtension() bool {
	switch c.state {
	case chunkSize, chunkPad, chunkName, chunkEqual, chunkToken:
		return true
	}
	return false
}

// extend returns the state after a byte of an extension, and whether the byte may
// stand there. A CR never may: what is in quotes ends nowhere else for others.
func (s chunkState) extend(b byte) (next chunkState, ok bool) {
	blank := b == ' ' || b == '\t'
	switch s {
	case chunkQuote:
		switch b {
		case '"':
			return chunkPad, true
		case '\\':
			return chunkPair, true
		}
		return chunkQuote, isText(b)
	case chunkPair:
		return chunkQuote, isText(b)
	case chunkExt, chunkValue:
		if blank {
			return s, true
		}
		if s == chunkExt {
			return chunkName, isTokenByte(b)
		}
		if b == '"' {
			return chunkQuote, true
		}
		return chunkToken, isTokenByte(b)
	}
	return s.extendWord(b, blank)
}

// extendWord is extend where a name, a value or white space may end.
func (s chunkState) extendWord(b byte, blank bool) (next chunkState, ok bool) {
	named := s == chunkName || s == chunkEqual
	switch {
	case b == ';':
		return chunkExt, true
	case b == '=' && named:
		return chunkValue, true
	case blank && named:
		return chunkEqual, true
	case blank:
		return chunkPad, true
	}
	return s, (s == chunkName || s == chunkToken) && isTokenByte(b)
}

// trailer takes a byte of the trailer section. Nothing of it is passed on.
func (c *chunks) trailer(b byte) *Refusal {
	if c.cut++; c.cut > maxTrailer {
		return refuseTrailers
	}
	ok := true
	switch c.state {
	case chunkEnd:
		if c.fields++; c.fields > limit.Headers {
			return refuseTrailers
		}
		c.state, ok = chunkField, isTokenByte(b)
	case chunkField:
		if b == ':' {
			c.state = chunkText
		} else {
			ok = isTokenByte(b)
		}
	case chunkText:
		if b == '\r' {
			c.state = chunkTextLF
		} else {
			ok = isText(b)
		}
	default:
		c.state, ok = chunkEnd, b == '\n'
	}
	if !ok {
		return refuseTrailer
	}
	return nil
}

func isTokenByte(b byte) bool { return field.IsToken([]byte{b}) }

// isText reports whether b is no control character but tab.
func isText(b byte) bool { return b >= ' ' && b != 0x7f || b == '\t' }
