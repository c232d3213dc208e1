// Package capability is the seam between host functions and engines: a host
// function in terms of an invocation and guest memory, with no engine in it.
// Each capability is a sub-package that returns a Unit; engines link the functions
// of all once, the deployment's invoke.Env configures them, and each call acts on
// the invocation alone: no host function touches global state. Engines, deploy
// and the sub-packages import it.
package capability

import (
	"context"
	"errors"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// Func is one host function a guest may import.
type Func struct {
	Module  string // import module, e.g. abi.Module
	Name    string
	Params  []abi.Type
	Results []abi.Type // none or one
	Call    Call
}

// Guest is what a host function sees of the instance that calls it.
type Guest struct {
	Inv *invoke.Invocation // nil while the guest initialises
	Mem Memory             // the whole linear memory, valid within one host call
	Out Output             // what it writes to standard output and error
	// Program is what the guest is told it was started as; "" = nothing.
	Program string
	// Uptime is added to that of the World: where the monotonic clock stood when
	// the memory was left that the instance starts with.
	Uptime time.Duration
	// Initial is the World while the guest initialises; nil = invoke.Machine.
	Initial invoke.World
	// Blocks is what a plugin of Extism shares with the host; nil in other ABIs.
	Blocks Blocks
	// State is what an engine keeps in addition, for functions of its own.
	State any
}

// World returns the time and chance that the guest perceives.
func (g *Guest) World() invoke.World {
	switch {
	case g.Inv != nil:
		return g.Inv.World()
	case g.Initial != nil:
		return g.Initial
	}
	return invoke.Machine
}

// Look notes what the guest has looked at, while it handles a request.
func (g *Guest) Look(at invoke.Looks) {
	if g.Inv != nil {
		g.Inv.Look(at)
	}
}

// Notice has the invocation's log give advice (invoke.Notice). While the guest
// initialises there is none: it is kept with the guest's output.
func (g *Guest) Notice(n invoke.Notice, message string) {
	if g.Inv != nil {
		g.Inv.Notice(n, message)
	} else {
		g.Out.advise(message)
	}
}

// Monotonic reads the guest's monotonic clock. For a guest it never goes back:
// not from what it saw while it initialised, in whatever process that was, nor
// from one call to the next.
func (g *Guest) Monotonic() time.Duration { return g.Uptime + g.World().Uptime() }

// FillRandom fills buf with random bytes of w. Its error is that of ctx, which
// may end before a large buf is full.
func FillRandom(ctx context.Context, w invoke.World, buf []byte) error {
	for len(buf) > randomPiece {
		w.Random(buf[:randomPiece])
		buf = buf[randomPiece:]
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	w.Random(buf)
	return nil
}

// randomPiece is how many random bytes are drawn at a time: some milliseconds'
// worth, and more than anybody needs.
const randomPiece = 1 << 20

// Call runs a host function. While the guest initialises, functions of
// abi.Module answer abi.Unavailable (Waiting sees to it). ctx ends with the
// invocation: a function that waits returns its error then. args holds the
// parameters as WebAssembly values; the result is the one WebAssembly value, or
// ignored when there is none. An error traps the guest: it is for exits, the
// end of ctx and host failures, never for a guest's mistake, which is a status.
type Call func(ctx context.Context, g *Guest, args []uint64) (uint64, error)

// ErrExit is the error of a guest that ended itself (proc_exit).
var ErrExit = errors.New("guest exited")

// Handler is a host function of the native ABI that does not wait: its result
// is a size or a status, and inv is never nil.
type Handler func(inv *invoke.Invocation, mem Memory, args []uint64) int64

// Native makes the host functions of abi.Module from handlers by name, as Waiting
// does from waiters.
func Native(handlers map[string]Handler) []Func {
	waiters := make(map[string]Waiter, len(handlers))
	for name, h := range handlers {
		waiters[name] = func(_ context.Context, inv *invoke.Invocation, mem Memory, args []uint64) (int64, error) {
			return h(inv, mem, args), nil
		}
	}
	return Waiting(waiters)
}

// Waiter is a Handler that waits, for a service or for the disk: its error is
// that of ctx, a fault.Left, or a failure of the host.
type Waiter func(ctx context.Context, inv *invoke.Invocation, mem Memory, args []uint64) (int64, error)

// Waiting makes the host functions of abi.Module from waiters by name, with the
// signatures of abi.Functions. It panics when a waiter has no entry there: the
// lists are fixed at build time.
func Waiting(waiters map[string]Waiter) []Func {
	funcs := make([]Func, 0, len(waiters))
	for _, f := range abi.Functions() {
		if w, ok := waiters[f.Name]; ok {
			funcs = append(funcs, Func{
				Module: abi.Module, Name: f.Name,
				Params: f.Types(), Results: []abi.Type{abi.I64},
				Call: whileHandling(w),
			})
		}
	}
	if len(funcs) != len(waiters) {
		panic("capability: a host function that abi.Functions does not list")
	}
	return funcs
}

func whileHandling(w Waiter) Call {
	return func(ctx context.Context, g *Guest, args []uint64) (uint64, error) {
		if g.Inv == nil {
			return Result(abi.Unavailable), nil
		}
		result, err := w(ctx, g.Inv, g.Mem, args)
		return uint64(result), err
	}
}

// OfPlugin makes functions unavailable while a version warms up: they act on what
// belongs to a plugin, and what warms up becomes the start of all of them.
func OfPlugin(funcs []Func) []Func {
	for i := range funcs {
		call := funcs[i].Call
		funcs[i].Call = func(ctx context.Context, g *Guest, args []uint64) (uint64, error) {
			if g.Inv != nil && g.Inv.Env.Warmup {
				return Result(abi.Unavailable), nil
			}
			return call(ctx, g, args)
		}
	}
	return funcs
}

// Result turns a status into a host function's result.
func Result(s abi.Status) uint64 { return uint64(int64(s)) }
