package egress

import "time"

// State is what a plugin has learned of the services it calls: which of them
// fail, and the responses they let it keep. It outlives the deployments, whose
// clients share it. Safe for concurrent use.
type State struct {
	gate     gate
	breakers breakers
	cache    *cache
	calls    calls
}

// NewState returns a State that has learned nothing. clock dates responses.
func NewState(clock func() time.Time) *State {
	return &State{
		breakers: breakers{rest: breakTime, byOrigin: map[string]breaker{}},
		cache:    newCache(clock),
	}
}

// Close drops everything; the state may be used again. Calls that are under way
// may leave something in it.
func (s *State) Close() {
	s.breakers.clear()
	s.cache.clear()
}
