package content

import (
	"context"
	"errors"
	"io"
	"os"
)

// Source has the bytes of an Entity. Package blob implements it.
type Source interface {
	// Open reads length bytes from offset on. What it returns may have a method File,
	// which returns the file that it reads, where it reads next.
	Open(ctx context.Context, offset, length int64) (io.ReadCloser, error)
}

// Body is the body of an Answer on its way to a client. It belongs to one goroutine.
type Body struct {
	ctx    context.Context
	source Source
	answer Answer
	ended  func()
}

// NewBody returns a Body that reads its bytes from a source until ctx ends. Close calls
// ended, once.
func NewBody(ctx context.Context, source Source, a *Answer, ended func()) *Body {
	return &Body{ctx: ctx, source: source, answer: *a, ended: ended}
}

// WriteTo implements io.WriterTo. It hands files to a w that can send them
// (io.ReaderFrom), and has no more in memory than that takes.
func (b *Body) WriteTo(w io.Writer) (n int64, err error) {
	for i := range b.answer.Parts {
		p := &b.answer.Parts[i]
		head, err := io.WriteString(w, p.Head)
		if n += int64(head); err != nil {
			return n, err
		}
		sent, err := b.writePart(w, p)
		if n += sent; err != nil {
			return n, err
		}
	}
	tail, err := io.WriteString(w, b.answer.Tail)
	return n + int64(tail), err
}

func (b *Body) writePart(w io.Writer, p *Part) (n int64, err error) {
	r, err := b.source.Open(b.ctx, p.Offset, p.Length)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	part := &io.LimitedReader{R: r, N: p.Length}
	if f, ok := r.(interface{ File() *os.File }); ok {
		part.R = f.File()
	}
	n, err = io.Copy(w, part)
	if err == nil && n < p.Length {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// errWritten is for whoever would read a body.
var errWritten = errors.New("content: a body writes itself (WriteTo)")

// Read implements io.Reader, which fasthttp asks of a body, and fails: fasthttp has one
// that is an io.WriterTo write itself.
func (*Body) Read([]byte) (int, error) { return 0, errWritten }

// Close implements io.Closer.
func (b *Body) Close() error {
	if b.ended != nil {
		b.ended()
		b.ended = nil
	}
	return nil
}
