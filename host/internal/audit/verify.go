package audit

import (
	"encoding/json"
	"fmt"
)

// Verifier follows a chain line by line. The zero Verifier begins where the
// audit begins; New begins elsewhere.
type Verifier struct {
	at      Point
	chained uint64 // events of the chain
	before  uint64 // events from before the chain began
}

// New returns a Verifier of the events after a point: the one after the last event
// that was pruned.
func New(after Point) *Verifier { return &Verifier{at: after} }

// BreakError says where a chain is broken. Number is that of the first event that
// does not fit: it, or the one before it, is not as it was written.
type BreakError struct {
	Number uint64
	Why    string
}

func (e *BreakError) Error() string {
	return fmt.Sprintf("the audit is not as it was written, at event %d: %s", e.Number, e.Why)
}

// link is what the chain needs of an event.
type link struct {
	Number uint64 `json:"number"`
	Prev   string `json:"prev"`
}

// Add takes the next line, without its line end. The error is a *BreakError.
func (v *Verifier) Add(line []byte) error {
	var l link
	next := v.at.Number + 1
	if err := json.Unmarshal(line, &l); err != nil {
		return &BreakError{next, "it is no JSON"}
	}
	if l.Number != next {
		return &BreakError{next, fmt.Sprintf("event %d stands in its place: events were removed, added or moved", l.Number)}
	}
	if l.Prev == "" {
		return v.addOld(next)
	}
	if want := v.at.Prev(); l.Prev != want {
		return &BreakError{next, fmt.Sprintf("it follows an event with the hash %.64q, and the one before it has %s", l.Prev, want)}
	}
	v.at = Point{next, Hash(line)}
	v.chained++
	return nil
}

// addOld takes an event from before the chain began, which nothing protects.
func (v *Verifier) addOld(number uint64) error {
	if v.at.Hash != "" {
		return &BreakError{number, "it has the form of events from before the chain began, and stands in it"}
	}
	v.at = Point{Number: number}
	v.before++
	return nil
}

// At returns the point after the last line.
func (v *Verifier) At() Point { return v.at }

// Chained returns how many lines are in the chain.
func (v *Verifier) Chained() uint64 { return v.chained }

// Before returns how many lines are from before the chain began.
func (v *Verifier) Before() uint64 { return v.before }

// End compares the end of the chain with what is known of it elsewhere. The error
// is a *BreakError.
func (v *Verifier) End(head Point) error {
	switch {
	case v.at.Number < head.Number:
		return &BreakError{v.at.Number + 1, fmt.Sprintf("it is missing, and so is all up to event %d, the last one", head.Number)}
	case v.at.Number > head.Number:
		return &BreakError{head.Number + 1, fmt.Sprintf("it stands after event %d, the last one", head.Number)}
	case v.at.Hash != head.Hash:
		return &BreakError{head.Number, fmt.Sprintf("the last one has the hash %s, and not %s", v.at.Hash, head.Hash)}
	}
	return nil
}
