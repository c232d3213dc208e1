package invoke

import "github.com/wasmoor/wasmoor/host/internal/store"

// State is what one capability keeps of a plugin, of a deployment or of an
// attempt. Close frees what it holds; whoever ends the lifetime calls it.
type State interface{ Close() }

// States are what capabilities keep, each under its name. There are few, so that
// finding one takes some comparisons and no memory. The zero States is empty.
type States []namedState

type namedState struct {
	name  string
	state State
}

// Of returns what the capability of that name keeps, nil if it keeps nothing.
func (s States) Of(name string) State {
	for i := range s {
		if s[i].name == name {
			return s[i].state
		}
	}
	return nil
}

// Add keeps the state of a capability that keeps nothing yet.
func (s *States) Add(name string, state State) { *s = append(*s, namedState{name, state}) }

// Switch ends what the states do outside of the process and keeps it ended, or lets it
// go on.
func (s States) Switch(off bool) {
	for i := range s {
		if reaching, ok := s[i].state.(interface{ Switch(off bool) }); ok {
			reaching.Switch(off)
		}
	}
}

// Effect is implemented by the state of an attempt of which something leaves the process
// with the effects, such as what is said on sockets, and by what is kept of a request that
// has to know that they are durable.
type Effect interface {
	// Committed is called once, when the effects are durable or nothing was to be
	// written, 0 being the revision then, and not when they are dropped. Of several
	// commits that of the lower revision is first. It waits for nothing.
	Committed(store.Revision)
	// Left waits until what Committed has begun has left, or is on its way.
	Left()
}

// Runner is implemented by the state of an attempt that has something which the handler
// alone uses, such as connections to databases.
type Runner interface {
	// Ran is called when the handler has returned, before its effects are collected.
	Ran()
}

// Sealer is implemented by what is kept of a request that has to know which effects of an
// attempt a commit will have.
type Sealer interface {
	// Seal is called before the effects of an attempt are committed. That may fail.
	Seal(*Invocation)
}

// seal tells the states.
func (s States) seal(inv *Invocation) {
	for i := range s {
		if r, ok := s[i].state.(Sealer); ok {
			r.Seal(inv)
		}
	}
}

// ran tells the states.
func (s States) ran() {
	for i := range s {
		if r, ok := s[i].state.(Runner); ok {
			r.Ran()
		}
	}
}

// Leaving is what leaves the process with the effects of an attempt.
type Leaving []Effect

// Effects returns the states that are one, nil if none is.
func (s States) Effects() (list Leaving) {
	for i := range s {
		if e, ok := s[i].state.(Effect); ok {
			list = append(list, e)
		}
	}
	return list
}

// Published is what store.Effects takes, nil for nothing.
func (l Leaving) Published() func(store.Revision) {
	if l == nil {
		return nil
	}
	return l.Committed
}

// Committed tells all of it.
func (l Leaving) Committed(at store.Revision) {
	for _, e := range l {
		e.Committed(at)
	}
}

// Left waits for all of it.
func (l Leaving) Left() {
	for _, e := range l {
		e.Left()
	}
}

// Close closes every state.
func (s States) Close() {
	for i := range s {
		s[i].state.Close()
	}
}
