package dispatch

import (
	"errors"

	"github.com/wasmoor/wasmoor/host/internal/engine/callstack"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// verdict returns why there is no reply of a handler that ended with err, nil if there is
// one.
func verdict(ctx *deadline, inv *invoke.Invocation, err error) error {
	if refused := inv.Reply.Refused(); refused != "" && fault.CodeOf(err) == fault.Trap {
		err = fault.Wrap(fault.Trap, "dispatch", refused, err) // the guest has only a status to tell
	}
	if err != nil {
		tell(inv, err)
		return err
	}
	if reason := inv.Reply.Fault(); reason != "" {
		return fault.New(fault.BadReply, "dispatch", reason)
	}
	return inv.Inline(ctx)
}

// tell has the plugin's log say where the guest was when it failed.
func tell(inv *invoke.Invocation, err error) {
	if calls, ok := errors.AsType[*callstack.Calls](err); ok {
		inv.Died(fault.MessageOf(err), calls.Stack)
	}
}
