package store

import (
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Conflict says what a commit collided with: the cause of its fault of code
// Conflict, for errors.As.
type Conflict struct {
	Space Space
	// Key was read, or lies in an interval that was, and has been written since.
	// It is nil when the snapshot is older than the writes that the store remembers
	// one by one: then what was read may have changed, or only something close to it.
	Key      []byte
	Revision Revision // of that write; 0 without a key
}

// Error describes the conflict for an operator: it shows a key of the plugin's.
func (c *Conflict) Error() string {
	if c.Key == nil {
		return "the snapshot is older than the writes that are remembered one by one"
	}
	return fmt.Sprintf("key %s of space %d was written by revision %d", quote(c.Key), c.Space, c.Revision)
}

// Fault returns the error of the commit.
func (c *Conflict) Fault() error {
	return fault.Wrap(fault.Conflict, "commit", "something that was read has changed meanwhile; run again on a new snapshot", c)
}
