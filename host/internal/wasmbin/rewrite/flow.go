package rewrite

import "github.com/wasmoor/wasmoor/host/internal/wasmbin/format"

// Units of what code costs: a byte of instructions is one, about 0.2 ns.
const (
	// fuel is charged until the host is asked whether the call may go on. It is
	// under 0.5 ms of code.
	fuelPerCheck = 1_000_000

	// maxStretch is what a path costs at most between two checks. It bounds what
	// code is charged that goes another way than the costliest.
	maxStretch = 4096

	// smallFunction is what a function without calls and loops may cost to have
	// no check. Every call pays for it.
	smallFunction = 64

	// smallBulk is how many bytes are copied or filled without a helper. Every
	// such instruction pays for them.
	smallBulk = smallFunction * bytesPerUnit

	costDivision  = 16  // of integers, and square roots
	costGrow      = 500 // memory.grow leaves to Go
	costTable     = 20_000
	bytesPerUnit  = 16      // of bulk operations on memory
	maxInitCharge = 1 << 24 // of one memory.init
)

// flow follows what a function's code costs along its paths, so that every path
// is charged at least what it costs: a check charges the most that a path costs
// since the check before, and the first one also what the costliest path costs
// from its last check to a return.
type flow struct {
	e        *editor
	frames   []frame
	cost     int  // most since a check on a path to here; dead if there is none
	rest     int  // most since a check at a return
	init     int  // of a memory.init
	entry    int  // the patch of the check at the entry
	first    int  // and of the first loop's if every path comes there at once, or -1
	straight bool // no branch, call or end so far
	leaf     bool // no call and no check
	set      setting
}

const dead = -1

// frame is an open block.
type frame struct {
	op    byte
	cost  int // at an if's start
	label int // most at a branch to it
	check int // patch of a loop's check, or -1 if it has none
	start int // offset
	*dispatch
}

func (f *flow) start(e *editor, largest, at int) {
	*f = flow{
		e: e, frames: f.frames[:0], rest: dead, first: -1, straight: true, leaf: true,
		init: costTable + min(largest/bytesPerUnit, maxInitCharge), entry: len(e.patches),
	}
	e.add(patch{start: at, end: at, kind: patchCheck})
}

// check adds a check that charges the cost so far, and returns its patch.
func (f *flow) check(at int) int {
	f.leaf = false
	f.e.add(patch{start: at, end: at, kind: patchCheck, value: uint32(max(f.cost, 1))})
	f.cost = 0
	return len(f.e.patches) - 1
}

// step follows the instruction that r has just passed, which costs so much more
// than it would by its bytes.
func (f *flow) step(r *format.Reader, start, more int) {
	op := r.B[start]
	operands := format.Reader{B: r.B, At: start + 1, End: r.At}
	if f.cost != dead {
		f.cost += r.At - start + more + f.extra(op, operands)
	}
	switch op {
	case format.OpLoop:
		f.loop(r, start)
	case format.OpBr, format.OpBrIf, format.OpBrTable:
		f.branch(op, operands, start)
	default:
		f.control(op, start)
	}
	f.set.step(op, operands)
	if f.cost > maxStretch {
		f.straight = false
		f.check(r.At)
	}
}

// extra is the cost of an instruction over its bytes.
func (f *flow) extra(op byte, operands format.Reader) int {
	switch op {
	case format.OpCall, format.OpCallIndirect, format.OpTailCall, format.OpTailIndirect:
		return smallFunction
	case 0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82, 0x91, 0x9f: // division, remainder, sqrt
		return costDivision
	case format.OpMemoryGrow:
		return costGrow
	case format.OpMisc:
		return f.extraMisc(operands.U32("an instruction"))
	}
	return 0
}

func (f *flow) extraMisc(op uint32) int {
	switch op {
	case format.MiscMemoryInit:
		return f.init
	case format.MiscTableInit, format.MiscTableCopy, format.MiscTableGrow, format.MiscTableFill:
		return costTable
	case format.MiscMemoryCopy, format.MiscMemoryFill:
		return smallFunction
	}
	return 0
}

// control follows where an instruction leads.
func (f *flow) control(op byte, start int) {
	switch op {
	case format.OpBlock:
		f.open(frame{op: op, start: start})
	case format.OpIf:
		f.straight = false
		f.open(frame{op: op, start: start, cost: f.cost})
	case format.OpElse:
		f.elseBranch()
	case format.OpEnd:
		f.end()
	case format.OpReturn:
		f.branchTo(len(f.frames))
		f.stop()
	case format.OpTailCall, format.OpTailIndirect:
		f.leaf = false
		f.branchTo(len(f.frames))
		f.stop()
	case format.OpUnreachable:
		f.stop()
	case format.OpCall, format.OpCallIndirect:
		f.straight, f.leaf = false, false
	}
}

func (f *flow) open(block frame) {
	block.label = dead
	f.frames = append(f.frames, block)
}

// loop puts a check at a loop's head, except where branches to it are checked
// one by one.
func (f *flow) loop(r *format.Reader, start int) {
	if d := dispatchAt(r, start, len(f.frames)); d != nil {
		f.straight = false
		f.open(frame{op: format.OpLoop, start: start, check: -1, dispatch: d})
		return
	}
	quick := f.straight && f.cost <= smallFunction && f.cost != dead
	f.straight = false
	check := f.check(r.At)
	if quick {
		f.first = check
	}
	f.open(frame{op: format.OpLoop, start: start, check: check})
}

func (f *flow) elseBranch() {
	if last := len(f.frames) - 1; last >= 0 && f.frames[last].op == format.OpIf {
		block := &f.frames[last]
		block.op = format.OpElse
		block.label = max(block.label, f.cost)
		f.cost = block.cost
	}
}

func (f *flow) end() {
	f.straight = false
	last := len(f.frames) - 1
	block := f.frames[last]
	f.frames = f.frames[:last]
	if block.op == format.OpIf {
		f.cost = max(f.cost, block.cost)
	}
	f.cost = max(f.cost, block.label)
}

// branch follows a branch, which gets a check of its own if it may lead back to
// a loop without one, and goes straight to where such a loop leads on to.
func (f *flow) branch(op byte, operands format.Reader, start int) {
	n := 1
	if op == format.OpBrTable {
		n = 1 + int(operands.U32("the targets"))
	}
	targets := operands
	for range n {
		if f.unchecked(f.target(operands.U32("a branch"))) {
			f.check(start)
			break
		}
	}
	for range n {
		depth := targets.U32("a branch")
		to := f.target(depth)
		if op != format.OpBrTable && to != int(depth) {
			f.e.add(patch{start: start + 1, end: targets.At, kind: patchIndex, value: uint32(to)})
		}
		f.branchTo(to)
	}
	if f.straight = false; op != format.OpBrIf {
		f.stop()
	}
}

// target returns the depth that a branch ends up at: a loop that leads on at
// once to a block further down is no more than the way there.
func (f *flow) target(depth uint32) int {
	i := len(f.frames) - 1 - int(depth)
	if i < 0 || f.frames[i].dispatch == nil || !f.set.known || f.set.local != f.frames[i].local {
		return int(depth)
	}
	if to, ok := f.frames[i].leadsTo(f.set.value, f.frames); ok {
		return len(f.frames) - 1 - to
	}
	return int(depth)
}

// unchecked reports whether a depth is that of a loop without a check.
func (f *flow) unchecked(depth int) bool {
	i := len(f.frames) - 1 - depth
	return i >= 0 && f.frames[i].dispatch != nil && f.cost != dead
}

// branchTo notes the cost of a path that leaves so many blocks.
func (f *flow) branchTo(depth int) {
	i := len(f.frames) - 1 - depth
	switch {
	case f.cost == dead:
	case i < 0:
		f.rest = max(f.rest, f.cost)
	case f.frames[i].dispatch != nil: // it comes from a check
	case f.frames[i].op == format.OpLoop:
		check := &f.e.patches[f.frames[i].check]
		check.value = max(check.value, uint32(f.cost))
	default:
		f.frames[i].label = max(f.frames[i].label, f.cost)
	}
}

// stop ends a path: what follows is reached by a branch or not at all.
func (f *flow) stop() { f.straight, f.cost = false, dead }

// finish follows the function's end, an instruction of so many bytes.
func (f *flow) finish() {
	f.rest = max(f.rest, f.cost, 0)
	switch {
	case f.leaf && f.rest <= smallFunction:
	case f.first >= 0: // what comes before is short and leads nowhere else
		check := &f.e.patches[f.first]
		check.value = max(check.value, smallFunction+uint32(f.rest))
	default:
		f.e.patches[f.entry].value = uint32(max(f.rest, 1))
	}
}
