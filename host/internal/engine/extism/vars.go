package extism

import "github.com/wasmoor/wasmoor/host/internal/capability"

// maxVars bounds what var_set keeps, as Extism does. Each var counts with what
// there is about it.
const (
	maxVars     = 1 << 20
	varOverhead = 40
)

// varFunctions are Extism's vars. They live as long as the invocation: what is to
// outlive it belongs into the key-value store.
func varFunctions() []function {
	return []function{
		fallible("var_get", "l>l", varGet),
		fallible("var_set", "ll", varSet),
	}
}

func varGet(s *state, args []uint64) (uint64, error) {
	value, ok := s.vars[s.text(args[0])]
	s.arena.Free(args[0])
	if !ok {
		return 0, nil
	}
	return s.put([]byte(value))
}

// varSet sets a var, or removes it when the value is block 0.
func varSet(s *state, args []uint64) (uint64, error) {
	name := s.text(args[0])
	s.arena.Free(args[0])
	if old, ok := s.vars[name]; ok {
		s.varBytes -= varOverhead + len(name) + len(old)
		delete(s.vars, name)
	}
	if args[1] == 0 {
		return 0, nil
	}
	value := s.text(args[1])
	s.arena.Free(args[1])
	size := varOverhead + len(name) + len(value)
	if s.varBytes+size > maxVars {
		return 0, capability.Mistake("its vars are over the limit of 1 MiB")
	}
	if s.vars == nil {
		s.vars = map[string]string{}
	}
	s.vars[name] = value
	s.varBytes += size
	return 0, nil
}
