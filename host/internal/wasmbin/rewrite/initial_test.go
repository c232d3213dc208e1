package rewrite

import (
	"bytes"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// TestInitial reads what the segments of a module leave, also once it is
// instrumented.
func TestInitial(t *testing.T) {
	// (module (func) (func) (table 9 funcref) (memory 1) (elem (i32.const 5) 1 0)
	// (data (i32.const 70) "ab") (data "passive") (data (i32.const 3) "xyz") (data (i32.const -1) "far"))
	module := []byte("\x00asm\x01\x00\x00\x00" +
		"\x01\x04\x01\x60\x00\x00" +
		"\x03\x03\x02\x00\x00" +
		"\x04\x04\x01\x70\x00\x09" +
		"\x05\x03\x01\x00\x01" +
		"\x09\x08\x01\x00\x41\x05\x0b\x02\x01\x00" +
		"\x0a\x07\x02\x02\x00\x0b\x02\x00\x0b" +
		"\x0b\x22\x04" + "\x00\x41\xc6\x00\x0b\x02ab" + "\x01\x07passive" + "\x00\x41\x03\x0b\x03xyz" + "\x00\x41\x7f\x0b\x03far")
	if _, err := wasmbin.Read(module); err != nil {
		t.Fatal(err)
	}
	instrumented, err := Instrument(module)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		module []byte
		first  uint32 // index of the first function of its own
	}{"plain": {module, 0}, "instrumented": {instrumented.Module, 1}} {
		memory, table, err := wasmbin.Initial(test.module, 72)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := make([]byte, 72)
		copy(want[70:], "ab")
		copy(want[3:], "xyz")
		if !bytes.Equal(memory, want) {
			t.Errorf("%s: memory %q, want %q", name, memory, want)
		}
		if len(table) != 7 || table[5] != test.first+1 || table[6] != test.first {
			t.Errorf("%s: table %v", name, table)
		}
	}
	if memory, _, _ := wasmbin.Initial(module, 71); len(memory) != 6 {
		t.Errorf("%d bytes of a memory that may have 71, want those of the segment that fits", len(memory))
	}
}
