package enginetest

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"github.com/wasmoor/wasmoor/abi"
)

const f64 abi.Type = 0x7c

// crowd is how many floats the guest of Floats keeps at a time, more than a
// machine has registers.
const crowd = 24

// Floats returns a guest that does selects and copysigns with many floats alive,
// as compilers of C or Rust have it, and what it answers. What a compiler for it
// does wrong shows in some seeds and not in others.
func Floats(seed uint64) (module, answer []byte) {
	f := &floats{Rand: rand.New(rand.NewPCG(seed, 1))}
	b := NewBuilder(1)
	write := b.Native(abi.FnResponseWrite)
	var params []abi.Type
	load := new(Code)
	for i := range uint32(crowd) {
		f.values[i] = f.NormFloat64()
		b.Data(text+8*i, string(binary.LittleEndian.AppendUint64(nil, math.Float64bits(f.values[i]))))
		load.I32(text+8*i).Op(0x2b, 0, 0)
		params = append(params, f64)
	}
	f.first = b.Func("", params[:8], []abi.Type{f64}, 0, new(Code).Get(0))
	work := b.Func("", params, nil, 1, f.work())
	load.Call(work).I32(scratch).I32(8 * crowd).Call(write).Drop()
	for _, v := range f.values {
		answer = binary.LittleEndian.AppendUint64(answer, math.Float64bits(v))
	}
	return b.Handle(load.I32(0)).Bytes(), answer
}

// floats writes the guest and follows what it does.
type floats struct {
	*rand.Rand
	values [crowd]float64
	first  uint32 // a function that returns the first of eight floats
}

// work goes round twice, so that what it does is done twice.
func (f *floats) work() *Code {
	const count = crowd
	code := new(Code)
	var steps []func()
	code.Loop(func(c *Code) {
		for range 60 {
			steps = append(steps, f.step(c))
		}
		c.Get(count).I64(1).Op(opAdd).Op(0x22, count).I64(2).Op(opLtS).BrIf(0)
	})
	for range 2 {
		for _, step := range steps {
			step()
		}
	}
	for i := range uint32(crowd) {
		code.I32(scratch+8*i).Get(i).Op(0x39, 0, 0)
	}
	return code
}

// step appends one to the guest and returns what it does.
func (f *floats) step(c *Code) func() {
	to, v := f.IntN(crowd), &f.values
	var from [8]int
	for i := range from {
		from[i] = f.IntN(crowd)
	}
	take := func(n int) *Code {
		for _, i := range from[:n] {
			c.Get(uint32(i))
		}
		return c
	}
	choose := f.IntN(2)
	switch f.IntN(5) {
	case 0:
		take(8).Call(f.first).Set(uint32(to))
		return func() { v[to] = v[from[0]] }
	case 1, 2: // the condition is known to the guest alone
		take(2).Get(crowd).I64(uint64(choose) << 40).Op(opLtU).Op(0x1b).Set(uint32(to))
		return func() { v[to] = v[from[1-choose]] }
	default:
		take(2).Op(0xa6).Set(uint32(to))
		return func() { v[to] = math.Copysign(v[from[0]], v[from[1]]) }
	}
}
