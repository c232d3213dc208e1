package wasmbin

import (
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// cost counts what makes a compiler slow in a function beyond its bytes.
type cost struct {
	locals  int // with parameters
	blocks  int // so far
	calls   int // so far
	targets int // of branch tables so far
}

// label is an open block, the first of them the function itself.
type label struct {
	loop   bool
	values int // that a branch to it carries
}

// Blocks that an engine makes, with those of the checks that Instrument adds.
const (
	loopBlocks  = 4 // a check takes two
	ifBlocks    = 2 // its sides
	bulkBlocks  = 4 // of a bulk operation on memory, which is a choice and a loop
	tableBlocks = 8 // of a table, which has a check of its own
)

// miscBlocks is how many blocks what follows 0xfc takes.
func miscBlocks(op uint32) int {
	switch op {
	case format.MiscMemoryInit, format.MiscMemoryCopy, format.MiscMemoryFill:
		return bulkBlocks
	case format.MiscTableInit, format.MiscTableCopy, format.MiscTableGrow, format.MiscTableFill:
		return tableBlocks
	}
	return 0
}

func (b *body) open(start int, op byte, t FuncType) {
	l := label{loop: op == format.OpLoop, values: len(t.Results)}
	blocks := 1
	switch op {
	case format.OpIf:
		blocks = ifBlocks
	case format.OpLoop:
		l.values, blocks = len(t.Params), loopBlocks
		b.nested++
	}
	b.labels = append(b.labels, l)
	b.split(blocks)
	b.carry(start, len(t.Params)+len(t.Results))
	switch {
	case b.nested > format.MaxLoopDepth:
		b.Fail(start, "loops nest deeper than %d", format.MaxLoopDepth)
	case len(b.labels)-1 > format.MaxDepth:
		b.Fail(start, "blocks nest deeper than %d", format.MaxDepth)
	}
}

func (b *body) close() {
	last := len(b.labels) - 1
	if b.labels[last].loop {
		b.nested--
	}
	b.labels = b.labels[:last]
}

// branch passes how many blocks a branch leaves.
func (b *body) branch(start int) {
	depth := b.Index("a branch", len(b.labels))
	if b.Err == nil {
		b.carry(start, b.labels[len(b.labels)-1-int(depth)].values)
	}
}

// choose counts the targets of a branch table.
func (b *body) choose(targets int) {
	b.cost.targets += targets
}

// call counts a call of a function of that type.
func (b *body) call(start int, t FuncType) {
	b.carry(start, len(t.Params)+len(t.Results))
	b.m.reloads += 1 + len(b.m.Mutable)
	b.cost.calls++
	if b.m.reloads > format.MaxReloads {
		b.Fail(start, "the calls up to here times the %d mutable globals are over the limit of %d; keep variables in memory", len(b.m.Mutable), format.MaxReloads)
	}
}

// carry counts values that a branch, a block or a call carries.
func (b *body) carry(start, values int) {
	if b.m.carried += values; b.m.carried > format.MaxCarried {
		b.Fail(start, "the blocks, branches and calls up to here carry more than %d values; pass fewer at a time", format.MaxCarried)
	}
}

// split counts blocks that a compiler has to make.
func (b *body) split(blocks int) { b.cost.blocks += blocks }

// total adds the function's cost to the module's.
func (b *body) total(start, index int) {
	if c := b.cost.counted(b.At - start); c > b.m.Heaviest.Counted {
		b.m.Heaviest = Heaviest{Function: index, Counted: c, Text: b.cost.text(b.At - start)}
	}
	b.m.work += b.cost.work()
}

// checkWork refuses a module whose functions are too much together.
func (m *Scan) checkWork(r *format.Reader) {
	if most := format.MaxModuleWork + m.Size; m.work > most {
		r.Fail(r.At, "the functions have together more blocks, calls and locals than allowed (%d of %d), most of all %s with %s; split it",
			m.work, most, m.FunctionName(r.B, m.Heaviest.Function), m.Heaviest.Text)
	}
}

// Heaviest is the function of a module that costs a compiler most.
type Heaviest struct {
	Function int // its index, the imported ones first
	// Counted is its cost as that of so many bytes of plain code: what it is over
	// format.MaxBody is over any of the limits of a function.
	Counted int
	Text    string // what it has, for a person
}

// counted returns what a function of so many bytes counts as.
func (c *cost) counted(size int) int {
	share := func(n, most int) int { return int(int64(n) * format.MaxBody / int64(most)) }
	return max(size, share(c.work(), format.MaxWork), share(c.calls, format.MaxCalls), share(c.targets, format.MaxTargets))
}

func (c *cost) text(size int) string {
	return fmt.Sprintf("%d bytes, %d blocks, %d calls, %d targets of branch tables and %d locals", size, c.blocks, c.calls, c.targets, c.locals)
}

// Some passes of compilers look at blocks pairwise, a share of a block's work
// for each pair. Below fewBlocks that is less than what their code costs.
// Locals that live on after a block cost the more the more there are: 5,000 of
// them 2 us a block each.
const (
	fewBlocks = 512
	pairShare = 64
	fewLocals = 250
)

// work estimates what a compiler does: each block has all the locals to merge,
// each call has them to save, and blocks meet each other.
func (c *cost) work() int {
	return (c.blocks+c.calls)*c.locals*(1+c.locals/fewLocals) + c.blocks*max(c.blocks-fewBlocks, 0)/pairShare
}
