package sqlite

import (
	"encoding/binary"
	"reflect"

	"github.com/ncruces/go-sqlite3"
)

// memory is that of a connection of SQLite, which the library shows to nobody. Tests notice
// where another version has it elsewhere.
type memory struct{ bytes reflect.Value }

func memoryOf(db *sqlite3.Conn) memory {
	return memory{reflect.ValueOf(db).Elem().FieldByName("wrp").Elem().FieldByName("Memory").Elem().FieldByName("Buf")}
}

// size is how much it is.
func (m memory) size() int { return m.bytes.Len() }

// Where SQLite has what sqlite3NotPureFunc looks at.
const (
	vdbeOfContext = 12
	opOfContext   = 16
	opsOfVdbe     = 104
	opSize        = 20
	opFlags       = 2
	pureFunc      = 66   // the opcode of a call whose result may not change
	inCheck       = 0x04 // flags of where that is; else it is in an index
	inColumn      = 0x08
)

// fixedPlace says where a function is called if it may not look at the clock there, ""
// where it may: sqlite3NotPureFunc does so for SQLite's own.
func (m memory) fixedPlace(ctx sqlite3.Context) string {
	mem, at := m.bytes.Bytes(), reflect.ValueOf(ctx).FieldByName("handle").Uint()
	word := func(at uint64) uint64 { return uint64(binary.LittleEndian.Uint32(mem[at:])) }
	vdbe := word(at + vdbeOfContext)
	if vdbe == 0 {
		return ""
	}
	op := word(vdbe+opsOfVdbe) + opSize*word(at+opOfContext)
	switch flags := binary.LittleEndian.Uint16(mem[op+opFlags:]); {
	case mem[op] != pureFunc:
		return ""
	case flags&inCheck != 0:
		return "a CHECK constraint"
	case flags&inColumn != 0:
		return "a generated column"
	}
	return "an index"
}

// Memory returns how many bytes SQLite has for c.
func (c *Conn) Memory() int {
	n := c.mem.size()
	if c.clock != nil {
		n += memoryOf(c.clock).size()
	}
	return n
}
