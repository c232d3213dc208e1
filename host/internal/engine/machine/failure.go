package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/callstack"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// What was being done.
const (
	opHandle     = "handle"
	opInitialise = "initialise"
)

// failure says why a call into the guest ended with err, and where the guest was
// (callstack.Calls). A host function's error of code Trap is the guest's mistake and
// stands as it is; so do Left and Unavailable.
func (in *Instance) failure(op string, err error) *fault.Error {
	c := &in.call
	switch {
	case c.err == nil:
		at := in.calls(err)
		return fault.Wrap(fault.Trap, op, in.trapped(err, at), at)
	case c.function == "", errors.Is(c.err, context.DeadlineExceeded), c.Err() != nil && errors.Is(c.err, c.Err()):
		return in.outOfTime(op, in.calls(err))
	case errors.Is(c.err, capability.ErrExit):
		at := in.calls(err)
		return fault.Wrap(fault.Trap, op, in.exited(at), at)
	}
	if told, ok := errors.AsType[*fault.Error](c.err); ok {
		switch told.Code {
		case fault.Trap, fault.Left, fault.Unavailable:
			return told
		}
	}
	return fault.Wrap(fault.Internal, op, "host function "+c.function+" failed", c.err)
}

// calls returns where the guest was when a call ended with err. It unpacks the names of
// all functions, so what a busy host refuses does without.
func (in *Instance) calls(err error) *callstack.Calls {
	functions := callstack.Functions{Imported: in.program.meta.Imported, Own: in.program.meta.Own}
	return &callstack.Calls{Stack: callstack.Of(err, functions, in.program.names), Err: in.call.err}
}

// trapped says why the guest trapped: in the words of Go's runtime, if that ended it.
func (in *Instance) trapped(err error, at *callstack.Calls) string {
	message := in.gaveUp(at)
	if message == "" {
		message = "the guest trapped: " + callstack.Reason(err) + in.shortage()
	}
	if isOverflow(err) {
		message += endless
	}
	return message
}

// isOverflow reports whether the guest has filled its stack.
func isOverflow(err error) bool { return strings.Contains(FirstLine(err.Error()), "stack overflow") }

// endless asks for what lets calls nest so deep.
const endless = "; is there a recursion without an end?"

// exited says how the guest ended itself, which no handler may.
func (in *Instance) exited(at *callstack.Calls) string {
	if message := in.gaveUp(at); message != "" {
		return message
	}
	return "the " + in.call.err.Error() + ", as os.Exit and log.Fatal do: return an error instead" + in.shortage()
}

// maxSaid bounds what is kept of what a guest wrote, in bytes.
const maxSaid = 1000

// gaveUp returns what Go's runtime wrote if it ended the guest, whose stack has the
// lines of the source; "" = it did not.
func (in *Instance) gaveUp(at *callstack.Calls) string {
	dump, ok := in.Guest.Out.TakeDump(in.Guest.Inv)
	if !ok {
		return ""
	}
	if len(dump.Stack) > 0 {
		at.Stack = callstack.Brief(dump.Stack)
	}
	deep := ""
	if callstack.Recursion(at.Stack) {
		deep = endless
	}
	said := func(text string) string {
		return callstack.Printable(strings.Join(strings.Fields(text), " "), maxSaid)
	}
	if wanted, ok := dump.OutOfMemory(); ok {
		return cmp.Or(strings.TrimPrefix(in.shortage(), "; "), "out of memory: "+in.memory.Most(in.program.declared)) + " (" + said(wanted) + ")" + deep
	}
	return "the guest gave up: " + said(dump.Why) + dump.Advice() + in.shortage() + deep
}

// Reported returns the error of a guest that has come to its end and says that it
// failed.
func (in *Instance) Reported(message string) error {
	shortage := in.shortage()
	if shortage == "" {
		return fault.New(fault.Trap, opHandle, message) // the guest has said why
	}
	return fault.Wrap(fault.Trap, opHandle, message+shortage, &callstack.Calls{})
}

// shortage says what memory the guest was refused in the last call, after other words.
func (in *Instance) shortage() string { return in.memory.Shortage(in.program.declared) }

func (in *Instance) outOfTime(op string, at *callstack.Calls) *fault.Error {
	message := "the guest ran out of time"
	if op == opInitialise {
		message += " while it initialised"
	}
	if said := cmp.Or(in.gaveUp(at), at.Waited()); said != "" {
		message += "; " + said
	} else {
		message += in.shortage()
	}
	at.Err = cmp.Or[error](context.Cause(&in.call), context.DeadlineExceeded)
	return fault.Wrap(fault.Deadline, op, message, at)
}

// initFailure is failure with where the guest was, and with what it wrote to stderr
// first: it is why a language's runtime gave up, and what whoever deploys needs to know.
func (in *Instance) initFailure(err error) *fault.Error {
	f := in.failure(opInitialise, err)
	f.Message += callstack.Where(f)
	in.Guest.Out.Flush(nil)
	if reason := in.Guest.Out.Initial(); reason != "" {
		f.Message = fmt.Sprintf("%s; the guest wrote %q", f.Message, reason)
	}
	if advice := in.Guest.Out.Advice(); advice != "" {
		f.Message += "; " + advice
	}
	return f
}

// FirstLine returns what stands before the first line break.
func FirstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
