package machine

import (
	"bytes"
	"cmp"
	"debug/gosym"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmoor/wasmoor/host/internal/engine/callstack"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// functions names the functions of a module that is built, by the index that they have
// in it as it was given.
type functions struct {
	index   callstack.Functions
	section map[uint32]string // what the name section says
	// The rest is what Go's linker says. Of another language's module it is empty.
	names map[uint32]string
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
func functionsOf(module []byte, most int, index callstack.Functions) (f functions) {
	f.index = index
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
			f.read(memory[from:], table)
		}
		if from++; len(f.names) > 0 {
			break
		}
	}
	return f
}

// read reads a table. What it calls the address of a function is, since
// Go 1.25, a slot of the module's table, and was before that slot above 16 bits
// of a position within the function (cmd/link/internal/wasm). Slots start at
// 0x1000.
func (f *functions) read(lines []byte, table []uint32) {
	defer func() { _ = recover() }() // of gosym, on a table that it cannot read
	if binary.LittleEndian.Uint64(lines[headerCount:]) > uint64(len(table)) {
		return // gosym would make room for all that it claims
	}
	symbols, err := gosym.NewTable(nil, gosym.NewLineTable(lines, 0))
	if err != nil {
		return
	}
	f.names = make(map[uint32]string, len(symbols.Funcs))
	for _, symbol := range symbols.Funcs {
		slot := symbol.Entry
		if slot >= 0x1000<<16 {
			slot >>= 16
		}
		if symbol.Sym == nil || slot >= uint64(len(table)) {
			continue
		}
		if index, ok := f.index.Original(table[slot]); ok {
			f.names[index] = symbol.Name
		}
	}
	at := func(field int) uint64 { return binary.LittleEndian.Uint64(lines[field:]) }
	for name := range bytes.SplitSeq(lines[at(headerNames):at(headerUnits)], []byte{0}) {
		path := packageOf(string(name))
		f.draws = f.draws || path == hashes || !ofGo(path) && isRandom(path)
	}
}

// hashes is the package of Go whose seeds are random numbers.
const hashes = "hash/maphash"

// name returns the name of a function, "" if it has none.
func (f functions) name(def api.FunctionDefinition) string {
	if def.GoFunction() != nil {
		return def.Name()
	}
	index, _ := f.index.Original(def.Index())
	return cmp.Or(f.names[index], f.section[index])
}

// packed returns the names for a program to keep.
func (f functions) packed() []byte {
	if len(f.names) == 0 {
		return callstack.Pack(f.section)
	}
	names := make(map[uint32]string, len(f.names))
	for index, name := range f.names {
		names[index] = readable(name)
	}
	return callstack.Pack(names)
}

// readable undoes what Go's linker escapes in the end of a package's path.
func readable(name string) string { return strings.ReplaceAll(name, "%2e", ".") }

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
