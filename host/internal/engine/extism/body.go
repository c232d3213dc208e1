package extism

import (
	"fmt"
	"io"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// body returns the request's body as bytes, until done is called: Extism's input
// is one piece. One that lies in a file becomes memory for that time, of what
// all instances may have together. TooLarge when it is more than an instance may
// have, Unavailable when there is not that much left.
func (s *state) body(inv *invoke.Invocation) (b []byte, done func(), err error) {
	body := &inv.Request.Body
	if b, ok := body.InMemory(); ok {
		return b, func() {}, nil
	}
	size := int(body.Size())
	if size > s.limit {
		return nil, nil, fault.New(fault.TooLarge, "handle", fmt.Sprintf(
			"the body of %d bytes does not fit into the plugin's memory of %d; raise limits.memory", size, s.limit))
	}
	if done, err = s.budget.Hold(size); err != nil {
		return nil, nil, err
	}
	b = make([]byte, size)
	if _, err := body.ReadAt(b, 0); err != nil && err != io.EOF { //nolint:errorlint // io.ReaderAt returns it as it is
		done()
		return nil, nil, fault.Wrap(fault.Internal, "handle", "the file of a request's body cannot be read", err)
	}
	return b, done, nil
}
