package extism

import (
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
)

// state is all that host functions act on: that of one invocation in one
// instance, but for the vars, which are as lasting as the guest's memory.
type state struct {
	routes map[string]route
	limit  int // most bytes of the guest's memory, and of its arena
	budget linear.Budget

	arena arena

	input               []byte
	inputAt             uint64 // its offset in the arena; 0 = it is not there
	outputAt, outputLen uint64
	errorAt             uint64 // block of the message of error_set

	vars     map[string]string
	varBytes int
	exit     uint32 // what proc_exit was called with
}

// left says why what initialising left keeps instances from starting there; "" =
// nothing is left.
func (s *state) left() string {
	if len(s.arena.blocks) > 0 || len(s.vars) > 0 {
		return "it keeps blocks or vars of Extism while it initialises, which are not of its memory"
	}
	s.reset()
	return ""
}

// reset forgets everything.
func (s *state) reset() {
	s.end()
	s.vars, s.varBytes = nil, 0
}

// end forgets what is of one invocation, also where the guest's memory is kept.
func (s *state) end() {
	s.resetArena()
	s.exit = 0
}

// text returns a copy of a block; "" for none.
func (s *state) text(offset uint64) string {
	b, _ := s.arena.Block(offset)
	return string(b)
}

// put makes a block for a guest, or says that it has no room for one.
func (s *state) put(data []byte) (uint64, error) {
	offset := s.arena.Put(data)
	if offset == 0 {
		return 0, capability.Mistake("no room for what it asked for in the memory it shares with the host")
	}
	return offset, nil
}

// output returns what the guest has set, which is the arena's own.
func (s *state) output() []byte {
	b, _ := s.arena.span(s.outputAt, s.outputLen)
	return b
}

// resetArena forgets every block and what named them.
func (s *state) resetArena() {
	s.arena.reset()
	s.input, s.inputAt, s.outputAt, s.outputLen, s.errorAt = nil, 0, 0, 0, 0
}
