package machine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// What was being done.
const (
	opHandle     = "handle"
	opInitialise = "initialise"
)

// failure says why a call into the guest ended with err. A host function's
// error of code Trap is the guest's mistake and stands as it is; so does Left.
func failure(c *call, op string, err error) *fault.Error {
	switch {
	case c.err == nil:
		return fault.Wrap(fault.Trap, op, "the guest trapped: "+reason(err), err)
	case c.function == "", errors.Is(c.err, context.DeadlineExceeded), c.Err() != nil && errors.Is(c.err, c.Err()):
		return outOfTime(c, op)
	case errors.Is(c.err, capability.ErrExit):
		return fault.Wrap(fault.Trap, op, c.err.Error(), c.err)
	}
	if mistake, ok := errors.AsType[*fault.Error](c.err); ok && (mistake.Code == fault.Trap || mistake.Code == fault.Left) {
		return mistake
	}
	return fault.Wrap(fault.Internal, op, "host function "+c.function+" failed", c.err)
}

func outOfTime(c *call, op string) *fault.Error {
	message := "the guest ran out of time"
	if op == opInitialise {
		message += " while it initialised"
	}
	cause := context.Cause(c)
	if cause == nil {
		cause = context.DeadlineExceeded
	}
	return fault.Wrap(fault.Deadline, op, message, cause)
}

// initFailure is failure with what the guest wrote to stderr first: it is why a
// language's runtime gave up, and what whoever deploys needs to know.
func initFailure(c *call, err error) *fault.Error {
	f := failure(c, opInitialise, err)
	c.guest.Out.Flush(nil)
	if reason := c.guest.Out.Initial(); reason != "" {
		f.Message = fmt.Sprintf("%s; the guest wrote %q", f.Message, reason)
	}
	return f
}

// reason is the first line of wazero's text, without the words around it.
func reason(err error) string {
	s := FirstLine(err.Error())
	if _, after, ok := strings.Cut(s, "wasm error: "); ok {
		return after
	}
	return s
}

// FirstLine returns what stands before the first line break.
func FirstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
