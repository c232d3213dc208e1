package wire

// chunkState is where a chunked body stands.
type chunkState uint8

const (
	chunkSize  chunkState = iota // in the digits of a size
	chunkLF                      // after the CR of a size
	chunkData                    // in the data
	chunkCR                      // before the CR after the data
	chunkCRLF                    // before the LF after the data
	chunkEndCR                   // before the CR of the last line
	chunkEndLF                   // before its LF
)

// chunks follows a chunked body to its end without holding any of it. It
// accepts the grammar of RFC 9112 §7.1 without extensions and trailer fields:
// neither reaches a guest, and both have carried smuggled requests.
type chunks struct {
	state  chunkState
	digits uint8
	left   int64
}

const maxChunkDigits = 15

// feed follows b and returns how many of its bytes belong to the body, whether
// the body ended there, and whether it is well formed so far.
func (c *chunks) feed(b []byte) (n int, done, ok bool) {
	for n < len(b) {
		if c.state == chunkData {
			step := min(c.left, int64(len(b)-n))
			n += int(step)
			c.left -= step
			if c.left == 0 {
				c.state = chunkCR
			}
			continue
		}
		done, ok := c.step(b[n])
		n++
		if done || !ok {
			return n, done, ok
		}
	}
	return n, false, true
}

// step takes one byte outside the data.
func (c *chunks) step(b byte) (done, ok bool) {
	switch c.state {
	case chunkSize:
		return false, c.size(b)
	case chunkLF:
		c.state = chunkData
		if c.left == 0 {
			c.state = chunkEndCR
		}
		return false, b == '\n'
	case chunkCR:
		c.state = chunkCRLF
		return false, b == '\r'
	case chunkCRLF:
		*c = chunks{}
		return false, b == '\n'
	case chunkEndCR:
		c.state = chunkEndLF
		return false, b == '\r'
	default: // chunkEndLF
		*c = chunks{}
		return b == '\n', b == '\n'
	}
}

func (c *chunks) size(b byte) bool {
	switch {
	case b == '\r':
		c.state = chunkLF
		return c.digits > 0
	case !isHex(b) || c.digits == maxChunkDigits:
		return false
	}
	c.digits++
	c.left = c.left<<4 | int64(unhex(b))
	return true
}
