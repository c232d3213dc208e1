package rewrite

import (
	"math"

	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// dispatch holds what is known of a loop that starts with blocks around a branch
// table over a local:
//
//	loop block ... block local.get L br_table ... end ... end ... end
//
// Go compiles every function with a jump to this: a jump sets L to the number of
// a block and branches to the loop. Most jumps lead forwards, and a check at the
// loop's head would cost more than what Go's code does between two of them. So
// such a loop has no check, but each branch to it that is not seen to lead
// forwards has: every way around it passes one of these. One that is seen to
// becomes a branch to where it leads, which spares the processor an indirect jump.
type dispatch struct {
	local   uint32
	loop    int   // the loop's frame
	first   int   // offset of the first block
	targets []int // frames, the default last
}

const blockSize = 2 // bytes of a block without a result

// dispatchAt reads on from the head of a loop that starts at an offset and is so many
// frames in, and returns nil if it is not such a loop. One with parameters is none: a
// jump to it brings new ones, which one to where it leads would lose.
func dispatchAt(r *format.Reader, start, loop int) *dispatch {
	if r.B[start+1] != format.BlockEmpty {
		return nil
	}
	ahead := format.Reader{B: r.B, At: r.At, End: r.End}
	innermost := loop
	for ahead.Left() >= blockSize && ahead.B[ahead.At] == format.OpBlock && ahead.B[ahead.At+1] == format.BlockEmpty {
		ahead.At += blockSize
		innermost++
	}
	if innermost == loop || ahead.Byte("an instruction") != format.OpLocalGet {
		return nil
	}
	d := &dispatch{loop: loop, first: r.At, local: ahead.U32("a local")}
	if ahead.Byte("an instruction") != format.OpBrTable {
		return nil
	}
	for range ahead.Count("branch targets", 1, math.MaxInt32) + 1 {
		d.targets = append(d.targets, innermost-int(ahead.U32("a branch")))
	}
	if ahead.Err != nil {
		return nil
	}
	return d
}

// leadsTo returns the frame that the local's value leads to, if that is further
// down: the end of an open block, or outside the loop.
func (d *dispatch) leadsTo(value uint32, frames []frame) (to int, ok bool) {
	to = d.targets[min(int64(value), int64(len(d.targets)-1))]
	switch {
	case to < 0 || to == d.loop || to >= len(frames):
		return 0, false
	case to > d.loop: // it may be another block by now
		return to, frames[to].start == d.first+blockSize*(to-d.loop-1)
	}
	return to, true
}

// setting is the value of a local that the last two instructions have set.
type setting struct {
	known, constant bool // constant: the last one is i32.const
	local, value    uint32
}

func (s *setting) step(op byte, operands format.Reader) {
	switch {
	case op == format.OpI32Const && operands.Left() <= 4:
		*s = setting{constant: true, value: signed(&operands)}
	case op == format.OpLocalSet && s.constant:
		*s = setting{known: true, local: operands.U32("a local"), value: s.value}
	default:
		*s = setting{}
	}
}

// signed reads a signed LEB128 of at most 4 bytes.
func signed(r *format.Reader) uint32 {
	var v uint32
	shift := 0
	for {
		c := r.Byte("a constant")
		v |= uint32(c&0x7f) << shift
		if shift += 7; c&0x80 == 0 {
			return uint32(int32(v<<(32-shift)) >> (32 - shift))
		}
	}
}
