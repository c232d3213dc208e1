package machine

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	mathrand "math/rand/v2"
	"slices"
)

// Instances start from the same memory, so that a generator which was seeded
// while the guest initialised would make the same numbers in all of them. The
// one of Go's runtime, from which math/rand, math/rand/v2 and the seeds of maps
// come, is found by the seed it drew and gets a new one in each instance.
//
// It is internal/chacha8rand.State of Go 1.22 to 1.26:
//
//	buf [32]uint64; seed [4]uint64; i, n, c uint32
//
// buf is what the seed gives at block c, of which i numbers are used up. c grows
// by 4 with each buf; after 12, which has 28 numbers, there is a new seed.

const (
	chunk    = 32        // numbers in buf
	bufSize  = chunk * 8 // bytes before a seed
	seedSize = 32 + 3*4  // seed and the three counters, which is what is written
	step     = 4         // of c, from one buf to the next
	blocks   = 4         // bufs of one seed
	reseeds  = 4         // numbers of the last one that become the next seed
)

// draws are the random bytes that a guest drew while it initialised.
type draws struct {
	list [][]byte
	more bool // than are kept
}

// maxDraws bounds what is kept of them: Go draws once.
const maxDraws = 16

// fill is capability.Guest.Random.
func (d *draws) fill(buf []byte) {
	rand.Read(buf) // never fails
	if len(buf) == 0 {
		return
	}
	if len(buf) != 32 || len(d.list) == maxDraws {
		d.more = true
		return
	}
	d.list = append(d.list, slices.Clone(buf))
}

// unseeded is why a guest whose generator is not found is not put back.
const unseeded = "it draws random bytes while it initialises, and what they seed was not found in its memory: " +
	"every request would draw the same numbers; Go's own generator is found, others can draw when they are first used"

// seeds returns where in memory the states of generators are that all draws
// went to, or why that is not known.
func (st *started) seeds() (at []uint32, fresh string) {
	if st.draws.more {
		return nil, unseeded
	}
	for _, draw := range st.draws.list {
		found := generators(st.memory, draw)
		if len(found) == 0 || len(at)+len(found) > maxGenerators {
			return nil, unseeded
		}
		at = append(at, found...)
	}
	slices.Sort(at)
	return slices.Compact(at), ""
}

// maxGenerators bounds the states of a guest: Go has two.
const maxGenerators = 64

// generators returns where memory holds states whose seed is draw, or comes from
// a generator with it: Go's runtime seeds one with numbers of another.
func generators(memory, draw []byte) (at []uint32) {
	seeds := map[uint64][32]byte{binary.LittleEndian.Uint64(draw): [32]byte(draw)}
	descend(seeds, [32]byte(draw))
	for done := false; !done && len(at) <= maxGenerators; {
		done = true
		for _, offset := range states(memory, seeds) {
			if slices.Contains(at, offset) {
				continue
			}
			at = append(at, offset)
			descend(seeds, [32]byte(memory[offset:]))
			done = false
		}
	}
	return at
}

// descend adds the seeds that a generator with this one could have given to
// others, by their first number.
func descend(seeds map[uint64][32]byte, seed [32]byte) {
	numbers := numbersOf(seed, 2*chunk)
	for i := 0; i+32 <= len(numbers); i += 8 {
		seeds[binary.LittleEndian.Uint64(numbers[i:])] = [32]byte(numbers[i:])
	}
}

// numbersOf returns the first n numbers of a generator.
func numbersOf(seed [32]byte, n int) []byte {
	source := mathrand.NewChaCha8(seed)
	numbers := make([]byte, 0, 8*n)
	for range n {
		numbers = binary.LittleEndian.AppendUint64(numbers, source.Uint64())
	}
	return numbers
}

// states returns where memory holds the seed of a state, which is one of seeds.
func states(memory []byte, seeds map[uint64][32]byte) (at []uint32) {
	for i := bufSize; i+seedSize <= len(memory); i += 8 {
		first := binary.LittleEndian.Uint64(memory[i:])
		if first == 0 {
			continue
		}
		seed, ok := seeds[first]
		if ok && seed == [32]byte(memory[i:]) && matches(seed, memory[i-bufSize:i], memory[i+32:]) {
			at = append(at, uint32(i))
		}
	}
	return at
}

// matches reports whether buf and the counters are those of a generator with
// this seed: the keys of hashes come from one too, and are not to be changed.
func matches(seed [32]byte, buf, counters []byte) bool {
	i, n, c := binary.LittleEndian.Uint32(counters), binary.LittleEndian.Uint32(counters[4:]), binary.LittleEndian.Uint32(counters[8:])
	block := int(c / step)
	have := chunk
	if block == blocks-1 {
		have -= reseeds
	}
	if c%step != 0 || block >= blocks || int(n) != have || i > n {
		return false
	}
	numbers := numbersOf(seed, block*chunk+have)
	return bytes.Equal(buf[:have*8], numbers[block*bufSize:])
}

// reseed gives the generators of the instance seeds of their own, and has them
// begin anew: what they had computed is taken for used.
func (in *Instance) reseed() {
	if in.used {
		return
	}
	in.used = true
	memory := in.memory.Bytes()
	for _, at := range in.program.meta.Seeds {
		state := memory[at : at+seedSize]
		rand.Read(state[:32]) // never fails
		binary.LittleEndian.PutUint32(state[32:], chunk)
		binary.LittleEndian.PutUint32(state[36:], chunk)
		binary.LittleEndian.PutUint32(state[40:], 0)
	}
}
