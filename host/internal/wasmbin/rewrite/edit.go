package rewrite

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/lower"
)

// editor gathers what the sections of a module become while a scan reads them: it
// is the scan's visitor.
type editor struct {
	b        []byte
	rules    rules
	sections [format.IDDataCount + 1]items
	current  *items  // of the section being read
	at       int     // next byte to copy
	patches  []patch // from there on, in order
	flow     flow    // of the body being read
	lowering lower.Lowering
	body     []byte // its new content
	bulk     bool   // a helper for bulk operations is called
	added    added
}

func newEditor(b []byte, rules rules) *editor {
	return &editor{b: b, rules: rules, lowering: lower.Lowering{Arch: rules.arch, OldScans: rules.oldScans}}
}

// items is the content of a section but for its count.
type items struct {
	count int
	data  []byte
}

// added holds the indexes of what Instrument adds.
type added struct {
	check, fuel, slow, fill, copy, bulkType uint32
	full                                    int32 // what the fuel is filled up to
}

// patch replaces the bytes [start, end).
type patch struct {
	start, end  int
	kind        patchKind
	value, most uint32
}

type patchKind byte

const (
	patchIndex  patchKind = iota // value, as an index
	patchCheck                   // a check that charges value, none for 0
	patchGroups                  // value, as a count of groups of locals, with those added
	patchLocals                  // the locals added
	patchCode                    // lowered code, from value to most
	patchFill                    // a helper's call if memory.fill is large
	patchCopy                    // and of memory.copy
	patchLimits                  // value and most, as limits
	patchNoMax                   // value, as limits without a maximum
)

// Section starts a section of n items, the first at an offset.
func (e *editor) Section(id byte, n, at int) {
	e.current, e.at = &e.sections[id], at
	e.current.count = n
}

// EndSection ends a section.
func (e *editor) EndSection(at int) {
	if e.current != nil {
		e.Item(at)
		e.current = nil
	}
}

// Item adds what was read of the section to its new content.
func (e *editor) Item(at int) { e.current.data = e.apply(e.current.data, at) }

// apply appends the bytes up to an offset, with their patches.
func (e *editor) apply(out []byte, to int) []byte {
	for _, p := range e.patches {
		out = append(out, e.b[e.at:p.start]...)
		out = e.patch(out, p)
		e.at = p.end
	}
	out = append(out, e.b[e.at:to]...)
	e.at, e.patches = to, e.patches[:0]
	return out
}

func (e *editor) patch(out []byte, p patch) []byte {
	switch p.kind {
	case patchIndex:
		return format.AppendU32(out, p.value)
	case patchCheck:
		if p.value == 0 {
			return out
		}
		return e.added.charge(out, p.value)
	case patchGroups:
		return format.AppendU32(out, p.value+uint32(e.lowering.Added()))
	case patchLocals:
		return e.lowering.AppendGroups(out)
	case patchCode:
		return append(out, e.lowering.Code(int(p.value), int(p.most))...)
	case patchFill:
		return e.added.large(out, p.value, e.added.fill, e.b[p.start:p.end])
	case patchCopy:
		return e.added.large(out, p.value, e.added.copy, e.b[p.start:p.end])
	case patchNoMax:
		return format.AppendU32(append(out, 0), p.value)
	default:
		return format.AppendU32(format.AppendU32(append(out, 1), p.value), p.most)
	}
}

func (e *editor) add(p patch) { e.patches = append(e.patches, p) }

// Function moves an index past the import that is added.
func (e *editor) Function(start, end int, index uint32) {
	e.add(patch{start: start, end: end, kind: patchIndex, value: index + 1})
}

// Bulk has a helper do a bulk operation if it is large. The body gets a local for
// its size.
func (e *editor) Bulk(misc uint32, start, end int) {
	kind := patchCopy
	if misc == format.MiscMemoryFill {
		kind = patchFill
	}
	e.bulk = true
	e.add(patch{start: start, end: end, kind: kind, value: e.lowering.Local(abi.I32, 0)})
}

// Table bounds how far a table may grow.
func (e *editor) Table(start, end int, l format.Limits) {
	if e.rules.keepLimits || l.HasMax && l.Max <= format.MaxTable {
		return
	}
	e.add(patch{start: start, end: end, kind: patchLimits, value: l.Min, most: format.MaxTable})
}

// Memory takes the maximum of a memory out.
func (e *editor) Memory(start, end int, l format.Limits) {
	if !e.rules.keepLimits {
		e.add(patch{start: start, end: end, kind: patchNoMax, value: l.Min})
	}
}

// Code settles the indexes that bodies use.
func (e *editor) Code(m *wasmbin.Scan) {
	own := uint32(len(m.FunctionTypes)) + 1 // past the import that is added
	e.added = added{
		check: uint32(m.ImportedFunctions), fuel: uint32(len(m.GlobalTypes)), full: e.rules.fuel,
		slow: own, fill: own + 1, copy: own + 2, bulkType: uint32(len(m.Types)) + 1,
	}
}

// Body starts a body.
func (e *editor) Body(m *wasmbin.Scan, b wasmbin.Body) {
	e.at = b.Start
	e.add(patch{start: b.Start, end: b.FirstGroup, kind: patchGroups, value: uint32(b.Groups)})
	e.add(patch{start: b.Code, end: b.Code, kind: patchLocals})
	e.lowering.Start(m, b)
	e.flow.start(e, m.LargestData, b.Code)
}

// Instruction lowers an instruction and charges it.
func (e *editor) Instruction(r *format.Reader, start int) {
	end := r.At
	from, to := e.lowering.Step(r, start)
	if to > from {
		e.add(patch{start: start, end: end, kind: patchCode, value: uint32(from), most: uint32(to)})
	}
	e.flow.step(r, start, to-from)
}

// EndBody adds a body that ends at an offset, with its new size.
func (e *editor) EndBody(end int) {
	e.flow.finish()
	e.body = e.apply(e.body[:0], end)
	e.current.data = append(format.AppendU32(e.current.data, uint32(len(e.body))), e.body...)
}
