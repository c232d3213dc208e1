package invoke

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

// Close closes every state.
func (s States) Close() {
	for i := range s {
		s[i].state.Close()
	}
}
