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

// generators returns where memory holds the seeds of states, in order.
func generators(memory []byte) (at []uint32) {
	for i := bufSize; i+seedSize <= len(memory) && len(at) < maxGenerators; i += 8 {
		if isGenerator(memory[i-bufSize : i+seedSize]) {
			at = append(at, uint32(i))
			i += bufSize + seedBytes // the next one is behind it
		}
	}
	return at
}

// isGenerator reports whether the bytes are a state.
func isGenerator(state []byte) bool {
	counters := state[bufSize+seedBytes:]
	i, n, c := binary.LittleEndian.Uint32(counters), binary.LittleEndian.Uint32(counters[4:]), binary.LittleEndian.Uint32(counters[8:])
	block := int(c / step)
	have := chunk
	if block == blocks-1 {
		have -= reseeds
	}
	if c%step != 0 || block >= blocks || int(n) != have || i > n {
		return false
	}
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
}
