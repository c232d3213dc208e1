package machine

import (
	"encoding/binary"
	mathrand "math/rand/v2"

	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// Instances start from the same memory, so that a generator which was seeded
// while the guest initialised would make the same numbers in all of them. Those
// of Go's runtime, from which math/rand, math/rand/v2 and the seeds of maps come,
// are found by what they look like and get a new seed in each instance.
//
// They are internal/chacha8rand.State of Go 1.22 to 1.27:
//
//	buf [32]uint64; seed [4]uint64; i, n, c uint32
//
// buf is what the seed gives at block c, of which i numbers are used up. c grows
// by 4 with each buf; after 12, which has 28 numbers, there is a new seed.

const (
	chunk     = 32              // numbers in buf
	bufSize   = chunk * 8       // bytes before a seed
	seedBytes = 32              // of a seed
	seedSize  = seedBytes + 3*4 // seed and the three counters, which is what is written
	step      = 4               // of c, from one buf to the next
	blocks    = 4               // bufs of one seed
	reseeds   = 4               // numbers of the last one that become the next seed
)

// goGenerators is how many states Go's runtime has: one that is used up when it
// starts, and one that it goes on with.
const goGenerators = 2

// maxGenerators bounds the states of a guest.
const maxGenerators = 64

// maxTried bounds how often it is found out whether there is a state, which
// takes a microsecond. A memory that looks like more of them has none.
const maxTried = 10_000

// generators returns where memory holds the seeds of states, in order.
func generators(memory []byte) (at []uint32) {
	tried := 0
	for i := bufSize; i+seedSize <= len(memory) && len(at) < maxGenerators; i += 8 {
		block, have, ok := counters(memory[i+seedBytes:])
		if !ok {
			continue
		}
		if tried++; tried > maxTried {
			return nil
		}
		if isGenerator(memory[i-bufSize:i+seedBytes], block, have) {
			at = append(at, uint32(i))
			i += bufSize + seedBytes // the next one comes after it
		}
	}
	return at
}

// counters reads those of a state: the block in its buf, and how many numbers
// that has.
func counters(b []byte) (block, have int, ok bool) {
	i, n, c := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	block, have = int(c/step), chunk
	if block == blocks-1 {
		have -= reseeds
	}
	return block, have, c%step == 0 && block < blocks && int(n) == have && i <= n
}

// isGenerator reports whether the buf that a state begins with is what its seed
// gives.
func isGenerator(state []byte, block, have int) bool {
	source := mathrand.NewChaCha8([seedBytes]byte(state[bufSize:]))
	for range block * chunk {
		source.Uint64()
	}
	for buf := state[:have*8]; len(buf) > 0; buf = buf[8:] {
		if source.Uint64() != binary.LittleEndian.Uint64(buf) {
			return false
		}
	}
	return true
}

// cheapAt is where, from a seed, Go's runtime keeps the state of another
// generator, of one number: runtime.m has cheaprand after chacha8. From it come
// the cases of select, and numbers for packages that link to it.
const cheapAt = seedSize + 4

// cheap returns the number after a state, which may be such a generator.
func cheap(memory []byte, at uint32) (number uint64, ok bool) {
	if int(at)+cheapAt+8 > len(memory) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(memory[at+cheapAt:]), true
}

// reseed gives the generators of the instance seeds of their own, which the
// invocation's world draws, and has them begin anew: what they had computed is
// taken for used.
func (in *Instance) reseed(w invoke.World) {
	if in.used {
		return
	}
	in.used = true
	memory := in.memory.Bytes()
	for _, at := range in.program.meta.Seeds {
		state := memory[at : at+seedSize]
		w.Random(state[:seedBytes])
		binary.LittleEndian.PutUint32(state[32:], chunk)
		binary.LittleEndian.PutUint32(state[36:], chunk)
		binary.LittleEndian.PutUint32(state[40:], 0)
	}
	for _, at := range in.program.meta.Cheap {
		w.Random(memory[at : at+8])
	}
}
