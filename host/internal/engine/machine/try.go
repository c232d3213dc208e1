package machine

import (
	"errors"
	"slices"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// errAsked ends a call of Try.
var errAsked = errors.New("the guest asked the host for something")

// Try runs handle, which calls Call for inv, and is engine.Instance.Try. A guest
// starts from the same memory each time, so what it does before it asks for
// anything is the same in every request; but for what it finds at random, and
// for memory that the host has run out of.
func (in *Instance) Try(inv *invoke.Invocation, handle func() error) error {
	in.call.trying = true
	defer func() { in.call.trying = false }()
	err := handle()
	switch reason := inv.Reply.Fault(); {
	case errors.Is(err, errAsked) || in.memory.Starved():
		return nil
	case err == nil && reason != "":
		return fault.New(fault.BadReply, opHandle, reason)
	}
	return err
}

// tellNothing are the host functions whose results a guest knows: they depend on
// what it passes and has passed before, and on nothing of the request.
var tellNothing = []string{
	"wasi_snapshot_preview1.fd_write",
	"wasi_snapshot_preview1.proc_exit",
	abi.Module + "." + abi.FnLogWrite,
	abi.Module + "." + abi.FnResponseHead,
	abi.Module + "." + abi.FnResponseWrite,
	abi.Module + "." + abi.FnOutcomeSet,
	abi.Module + "." + abi.FnRouteSet,
}

// tells reports whether a guest may learn something of its request by calling a
// function.
func tells(name string) bool { return !slices.Contains(tellNothing, name) }
