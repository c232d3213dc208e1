package native

import (
	"encoding/binary"
	"strings"
)

const (
	preambleSize  = 8
	importSection = 2
	importFunc    = 0
)

// checkPreamble refuses what is no core module before anything reads on.
func checkPreamble(module []byte) error {
	switch {
	case len(module) < preambleSize || string(module[:4]) != "\x00asm":
		return invalid("the file is not WebAssembly: it does not start with \\0asm; upload the .wasm that the compiler wrote")
	case string(module[4:preambleSize]) == "\x0d\x00\x01\x00":
		return invalid("the file is a WebAssembly component; this host takes core modules: build for WASI preview 1")
	case string(module[4:preambleSize]) != "\x01\x00\x00\x00":
		return invalid("the file is WebAssembly of version %#x; this host takes version 1", module[4:preambleSize])
	}
	return nil
}

// checkForeign refuses imports that are not functions: a guest brings its own
// memory, table and globals. wazero tells of functions only, hence the look
// at the binary. What is malformed passes: the compiler's decoder says where.
func checkForeign(module []byte) error {
	r := reader{rest: module[preambleSize:]}
	for !r.bad && len(r.rest) > 0 {
		id := r.take(1)
		section := reader{rest: r.take(r.uint())}
		if !r.bad && id[0] == importSection {
			return section.firstForeign()
		}
	}
	return nil
}

var importKinds = [...]string{"function", "table", "memory", "global", "tag"}

// firstForeign reads an import section up to the first import of another kind
// than function.
func (r *reader) firstForeign() error {
	for range r.uint() {
		module, name := string(r.take(r.uint())), string(r.take(r.uint()))
		kind := r.take(1)
		if r.bad {
			return nil
		}
		if kind[0] == importFunc {
			r.uint() // index of its type
			continue
		}
		what := "item"
		if int(kind[0]) < len(importKinds) {
			what = importKinds[kind[0]]
		}
		return invalid("the module imports the %s %.64q.%.64q; a guest has its own memory, tables and globals: "+
			"link it without importing them", what, strings.ToValidUTF8(module, "?"), strings.ToValidUTF8(name, "?"))
	}
	return nil
}

// reader reads the framing of the binary format. What is not there marks it bad
// and reads as zero.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// uint reads an unsigned LEB128.
func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}
