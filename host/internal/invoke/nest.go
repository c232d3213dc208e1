package invoke

import "github.com/wasmoor/wasmoor/host/internal/plugin"

// Sender is whoever sends a request, as a roll-out knows them.
type Sender interface {
	// Hash returns a number that stands for the sender as the key knows it.
	Hash(plugin.ClientKey) uint64
}

// Within makes inv, which has a request and has not begun, run within an attempt of
// caller: in its transaction, at its time and with its chance, so that what inv looks at
// counts as the caller's. Calls to services outside are the root's, and so are the waits.
func (inv *Invocation) Within(caller *Invocation) {
	inv.caller, inv.Start = caller, caller.Start
}

// Caller returns the invocation within which inv runs, nil if it is a root.
func (inv *Invocation) Caller() *Invocation { return inv.caller }

// Root returns the invocation that a way in began: inv itself, or the first of its callers.
func (inv *Invocation) Root() *Invocation {
	for inv.caller != nil {
		inv = inv.caller
	}
	return inv
}

// Depth returns within how many others inv runs.
func (inv *Invocation) Depth() (n int) {
	for ; inv.caller != nil; inv = inv.caller {
		n++
	}
	return n
}

// Join ends an invocation within inv: what the host keeps of it, inv has to answer for
// from here on, and its waits were waits of inv. That is its answer, and with kept its
// writes and what else it has. Join reports whether there is memory for that; if not, inv
// has failed, as Starved says.
func (inv *Invocation) Join(inner *Invocation, kept bool) bool {
	inv.Out += inner.Out
	if kept {
		return inv.Hold(inner.memory.used)
	}
	return inv.Hold(len(inner.Reply.Body))
}

// Departure returns what Departs was given, nil = nothing.
func (inv *Invocation) Departure() Departure { return inv.departure }

// OfRequest returns what the way in of that name keeps of the request over its attempts,
// nil if it has kept nothing yet.
func (inv *Invocation) OfRequest(name string) State { return inv.lasting.Of(name) }

// KeepOfRequest keeps something until Finish, which closes it.
func (inv *Invocation) KeepOfRequest(name string, state State) { inv.lasting.Add(name, state) }
