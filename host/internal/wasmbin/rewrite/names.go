package rewrite

import (
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// appendNames appends the name section with the new indexes of functions. The
// scan has seen that it can be read.
func (e *editor) appendNames(out []byte, m *wasmbin.Scan) []byte {
	for _, s := range m.Sections {
		if !s.Custom() || s.Name != wasmbin.NameSection {
			continue
		}
		r := &format.Reader{B: e.b, At: s.Start, End: s.End, Where: s.Name}
		data := format.AppendName(nil, s.Name)
		for r.Left() > 0 {
			data = appendSubsection(data, r, m)
		}
		return append(format.AppendU32(append(out, format.IDCustom), uint32(len(data))), data...)
	}
	return out
}

// appendSubsection appends the next subsection if it is one that traps use.
func appendSubsection(out []byte, r *format.Reader, m *wasmbin.Scan) []byte {
	id, data := m.NameSubsection(r)
	if id > wasmbin.NamesOfLocals {
		return out
	}
	return append(format.AppendU32(append(out, id), uint32(len(data))), data...)
}
