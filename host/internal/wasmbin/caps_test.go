package wasmbin

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// capped is a module of functions of these bodies, each of type () -> (), that
// has a memory, a table, a mutable global and type 1, which takes and gives 100
// numbers.
func capped(bodies ...string) string {
	many := strings.Repeat(i32, 100)
	return header +
		section(format.IDType, vec(funcType("", ""), funcType(many, many))) +
		section(format.IDFunction, u(uint32(len(bodies))), strings.Repeat("\x00", len(bodies))) +
		section(format.IDTable, vec("\x70\x00\x01")) +
		section(format.IDMemory, vec("\x00\x01")) +
		section(format.IDGlobal, vec(i32+"\x01"+zero, i32+"\x01"+zero)) +
		section(format.IDCode, vec(bodies...))
}

// TestCaps repeats something just as often as may be, and once more.
func TestCaps(t *testing.T) {
	const full = 5918 // blocks of a function without locals
	repeat := func(what string) func(n int) string {
		return func(n int) string { return capped(function(strings.Repeat(what, n))) }
	}
	for _, tt := range []struct {
		name string
		of   func(n int) string
		most int
		want string
	}{
		{"blocks", repeat("\x02\x40\x0b"), full, "blocks and calls than allowed (5919 and 0); split it"},
		{"ifs", repeat("\x04\x40\x0b"), full / ifBlocks, "split it"},
		{"loops", repeat("\x03\x40\x0b"), full / loopBlocks, "split it"},
		{"conditional branches", repeat("\x0d\x00"), full, "split it"},
		{"growths of memory", repeat("\x40\x00"), full, "split it"},
		{"fills", repeat("\xfc\x0b\x00"), full / bulkBlocks, "split it"},
		{"fills of a table", repeat("\xfc\x11\x00"), full / tableBlocks, "split it"},
		{"copies of a table", repeat("\xfc\x0e\x00\x00"), full / tableBlocks, "split it"},
		{"calls", repeat("\x10\x00"), format.MaxCalls, "more than 25000 calls; split it"},
		{"calls by table", repeat("\x11\x00\x00"), format.MaxCalls, "more than 25000 calls; split it"},
		{"calls over 1,000 locals", func(n int) string {
			return capped(withLocals("\x01"+u(1000)+i32, strings.Repeat("\x10\x00", n)))
		}, format.MaxWork / 5000, "with 1000 locals has more blocks and calls than allowed (0 and 401); split it"},
		{"values of a branch table", func(n int) string {
			return capped(function("\x02\x01\x0e" + u(uint32(n)) + strings.Repeat("\x00", n+1) + "\x0b"))
		}, (format.MaxCarried-200)/100 - 1, "carry more than 2000000 values; pass fewer at a time"},
		{"values of calls", repeat("\x11\x01\x00"), format.MaxCarried / 200, "carry more than 2000000 values"},
		{"mutable globals behind calls", func(n int) string {
			bodies := []string{}
			for ; n > 0; n -= format.MaxCalls {
				bodies = append(bodies, function(strings.Repeat("\x10\x00", min(n, format.MaxCalls))))
			}
			return capped(bodies...)
		}, format.MaxReloads / 3, "times the 2 mutable globals are over the limit of 5000000; keep variables in memory"},
		{"parameters and results of types", func(n int) string {
			types := []string{}
			for ; n > 0; n -= format.MaxParams {
				types = append(types, funcType("", strings.Repeat(i32, min(n, format.MaxParams))))
			}
			return header + section(format.IDType, vec(types...))
		}, format.MaxSignature, "100001 parameters and results, over the limit of 100000; pass what is large in memory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Read([]byte(tt.of(tt.most))); err != nil {
				t.Errorf("just as many as may be: %v", err)
			}
			_, err := Read([]byte(tt.of(tt.most + 1)))
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("one more: %v, want %q", err, tt.want)
			}
		})
	}
}

// TestReadChecksNameSections reads name sections that tell the truth, and that
// lie about what they hold.
func TestReadChecksNameSections(t *testing.T) {
	sub := func(id byte, data string) string { return string(id) + text(data) }
	for _, tt := range []struct{ name, data, want string }{
		{"sound", sub(0, text("m")) + sub(1, vec("\x00"+text("f"))) + sub(2, vec("\x00"+vec("\x00"+text("x")))) + sub(9, "later"), ""},
		{"no subsection", "", ""},
		{"2^32 functions", sub(1, huge), "over the limit of"},
		{"functions that do not fit", sub(1, u(50_000)), "50000 names do not fit"},
		{"2^32 locals", sub(2, vec("\x00"+huge)), "over the limit of"},
		{"locals that do not fit", sub(2, vec("\x00"+u(5_000))), "5000 names do not fit"},
		{"a name beyond the end", sub(1, vec("\x00\x7fx")), "127 bytes"},
		{"a module's name with more", sub(0, text("m")+"x"), "1 bytes after"},
		{"a subsection beyond the end", "\x01\x7f", "127 bytes"},
		{"a subsection without a size", "\x01", "cut short"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read([]byte(header + section(format.IDCustom, text("name"), tt.data)))
			switch {
			case tt.want == "":
				if err != nil {
					t.Error(err)
				}
			case fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want):
				t.Errorf("Read = %v, want %q", err, tt.want)
			}
		})
	}
}
