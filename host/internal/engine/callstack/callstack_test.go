package callstack

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/wasmbintest"
)

func TestPack(t *testing.T) {
	names := map[uint32]string{0: "first", 7: "main.f", 70_000: "bell\a\u202elast", 70_001: strings.Repeat("é", maxName)}
	got, err := Unpack(Pack(names), []uint32{0, 7, 8, 70_000, 70_001})
	want := map[uint32]string{0: "first", 7: "main.f", 70_000: "bell\ufffd\ufffdlast", 70_001: strings.Repeat("é", maxName/2)}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
	if packed := Pack(nil); packed != nil {
		t.Errorf("packed nothing as %d bytes", len(packed))
	}
}

// TestPackIsBounded packs more names than are kept: those of the first functions are.
func TestPackIsBounded(t *testing.T) {
	names := map[uint32]string{}
	for i := range uint32(60_000) {
		names[i] = fmt.Sprintf("%d%s", i, strings.Repeat("x", maxName))
	}
	packed := Pack(names)
	got, err := Unpack(packed, []uint32{0, 20_000, 59_999})
	if len(packed) > maxPacked || err != nil || len(got[20_000]) != maxName || got[59_999] != "" {
		t.Errorf("%d bytes, %v, %v", len(packed), got, err)
	}
}

// trap is an error of wazero's with these frames.
func trap(frames ...string) error {
	return errors.New("wasm error: unreachable" + stackStarts + strings.Join(frames, "\n\t"))
}

func TestOf(t *testing.T) {
	// 2 imported functions, the interrupt, 5 own ones.
	functions := Functions{Imported: 2, Own: 5}
	packed := Pack(map[uint32]string{0: "imported", 2: "main.f", 3: "main.g", 4: "runtime.h"})
	recursion := strings.Split(strings.Repeat(".$3(i32) i32|", 28)+".$4()|.$6()", "|")
	for _, c := range []struct {
		name string
		err  error
		want []string
	}{
		{"names", trap(".$3(i32) i32", ".$4()", ".$6() (i32,i64)"), []string{"main.f", "main.g", "function 5"}},
		{"the interrupt, and what was added", trap("wasmoor:interrupt.check()", ".$8()", ".$3()"), []string{"main.f"}},
		{"host functions", trap("wasmoor_v1.kv_get(i32,i32) i64", ".$3()"), []string{"wasmoor_v1.kv_get", "main.f"}},
		{"the runtime", trap(".$5()", ".$3()", ".$5()"), []string{"main.f"}},
		{"the runtime alone", trap(".$5()"), []string{"runtime.h"}},
		{"recursion", trap(recursion...), []string{"main.f (28 times)", "main.g", "function 5"}},
		{"a circle", trap(".$3()", ".$4()", ".$3()", ".$4()", ".$6()"), []string{"main.f", "main.g", "(these 2, 2 times)", "function 5"}},
		{"cut", errors.New(trap(".$3()").Error() + stackIsCut), []string{"main.f", "..."}},
		{"no stack", errors.New("wasm error: stack overflow"), nil},
		{"no function", trap("", "$", ".$", ".$99999999999()", ".$4294967295()", "x"), []string{"$", "x"}},
	} {
		if d := cmp.Diff(c.want, Of(c.err, functions, packed)); d != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, d)
		}
	}
	if got := Of(trap(".$3()"), functions, []byte("damaged")); !cmp.Equal(got, []string{"function 2"}) {
		t.Errorf("with damaged names: %q", got)
	}
	if !Recursion(Of(trap(recursion...), functions, packed)) || Recursion([]string{"main.f (2 times)", "f (8 times", "(these 2, 3 times)"}) {
		t.Error("recursion is not seen, or where there is none")
	}
}

func TestBriefLeavesTheMiddleOut(t *testing.T) {
	var stack []string
	for i := range 100 {
		stack = append(stack, fmt.Sprint("f", i))
	}
	got := Brief(stack)
	if len(got) != maxInner+1+maxOuter || got[0] != "f0" || got[maxInner] != more || got[len(got)-1] != "f99" {
		t.Errorf("got %d lines: %q", len(got), got)
	}
}

// FuzzNames reads name sections of any content.
func FuzzNames(f *testing.F) {
	name := func(s string) string { return string(format.AppendName(nil, s)) }
	names := func(items ...string) string {
		list := string(format.AppendU32(nil, uint32(len(items)))) + strings.Join(items, "")
		return "\x01" + name(list)
	}
	for _, seed := range []string{
		"", names("\x00"+name("f"), "\x02"+name("g")), names("\x00"+name("a"), "\x00"+name("b")), names("\x05" + name("\x1b[31m\u202e\x00\n")),
		names("\xff\xff\xff\xff\x0f" + name("far")), names("\x00"+name("f")) + names("\x00"+name("again")), "\x01\x05\xff\xff\xff\xff\x0f",
		"\x00" + name(name("m")), "\x02" + name("\x01\x00\x01\x00"+name("x")), names("\x00\x02\xff\xfe"), "\x01\x7f", names("\x00" + name(strings.Repeat("x", 1000))),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		module, err := wasmbin.WithCustomSection([]byte(wasmbintest.Header), "name", data)
		if err != nil {
			t.Fatal(err)
		}
		m, err := wasmbin.Read(module)
		if err != nil {
			return // what the engine is never given
		}
		names := OfModule(m, module)
		all := make([]uint32, 0, len(names))
		for index := range maps.Keys(names) {
			all = append(all, index)
		}
		got, err := Unpack(Pack(names), all)
		if err != nil {
			t.Fatal(err)
		}
		for index, name := range got {
			if len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) && r != unicode.ReplacementChar }) {
				t.Errorf("function %d is called %q", index, name)
			}
		}
	})
}
