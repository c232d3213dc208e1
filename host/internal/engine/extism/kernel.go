package extism

import (
	"encoding/binary"
	"fmt"
)

// kernelFunctions are those of Extism's kernel, on the invocation's arena.
func kernelFunctions() []function {
	kernel := func(name, signature string, h handler) function { return plain(EnvModule, name, signature, h) }
	checked := func(name, signature string, h func(*state, []uint64) (uint64, error)) function {
		return fallible(EnvModule, name, signature, h)
	}
	return []function{
		kernel("alloc", "l>l", func(s *state, args []uint64) uint64 { return s.arena.alloc(args[0]) }),
		kernel("free", "l", func(s *state, args []uint64) uint64 { s.arena.free(args[0]); return 0 }),
		kernel("length", "l>l", func(s *state, args []uint64) uint64 { return s.arena.length(args[0]) }),
		kernel("length_unsafe", "l>l", func(s *state, args []uint64) uint64 { return s.arena.length(args[0]) }),
		kernel("memory_bytes", ">l", func(s *state, _ []uint64) uint64 { return uint64(len(s.arena.mem)) }),
		kernel("reset", "", func(s *state, _ []uint64) uint64 { s.resetArena(); return 0 }),
		checked("load_u8", "l>i", load8),
		checked("load_u64", "l>l", load64),
		checked("store_u8", "li", store8),
		checked("store_u64", "ll", store64),

		checked("input_set", "ll", inputSet),
		checked("input_offset", ">l", inputOffset),
		kernel("input_length", ">l", func(s *state, _ []uint64) uint64 { return uint64(len(s.input)) }),
		kernel("input_load_u8", "l>i", inputLoad8),
		kernel("input_load_u64", "l>l", inputLoad64),

		checked("output_set", "ll", outputSet),
		kernel("output_offset", ">l", func(s *state, _ []uint64) uint64 { return s.outputAt }),
		kernel("output_length", ">l", func(s *state, _ []uint64) uint64 { return s.outputLen }),
		kernel("error_set", "l", func(s *state, args []uint64) uint64 { s.errorAt = args[0]; return 0 }),
		kernel("error_get", ">l", func(s *state, _ []uint64) uint64 { return s.errorAt }),
	}
}

func outside(what string, offset, n uint64, s *state) error {
	return mistake(fmt.Sprintf("%s of %d bytes at offset %d, outside of the %d bytes it has allocated", what, n, offset, len(s.arena.mem)))
}

func load8(s *state, args []uint64) (uint64, error) {
	if args[0] >= uint64(len(s.arena.mem)) {
		return 0, outside("load", args[0], 1, s)
	}
	return uint64(s.arena.mem[args[0]]), nil
}

func load64(s *state, args []uint64) (uint64, error) {
	v, ok := s.arena.load64(args[0])
	if !ok {
		return 0, outside("load", args[0], 8, s)
	}
	return v, nil
}

func store8(s *state, args []uint64) (uint64, error) {
	if args[0] >= uint64(len(s.arena.mem)) {
		return 0, outside("store", args[0], 1, s)
	}
	s.arena.mem[args[0]] = byte(args[1])
	return 0, nil
}

func store64(s *state, args []uint64) (uint64, error) {
	if !s.arena.store64(args[0], args[1]) {
		return 0, outside("store", args[0], 8, s)
	}
	return 0, nil
}

// inputLoad8 reads a byte of the input; 0 behind its end, as the kernel does.
func inputLoad8(s *state, args []uint64) uint64 {
	if args[0] >= uint64(len(s.input)) {
		return 0
	}
	return uint64(s.input[args[0]])
}

// inputLoad64 reads 8 bytes of the input, zeros behind its end.
func inputLoad64(s *state, args []uint64) uint64 {
	at, size := args[0], uint64(len(s.input))
	if at >= size {
		return 0
	}
	if size-at >= 8 {
		return binary.LittleEndian.Uint64(s.input[at:])
	}
	var b [8]byte
	copy(b[:], s.input[at:])
	return binary.LittleEndian.Uint64(b[:])
}

// inputOffset puts the input into the arena when a guest wants it there: most
// read it from where it is.
func inputOffset(s *state, _ []uint64) (uint64, error) {
	if s.inputAt == 0 && len(s.input) > 0 {
		if s.inputAt = s.arena.put(s.input); s.inputAt == 0 {
			return 0, mistake("no room for the input in the memory it shares with the host")
		}
	}
	return s.inputAt, nil
}

// inputSet makes a part of the arena the input. It is copied: the arena may
// move.
func inputSet(s *state, args []uint64) (uint64, error) {
	b, ok := s.arena.span(args[0], args[1])
	if !ok {
		return 0, outside("input", args[0], args[1], s)
	}
	s.input, s.inputAt = append([]byte(nil), b...), args[0]
	return 0, nil
}

func outputSet(s *state, args []uint64) (uint64, error) {
	if _, ok := s.arena.span(args[0], args[1]); !ok && args[1] > 0 {
		return 0, outside("output", args[0], args[1], s)
	}
	s.outputAt, s.outputLen = args[0], args[1]
	return 0, nil
}
