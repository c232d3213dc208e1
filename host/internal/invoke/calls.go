package invoke

// Calls are what the attempts of one request have asked of services outside, and
// what they were answered. Such a call is not undone when the effects are dropped.
// It belongs to one goroutine at a time.
type Calls interface {
	// Again makes ready for another attempt, which gets the answers of the one that
	// has ended. Its error, Diverged, says why there must be none.
	Again() error
	// Counts returns err, with which the handler has ended, or a Diverged error if the
	// attempt does not count, because it has not made the calls of the one before it.
	Counts(err error) error
	// Made reports whether a call was made that may have changed something.
	Made() bool
	// Close frees everything.
	Close()
}
