package wasmbin

import "github.com/wasmoor/wasmoor/abi"

// editor gathers what the sections of a module become while scan reads them. A
// nil editor does nothing.
type editor struct {
	b        []byte
	rules    rules
	sections [len(sectionNames)]items
	current  *items  // of the section being read
	at       int     // next byte to copy
	patches  []patch // from there on, in order
	flow     flow    // of the body being read
	lowering lowering
	body     []byte // its new content
	bulk     bool   // a helper for bulk operations is called
	added    added
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

// begin starts a section of n items that start at an offset.
func (e *editor) begin(id byte, n, at int) {
	if e != nil {
		e.current, e.at = &e.sections[id], at
		e.current.count = n
	}
}

// finish ends a section at its end.
func (e *editor) finish(at int) {
	if e != nil && e.current != nil {
		e.flush(at)
		e.current = nil
	}
}

// flush adds what was read of the section to its new content.
func (e *editor) flush(at int) {
	if e != nil {
		e.current.data = e.apply(e.current.data, at)
	}
}

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
		return appendU32(out, p.value)
	case patchCheck:
		if p.value == 0 {
			return out
		}
		return e.added.charge(out, p.value)
	case patchGroups:
		return appendU32(out, p.value+uint32(len(e.lowering.added)))
	case patchLocals:
		return e.lowering.groups(out)
	case patchCode:
		return append(out, e.lowering.code[p.value:p.most]...)
	case patchFill:
		return e.added.large(out, p.value, e.added.fill, e.b[p.start:p.end])
	case patchCopy:
		return e.added.large(out, p.value, e.added.copy, e.b[p.start:p.end])
	case patchNoMax:
		return appendU32(append(out, 0), p.value)
	default:
		return appendU32(appendU32(append(out, 1), p.value), p.most)
	}
}

func (e *editor) add(p patch) { e.patches = append(e.patches, p) }

// index replaces an index.
func (e *editor) index(start, end int, value uint32) {
	if e != nil {
		e.add(patch{start: start, end: end, kind: patchIndex, value: value})
	}
}

// large has a helper do a bulk operation if it is large. The body gets a local
// for its size.
func (e *editor) large(kind patchKind, start, end int) {
	if e != nil {
		e.bulk = true
		e.add(patch{start: start, end: end, kind: kind, value: e.lowering.local(abi.I32, 0)})
	}
}

// table bounds how far a table may grow.
func (e *editor) table(start, end int, l Limits) {
	if e == nil || e.rules.keepLimits || l.HasMax && l.Max <= MaxTable {
		return
	}
	e.add(patch{start: start, end: end, kind: patchLimits, value: l.Min, most: MaxTable})
}

// memory takes the maximum of a memory out.
func (e *editor) memory(start, end int, l Limits) {
	if e != nil && !e.rules.keepLimits {
		e.add(patch{start: start, end: end, kind: patchNoMax, value: l.Min})
	}
}

// startCode settles the indexes that bodies use.
func (e *editor) startCode(m *Module) {
	if e == nil {
		return
	}
	own := uint32(len(m.functions)) + 1 // behind the import that is added
	e.added = added{
		check: uint32(m.imported), fuel: uint32(m.globals), full: e.rules.fuel,
		slow: own, fill: own + 1, copy: own + 2, bulkType: uint32(len(m.types)) + 1,
	}
}

// startBody starts the body b of a function of type t, whose content starts at
// an offset.
func (e *editor) startBody(m *Module, content int, b *body, t FuncType) {
	if e == nil || b.err != nil {
		return
	}
	e.at = content
	e.add(patch{start: content, end: b.first, kind: patchGroups, value: uint32(b.groups)})
	e.add(patch{start: b.at, end: b.at, kind: patchLocals})
	e.lowering.start(e, m, t, m.locals)
	e.flow.start(e, m.largest, b.at)
	b.flow, b.lowering = &e.flow, &e.lowering
}

// flushBody adds a body that ends at an offset, with its new size.
func (e *editor) flushBody(end int) {
	if e != nil {
		e.body = e.apply(e.body[:0], end)
		e.current.data = append(appendU32(e.current.data, uint32(len(e.body))), e.body...)
	}
}
