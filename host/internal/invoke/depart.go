package invoke

// Departure is what has to happen before anything leaves the process that may
// depend on what the attempt has read.
type Departure interface {
	// Depart returns once all that was read is durable. An error means that it never
	// will be: nothing may leave, and the attempt is over.
	Depart() error
}

// Departs has d asked by Depart until the next Begin.
func (inv *Invocation) Departs(d Departure) { inv.departure = d }

// Depart is called by a capability right before it sends something, on the
// goroutine of the invocation, where it may wait for the disk. Errors are those of
// Departure.
func (inv *Invocation) Depart() error {
	if inv.departure == nil {
		return nil
	}
	return inv.departure.Depart()
}
