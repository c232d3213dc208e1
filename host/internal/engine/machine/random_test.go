package machine

import (
	"bytes"
	"encoding/binary"
	mathrand "math/rand/v2"
	"slices"
	"testing"
)

// stateOf lays a generator out as Go's runtime does, at one of the bufs of its seed.
func stateOf(seed [seedBytes]byte, block int, used uint32) []byte {
	source := mathrand.NewChaCha8(seed)
	for range block * chunk {
		source.Uint64()
	}
	have := chunk
	if block == blocks-1 {
		have -= reseeds
	}
	buf := make([]byte, bufSize, bufSize+seedSize)
	for i := range have {
		binary.LittleEndian.PutUint64(buf[i*8:], source.Uint64())
	}
	state := append(buf, seed[:]...)
	state = binary.LittleEndian.AppendUint32(state, used)
	state = binary.LittleEndian.AppendUint32(state, uint32(have))
	return binary.LittleEndian.AppendUint32(state, uint32(block*step))
}

func TestGeneratorsAreFound(t *testing.T) {
	memory := make([]byte, 1<<16)
	var want []uint32
	for block := range blocks {
		at := 4096 * (block + 1)
		copy(memory[at:], stateOf([seedBytes]byte{byte(block), 1}, block, uint32(5*block)))
		want = append(want, uint32(at+bufSize))
	}
	if got := generators(memory); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, c := range []struct {
		name string
		at   int
	}{
		{"a number", 4096 + 8}, {"the seed", 4096 + bufSize}, {"the count", 4096 + bufSize + seedBytes + 4}, {"the block", 4096 + bufSize + seedBytes + 8},
	} {
		damaged := bytes.Clone(memory)
		damaged[c.at] ^= 1
		if got := generators(damaged); !slices.Equal(got, want[1:]) {
			t.Errorf("with another %s: got %v, want %v", c.name, got, want[1:])
		}
	}
	if got := generators(memory[:bufSize]); got != nil {
		t.Errorf("in too little memory: %v", got)
	}
	if got := generators(memory[:want[0]+seedSize-1]); got != nil {
		t.Errorf("in a memory that ends within one: %v", got)
	}
}

// TestGeneratorsAreBounded: a memory that is made to look like many of them costs
// little and has none; one that has many gives so many.
func TestGeneratorsAreBounded(t *testing.T) {
	looks := make([]byte, 1<<20)
	for i := 0; i+12 <= len(looks); i += 8 { // i = 0, n = chunk at each step of 8 bytes
		binary.LittleEndian.PutUint32(looks[i+4:], chunk)
	}
	if got := generators(looks); got != nil {
		t.Errorf("got %d", len(got))
	}
	var many []byte
	for i := range maxGenerators + 10 {
		many = append(many, stateOf([seedBytes]byte{byte(i), 2}, 0, 0)...)
		many = append(many, make([]byte, 8-len(many)%8)...)
	}
	if got := generators(many); len(got) != maxGenerators {
		t.Errorf("got %d, want %d", len(got), maxGenerators)
	}
}

func TestCounters(t *testing.T) {
	for _, c := range []struct {
		i, n, c     uint32
		block, have int
		ok          bool
	}{
		{0, 32, 0, 0, 32, true},
		{32, 32, 8, 2, 32, true},
		{28, 28, 12, 3, 28, true},
		{0, 32, 12, 3, 28, false},
		{29, 28, 12, 3, 28, false},
		{33, 32, 0, 0, 32, false},
		{0, 32, 1, 0, 32, false},
		{0, 32, 16, 4, 32, false},
	} {
		var b []byte
		for _, v := range []uint32{c.i, c.n, c.c} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		if block, have, ok := counters(b); ok != c.ok || ok && (block != c.block || have != c.have) {
			t.Errorf("%+v: got %d, %d, %v", c, block, have, ok)
		}
	}
}

// TestSift keeps the generators that another run gave another seed, and the number
// after one only where both runs have it.
func TestSift(t *testing.T) {
	const fixed, seeded = 0, 1024
	run := func(seed byte) []byte {
		memory := make([]byte, 4096)
		copy(memory[fixed:], stateOf([seedBytes]byte{7}, 0, 0))
		copy(memory[seeded:], stateOf([seedBytes]byte{seed}, 0, 0))
		binary.LittleEndian.PutUint64(memory[seeded+bufSize+cheapAt:], uint64(seed))
		return memory
	}
	first := run(1)
	s := standing{image: image{memory: first, seeds: generators(first)}}
	s.sift(run(2))
	if want := []uint32{seeded + bufSize}; !s.sifted || !slices.Equal(s.seeds, want) {
		t.Errorf("seeds %v, want %v", s.seeds, want)
	}
	if want := []uint32{seeded + bufSize + cheapAt}; !slices.Equal(s.cheap, want) {
		t.Errorf("numbers %v, want %v", s.cheap, want)
	}
}
