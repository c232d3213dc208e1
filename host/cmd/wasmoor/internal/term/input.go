package term

import (
	"context"
	"io"
	"os"
)

// pieceOfInput is how much is read at a time.
const pieceOfInput = 64 << 10

// input is a source that may wait for others, such as a pipe. A read ends with ctx,
// and what it waited for is left.
type input struct {
	ctx   context.Context //nolint:containedctx // of the command that reads
	r     io.Reader
	piece []byte // that is read into
	left  []byte // of it, not passed on yet
	err   error  // after left
}

// Input returns r with reads that end when ctx does, with its cause. What is a regular
// file, or is such a reader, is returned as it is.
func Input(ctx context.Context, r io.Reader) io.Reader {
	switch f := r.(type) {
	case nil:
		return nil
	case *input:
		return f
	case *os.File:
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return f
		}
	}
	return &input{ctx: ctx, r: r, piece: make([]byte, pieceOfInput)}
}

func (in *input) Read(p []byte) (int, error) {
	if len(in.left) == 0 && in.err == nil && len(p) > 0 {
		if err := in.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.left)
	if in.left = in.left[n:]; len(in.left) > 0 {
		return n, nil
	}
	return n, in.err
}

// next waits for a piece, or for the end of ctx, after which nobody asks again.
func (in *input) next() error {
	n, err := Await(in.ctx, func() (int, error) { return in.r.Read(in.piece) })
	if in.ctx.Err() != nil {
		return context.Cause(in.ctx)
	}
	in.left, in.err = in.piece[:n], err
	return nil
}

// Await returns what do returns, or the cause of ctx's end when that comes before: then
// do is left to itself, as what waits for another process cannot be ended.
func Await[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	if ctx.Err() == nil {
		go func() {
			value, err := do()
			done <- result{value, err}
		}()
	}
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
