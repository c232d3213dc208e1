package sqlite

import (
	"bytes"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func TestCarry(t *testing.T) {
	page := bytes.Repeat([]byte{7}, PageSize)
	var c Carry
	for _, k := range []struct {
		what       string
		key, value []byte
		goes       bool
		code       fault.Code
	}{
		{"an entry that is held", entryKey("main"), Entry{Generation: 2, Held: true}.encode(), true, ""},
		{"a page that is not current", Page("main", 1, 1), page, false, ""},
		{"a page", Page("main", 2, 1), page, true, ""},
		{"a page of one without an entry", Page("other", 0, 1), page, true, ""},
		{"a small page", Page("other", 0, 2), page[1:], false, fault.Invalid},
		{"an odd key", append(entryKey("other"), 'a'), page, false, fault.Invalid},
		{"no name", []byte{0}, page, false, fault.Invalid},
		{"no byte 0", []byte("other"), page, false, fault.Invalid},
		{"an odd entry", entryKey("third"), []byte("x"), false, fault.Invalid},
	} {
		data, goes, err := c.Take(k.key, k.value)
		if goes != k.goes || fault.CodeOf(err) != k.code {
			t.Errorf("%s: %v, %v", k.what, goes, err)
		}
		if k.what == "an entry that is held" {
			if e, err := decodeEntry(data); err != nil || e.Held || e.Generation != 2 {
				t.Errorf("it becomes %+v, %v", e, err)
			}
		}
	}
}
