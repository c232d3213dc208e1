// Package audit is the chain that the events of the audit form, and who caused
// them. It imports nothing of host: package registry writes the chain, and whoever
// has the lines of an export checks it, without a server.
//
// An event is a line of JSON. Its hash is the SHA-256 of the line and its line
// end, in hexadecimal digits. Each line has a member prev, the hash of the line
// before it. So a shell verifies an export: sed -n 3p FILE | sha256sum prints the
// prev of line 4.
package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Start is the prev of the first event of a chain.
var Start = strings.Repeat("0", 2*sha256.Size)

// Hash returns the hash of an event's line, which has no line end.
func Hash(line []byte) string {
	h := sha256.New()
	h.Write(line)
	h.Write([]byte{'\n'})
	return hex.EncodeToString(h.Sum(nil))
}

// Point is a place in the chain: after the event with a number. Hash is that
// event's, "" where it is none of the chain or there is none.
type Point struct {
	Number uint64
	Hash   string
}

// Prev returns what the event right after p has as prev.
func (p Point) Prev() string {
	if p.Hash == "" {
		return Start
	}
	return p.Hash
}

// Actor is who causes a change, beside the name that is given with it.
type Actor struct {
	Token   string // id of the token
	Address string // of the client
	Request string // id of the request
}

type actorKey struct{}

// With returns a context whose changes are caused by a.
func With(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns who causes the changes of a context.
func ActorOf(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}
