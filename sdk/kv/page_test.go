package kv

import (
	"testing"

	"github.com/wasmoor/wasmoor/abi"
)

func FuzzDecodePage(f *testing.F) {
	page := abi.AppendPageHeader(nil, 2, true)
	page = abi.AppendEntry(page, abi.Entry{Key: []byte("a"), Value: []byte("1")}, false)
	page = abi.AppendEntry(page, abi.Entry{Key: []byte("b")}, false)
	for cut := range len(page) + 1 {
		f.Add(page[:cut], cut%2 == 0)
	}
	f.Add([]byte("\xff\xff\xff\xff\x00"), true)
	f.Fuzz(func(t *testing.T, b []byte, keysOnly bool) {
		want, more, ok := abi.DecodePage(string(b), keysOnly)
		got, gotOK := decodePage(b, keysOnly)
		if gotOK != ok {
			t.Fatalf("ok = %v, want %v", gotOK, ok)
		}
		if !ok {
			return
		}
		if got.more != more || len(got.entries) != len(want) {
			t.Fatalf("%d entries, more %v; want %d, %v", len(got.entries), got.more, len(want), more)
		}
		for i, e := range got.entries {
			if e.Key != string(want[i].Key) || string(e.Value) != string(want[i].Value) || cap(e.Value) != len(e.Value) {
				t.Errorf("entry %d: %q=%q", i, e.Key, e.Value)
			}
		}
		for i := range got.entries {
			value := got.entries[i].Value
			clear(value[:cap(value)])
			got.entries[i].Value = append(value, "more"...)
		}
		for i, e := range got.entries {
			if e.Key != string(want[i].Key) {
				t.Errorf("writing to the values made key %d %q, want %q", i, e.Key, want[i].Key)
			}
		}
	})
}
