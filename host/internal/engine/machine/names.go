package machine

import (
	"bytes"
	"debug/gosym"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// functions is what Go's linker says of the functions of a module. Of one in
// another language it is empty; the name section is wazero's.
type functions struct {
	names map[uint32]string // by index
	// draws: functions are there, or were inlined, of packages besides Go's own
	// that give random numbers, and of Go's one of hashes.
	draws bool
}

// lineTable begins the table of functions that Go's runtime keeps in memory,
// also where a module was stripped: of Go 1.20 and later, little-endian, with one
// byte as the unit of code and 8 bytes as the size of a pointer (runtime.pcHeader).
var lineTable = []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}

// Where the header of the table has numbers of 8 bytes.
const (
	headerCount = 8  // how many functions there are
	headerNames = 32 // where, from the header, the names of functions start
	headerUnits = 40 // and what follows them
	headerEnd   = 72
)

// maxTables bounds how many tables are tried: a module may hold many that are
// none.
const maxTables = 4

// functionsOf reads the table in a module, of whose memory it looks at most at
// so many bytes. Of a module that lies it has wrong names.
func functionsOf(module []byte, most int) (f functions) {
	memory, table, err := wasmbin.Initial(module, most)
	if err != nil {
		return f
	}
	from := 0
	for range maxTables {
		i := bytes.Index(memory[from:], lineTable)
		if i < 0 {
			break
		}
		if from += i; len(memory)-from >= headerEnd {
			f = readFunctions(memory[from:], table)
		}
		if from++; len(f.names) > 0 {
			break
		}
	}
	return f
}

// readFunctions reads a table. What it calls the address of a function is, since
// Go 1.25, a slot of the module's table, and was before that slot above 16 bits
// of a position within the function (cmd/link/internal/wasm). Slots start at
// 0x1000.
func readFunctions(lines []byte, table []uint32) (f functions) {
	defer func() { _ = recover() }() // of gosym, on a table that it cannot read
	if binary.LittleEndian.Uint64(lines[headerCount:]) > uint64(len(table)) {
		return f // gosym would make room for all that it claims
	}
	symbols, err := gosym.NewTable(nil, gosym.NewLineTable(lines, 0))
	if err != nil {
		return f
	}
	f.names = make(map[uint32]string, len(symbols.Funcs))
	for _, symbol := range symbols.Funcs {
		slot := symbol.Entry
		if slot >= 0x1000<<16 {
			slot >>= 16
		}
		if symbol.Sym != nil && slot < uint64(len(table)) {
			f.names[table[slot]] = symbol.Name
		}
	}
	at := func(field int) uint64 { return binary.LittleEndian.Uint64(lines[field:]) }
	for name := range bytes.SplitSeq(lines[at(headerNames):at(headerUnits)], []byte{0}) {
		path := packageOf(string(name))
		f.draws = f.draws || path == hashes || !ofGo(path) && isRandom(path)
	}
	return f
}

// hashes is the package of Go whose seeds are random numbers.
const hashes = "hash/maphash"

// name returns the name of a function, "" if it has none.
func (f functions) name(def api.FunctionDefinition) string {
	if name, ok := f.names[def.Index()]; ok && def.GoFunction() == nil {
		return name
	}
	return def.Name()
}

// packageOf returns the path of the package in a name of Go's linker.
func packageOf(name string) string {
	name, _, _ = strings.Cut(name, "[") // type arguments have paths too
	slash := strings.LastIndexByte(name, '/') + 1
	path, _, _ := strings.Cut(name[slash:], ".")
	return name[:slash] + path
}

// ofGo reports whether a package is one of Go's own, or what its compiler made,
// which has a colon in its name.
func ofGo(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ":") || slices.Contains(topOfGo, first)
}

// topOfGo are the first elements of the paths of Go's own packages: `go list std`
// of Go 1.27, and what it vendors. That a path has no dot there is not enough:
// an author's module may have none either.
var topOfGo = strings.Fields(`archive bufio bytes cmp compress container context crypto database debug embed encoding errors
	expvar flag fmt go hash html image index internal io iter log maps math mime net os path plugin reflect regexp runtime
	simd slices sort strconv strings structs sync syscall testing text time unicode unique unsafe uuid vendor weak`)

// isRandom reports whether a package is about random numbers by a part of its
// path.
func isRandom(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(part, "rand") || strings.HasSuffix(part, "rand") && !slices.Contains(noRandom, part) {
			return true
		}
	}
	return false
}

var noRandom = []string{"brand", "errand", "grand", "strand"}
