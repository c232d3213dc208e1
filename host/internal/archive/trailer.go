package archive

import (
	"bytes"
	"hash"
	"io"
)

// holding gives all but the last bytes, which are the trailer, and hashes what it
// gives.
type holding struct {
	r    io.Reader
	sum  hash.Hash
	last []byte
	err  error
	buf  []byte
	give []byte
}

func (h *holding) Read(p []byte) (int, error) {
	for len(h.give) == 0 {
		if h.err != nil {
			return 0, h.err
		}
		h.fill()
	}
	n := copy(p, h.give)
	h.give = h.give[n:]
	return n, nil
}

// fill reads on; give gets what is not among the last bytes.
func (h *holding) fill() {
	if h.buf == nil {
		h.buf = make([]byte, 64<<10+trailerSize)
	}
	kept := copy(h.buf, h.last)
	n, err := h.r.Read(h.buf[kept:])
	all := h.buf[:kept+n]
	over := max(len(all)-trailerSize, 0)
	h.give = append(h.give[:0], all[:over]...)
	h.last = append(h.last[:0], all[over:]...)
	_, _ = h.sum.Write(h.give)
	h.err = err
}

// check compares the trailer with what was given.
func (h *holding) check() error {
	if _, err := io.Copy(io.Discard, h); err != nil {
		return err
	}
	if !bytes.Equal(h.last, append(bytes.Clone(trailer), h.sum.Sum(nil)...)) {
		return damaged("its SHA-256 is not the one at its end")
	}
	return nil
}
