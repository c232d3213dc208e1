package hostile

import (
	"encoding/binary"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

const header = "\x00asm\x01\x00\x00\x00"

// Section ids.
const (
	idCustom = iota
	idType
	idImport
	idFunction
	idTable
	idMemory
	idGlobal
	idExport
	idStart
	idElement
	idCode
	idData
	idDataCount
)

// Value types.
const (
	i32       = "\x7f"
	i64       = "\x7e"
	f64       = "\x7c"
	v128      = "\x7b"
	funcRef   = "\x70"
	externRef = "\x6f"
)

// writer encodes a module. It may lie about what it counts and measures.
type writer struct {
	// lie returns what is written for the number of that name; nil = the truth.
	lie func(what string, n int) string
}

func (w *writer) number(what string, n int) string {
	if w.lie == nil {
		return u(n)
	}
	return w.lie(what, n)
}

func (w *writer) vec(what string, items ...string) string {
	return w.number("count of "+what, len(items)) + strings.Join(items, "")
}

func (w *writer) sized(what, data string) string {
	return w.number("length of "+what, len(data)) + data
}

func (w *writer) section(id byte, what string, parts ...string) string {
	return string(id) + w.sized("section "+what, strings.Join(parts, ""))
}

func u(n int) string { return string(binary.AppendUvarint(nil, uint64(n))) }

// s encodes a signed number.
func s(n int64) string {
	var b []byte
	for {
		low := byte(n & 0x7f)
		n >>= 7
		if n == 0 && low&0x40 == 0 || n == -1 && low&0x40 != 0 {
			return string(append(b, low))
		}
		b = append(b, low|0x80)
	}
}

func text(s string) string { return u(len(s)) + s }

func vec(items ...string) string { return u(len(items)) + strings.Join(items, "") }

func section(id byte, parts ...string) string {
	return string(id) + text(strings.Join(parts, ""))
}

func custom(name, data string) string { return section(idCustom, text(name), data) }

func manifest(lines ...string) string {
	return custom(abi.ManifestSection, "manifest_version = 1\nname = \"hostile\"\n"+strings.Join(lines, "\n")+"\n")
}

// hasty is a manifest whose requests are to end soon.
func hasty() string { return manifest("[limits]", `deadline = "200ms"`) }

// many repeats what instructions do not fill with anything else.
func many(n int, parts ...string) string { return strings.Repeat(strings.Join(parts, ""), n) }

// nest opens n blocks, ends them, and has inner within.
func nest(n int, open, inner string) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
}
