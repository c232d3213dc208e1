package invoke

// Looks are what a handler has looked at in addition to its request and to what it has read
// of the store, by host functions.
type Looks uint8

// The Looks.
const (
	LookedAtClock   Looks = 1 << iota // the wall clock
	LookedAtChance                    // random bytes
	LookedAtSockets                   // who follows a topic, and whether a socket is open
	LookedAtOthers                    // services, and other plugins
)

// Look notes what the handler has looked at. What one looks at that is called counts as its
// caller's.
func (inv *Invocation) Look(at Looks) { inv.Root().looks |= at }

// Looked returns what the attempt has looked at so far.
func (inv *Invocation) Looked() Looks { return inv.Root().looks }
