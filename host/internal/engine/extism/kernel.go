package extism

import (
	"encoding/binary"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/capability"
)

// kernelFunctions are those of Extism's kernel, on the invocation's arena.
func kernelFunctions() []function {
	return []function{
		plain("alloc", "l>l", func(s *state, args []uint64) uint64 { return s.arena.Alloc(args[0]) }),
		plain("free", "l", func(s *state, args []uint64) uint64 { s.arena.Free(args[0]); return 0 }),
		plain("length", "l>l", func(s *state, args []uint64) uint64 { return s.arena.Length(args[0]) }),
		plain("length_unsafe", "l>l", func(s *state, args []uint64) uint64 { return s.arena.Length(args[0]) }),
		plain("memory_bytes", ">l", func(s *state, _ []uint64) uint64 { return uint64(len(s.arena.mem)) }),
		plain("reset", "", func(s *state, _ []uint64) uint64 { s.resetArena(); return 0 }),
		fallible("load_u8", "l>i", load8),
		fallible("load_u64", "l>l", load64),
		fallible("store_u8", "li", store8),
		fallible("store_u64", "ll", store64),

		fallible("input_set", "ll", inputSet),
		fallible("input_offset", ">l", inputOffset),
		plain("input_length", ">l", func(s *state, _ []uint64) uint64 { return uint64(len(s.input)) }),
		plain("input_load_u8", "l>i", inputLoad8),
		plain("input_load_u64", "l>l", inputLoad64),

		fallible("output_set", "ll", outputSet),
		plain("output_offset", ">l", func(s *state, _ []uint64) uint64 { return s.outputAt }),
		plain("output_length", ">l", func(s *state, _ []uint64) uint64 { return s.outputLen }),
		plain("error_set", "l", func(s *state, args []uint64) uint64 { s.errorAt = args[0]; return 0 }),
		plain("error_get", ">l", func(s *state, _ []uint64) uint64 { return s.errorAt }),
	}
}

func outside(what string, offset, n uint64, s *state) error {
	return capability.Mistake(fmt.Sprintf("%s of %d bytes at offset %d, outside of the %d bytes it has allocated", what, n, offset, len(s.arena.mem)))
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

// inputLoad8 reads a byte of the input; 0 after its end, as the kernel does.
func inputLoad8(s *state, args []uint64) uint64 {
	if args[0] >= uint64(len(s.input)) {
		return 0
	}
	return uint64(s.input[args[0]])
}

// inputLoad64 reads 8 bytes of the input, zeros after its end.
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
		if s.inputAt = s.arena.Put(s.input); s.inputAt == 0 {
			return 0, capability.Mistake("no room for the input in the memory it shares with the host")
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
