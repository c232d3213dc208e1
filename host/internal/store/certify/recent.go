package certify

import (
	"time"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Recent remembers what was written of late, as a Log does, for whoever asks about
// reads away from the committer. Not safe for concurrent use.
type Recent struct{ window *window }

// NewRecent returns a Recent that knows nothing of what was written up to a revision.
func NewRecent(revision store.Revision, b Bounds) *Recent {
	return &Recent{newWindow(b, revision)}
}

// Write notes that a key was written. Revisions never go down.
func (r *Recent) Write(space store.Space, key []byte, revision store.Revision) {
	r.window.write(space, key, revision, store.State{})
}

// Settle gives up what is over the bounds, at a time that never goes back.
func (r *Recent) Settle(revision store.Revision, now time.Time) {
	r.window.passed(now.UnixMilli())
	r.window.forget()
	r.window.release(revision)
}

// WrittenSince reports whether something that was read may have been written since.
func (r *Recent) WrittenSince(reads *store.Reads) bool {
	e := store.Effects{Read: reads.Revision, Parts: make([]store.Part, len(reads.Parts))}
	for i, p := range reads.Parts {
		e.Parts[i] = store.Part{Space: p.Space, Keys: p.Keys, Ranges: p.Ranges}
	}
	return r.window.writtenSince(&e) != nil
}
