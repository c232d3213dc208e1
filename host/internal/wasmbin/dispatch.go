package wasmbin

// dispatch is what is known of a loop that starts with blocks around a branch
// table over a local:
//
//	loop block ... block local.get L br_table ... end ... end ... end
//
// Go compiles every function with a jump to this: a jump sets L to the number of
// a block and branches to the loop. Most jumps lead forwards, and a check at the
// loop's head would cost more than what Go's code does between two of them. So
// such a loop has no check, but each branch to it that is not seen to lead
// forwards has: every way around it passes one of these.
type dispatch struct {
	local   uint32
	loop    int   // the loop's frame
	first   int   // offset of the first block
	targets []int // frames, the default last
}

const blockSize = 2 // bytes of a block without a result

// dispatchAt reads on from a loop's head that is so many frames in, and returns
// nil if it is not such a loop.
func dispatchAt(r *reader, loop int) *dispatch {
	ahead := reader{b: r.b, at: r.at, end: r.end}
	innermost := loop
	for ahead.left() >= blockSize && ahead.b[ahead.at] == opBlock && ahead.b[ahead.at+1] == blockEmpty {
		ahead.at += blockSize
		innermost++
	}
	if innermost == loop || ahead.byte("an instruction") != opLocalGet {
		return nil
	}
	d := &dispatch{loop: loop, first: r.at, local: ahead.u32("a local")}
	if ahead.byte("an instruction") != opBrTable {
		return nil
	}
	for range ahead.count("branch targets", 1, MaxTargets) + 1 {
		d.targets = append(d.targets, innermost-int(ahead.u32("a branch")))
	}
	if ahead.err != nil {
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

func (s *setting) step(op byte, operands reader) {
	switch {
	case op == opI32Const && operands.left() <= 4:
		*s = setting{constant: true, value: operands.signed()}
	case op == opLocalSet && s.constant:
		*s = setting{known: true, local: operands.u32("a local"), value: s.value}
	default:
		*s = setting{}
	}
}

// signed reads a signed LEB128 of at most 4 bytes.
func (r *reader) signed() uint32 {
	var v uint32
	shift := 0
	for {
		c := r.byte("a constant")
		v |= uint32(c&0x7f) << shift
		if shift += 7; c&0x80 == 0 {
			return uint32(int32(v<<(32-shift)) >> (32 - shift))
		}
	}
}
