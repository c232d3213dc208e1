package wasmbin

func (m *Module) readGlobals(r *reader) {
	m.Globals = r.count("globals", 4, MaxGlobals)
	m.globals += m.Globals
	m.edit.begin(idGlobal, m.Globals, r.at)
	for i := range m.Globals {
		t, mutable := r.globalType()
		m.global = append(m.global, t)
		if mutable {
			m.mutable = append(m.mutable, mutableGlobal{t, i})
		}
		m.constant(r)
		if r.err != nil {
			return
		}
	}
	m.checkMutable()
}

// readElements passes the element segments: form 0 to 7 of the specification's
// table, whose bits say passive or declared, with table index or kind, and
// expressions in place of function indexes.
func (m *Module) readElements(r *reader) {
	n := r.count("element segments", 3, MaxElements)
	m.edit.begin(idElement, n, r.at)
	for range n {
		start := r.at
		form := r.u32("a segment's form")
		if form > 7 {
			r.fail(start, "element segment of the unknown form %d", form)
		}
		passive, explicit, expressions := form&1 != 0, form&2 != 0, form&4 != 0
		if !passive {
			if explicit {
				r.index("a segment's table", m.tables)
			}
			m.constant(r)
		}
		if passive || explicit {
			r.elementKind(expressions)
		}
		m.readElementItems(r, expressions)
		if r.err != nil {
			return
		}
		m.edit.flush(r.at)
	}
}

func (r *reader) elementKind(expressions bool) {
	if expressions {
		r.refType()
		return
	}
	start := r.at
	if kind := r.byte("a segment's kind"); kind != 0 {
		r.fail(start, "element kind %d is not a function", kind)
	}
}

func (m *Module) readElementItems(r *reader, expressions bool) {
	size := 1
	if expressions {
		size = 2
	}
	for range r.count("elements", size, MaxTable) {
		if expressions {
			m.constant(r)
		} else {
			m.function(r, "an element")
		}
		if r.err != nil {
			return
		}
	}
}

func (m *Module) readData(r *reader) {
	start := r.at
	n := r.count("data segments", 2, MaxData)
	if r.err == nil && m.dataCount >= 0 && n != m.dataCount {
		r.fail(start, "%d data segments, and the data count is %d", n, m.dataCount)
	}
	m.edit.begin(idData, n, r.at)
	for range n {
		m.dataStart(r)
		size := r.u32("a segment's size")
		r.skip(size, "a data segment")
		if r.err != nil {
			return
		}
		m.largest = max(m.largest, int(size))
		m.edit.flush(r.at)
	}
}

// Forms of data segments.
const (
	dataActive   = 0
	dataPassive  = 1
	dataExplicit = 2 // active, with the index of its memory
)

// dataStart passes what comes before a data segment's bytes and returns its form.
func (m *Module) dataStart(r *reader) uint32 {
	start := r.at
	form := r.u32("a segment's form")
	switch form {
	case dataActive:
		m.constant(r)
	case dataPassive:
	case dataExplicit:
		r.index("a segment's memory", m.memories)
		m.constant(r)
	default:
		r.fail(start, "data segment of the unknown form %d", form)
	}
	return form
}

// constant passes a constant expression of WebAssembly 2.0 and its end. Sums and
// products (extended constants) are among them; what it means is the engine's
// to check.
func (m *Module) constant(r *reader) {
	for r.err == nil {
		start := r.at
		switch op := r.byte("a constant expression"); op {
		case opEnd:
			return
		case opGlobalGet:
			r.index("a global", m.globals)
		case opRefFunc:
			m.function(r, "a function")
		case 0x41: // i32.const
			r.skipSigned(32)
		case 0x42: // i64.const
			r.skipSigned(64)
		case 0x43: // f32.const
			r.skip(4, "a constant")
		case 0x44: // f64.const
			r.skip(8, "a constant")
		case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e: // add, sub, mul of i32 and i64
		case 0xd0: // ref.null
			r.refType()
		case 0xfd: // v128.const
			if sub := r.u32("an instruction"); sub != 0x0c {
				r.fail(start, "instruction 0xfd %d in a constant expression", sub)
			}
			r.skip(16, "a constant")
		default:
			r.fail(start, "instruction 0x%02x in a constant expression", op)
		}
	}
}
