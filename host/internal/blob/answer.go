package blob

import "github.com/wasmoor/wasmoor/abi"

// Guard is what an answer with a blob says unless the guest does: its bytes are often
// those of a stranger, and no page of the plugin's origin.
var Guard = [2]abi.Pair{
	{Name: "X-Content-Type-Options", Value: "nosniff"},
	{Name: "Content-Security-Policy", Value: "sandbox"},
}

// Answer is a blob that is the body of a reply, and what its name says of it. Whoever
// sends the reply releases it.
type Answer struct {
	*Held
	Name        string // as the plugin knows it
	Type        string // media type; "" = nothing is known
	Disposition string // the Content-Disposition; "" = none
	Created     int64  // when the name was given, Unix milliseconds
}

// ETag returns the entity tag of the bytes.
func (a *Answer) ETag() string { return `"` + a.Digest.String() + `"` }
