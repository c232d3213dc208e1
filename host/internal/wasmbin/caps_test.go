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
	const full = 11572 // blocks of a function without locals
	repeat := func(what string) func(n int) string {
		return func(n int) string { return capped(function(strings.Repeat(what, n))) }
	}
	for _, tt := range []struct {
		name string
		of   func(n int) string
		most int
		want string
	}{
		{"blocks", repeat("\x02\x40\x0b"), full, "11573 blocks, 0 calls"},
		{"ifs", repeat("\x04\x40\x0b"), full / ifBlocks, "blocks"},
		{"loops", repeat("\x03\x40\x0b"), full / loopBlocks, "blocks"},
		{"conditional branches", repeat("\x0d\x00"), full, "blocks"},
		{"growths of memory", repeat("\x40\x00"), full, "blocks"},
		{"fills", repeat("\xfc\x0b\x00"), full / bulkBlocks, "blocks"},
		{"fills of a table", repeat("\xfc\x11\x00"), full / tableBlocks, "blocks"},
		{"copies of a table", repeat("\xfc\x0e\x00\x00"), full / tableBlocks, "blocks"},
		{"calls", repeat("\x10\x00"), format.MaxCalls, "25001 calls"},
		{"calls by table", repeat("\x11\x00\x00"), format.MaxCalls, "25001 calls"},
		{"calls over 1,000 locals", func(n int) string {
			return capped(withLocals("\x01"+u(1000)+i32, strings.Repeat("\x10\x00", n)))
		}, format.MaxWork / 5000, "0 blocks, 401 calls, 0 targets of branch tables and 1000 locals"},
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
			if err := heavy(tt.of(tt.most)); err != nil {
				t.Errorf("just as many as may be: %v", err)
			}
			err := heavy(tt.of(tt.most + 1))
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("one more: %v, want %q", err, tt.want)
			}
		})
	}
}

// heavy reads a module, and returns an error too where a function counts as more
// than it may have.
func heavy(module string) error {
	m, err := Read([]byte(module))
	if err == nil && m.Heaviest.Counted > format.MaxBody {
		err = format.Invalid("", 0, "%s", m.Heaviest.Text)
	}
	return err
}

func TestFunctionsAreNamed(t *testing.T) {
	names := section(format.IDCustom, text("name"), "\x00"+text(text("m"))+"\x01"+text(vec("\x00"+text("first"), "\x02"+text("third\x1b"))))
	for index, want := range map[string]string{
		"\x10\x00":                        `function 1 without a name`,
		strings.Repeat("\x02\x40\x0b", 3): `function 1 without`,
	} {
		m, err := Read([]byte(capped(function(""), function(index)) + names))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.FunctionName([]byte(capped(function(""), function(index))+names), m.Heaviest.Function); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := m.FunctionName([]byte(capped(function(""), function(index))+names), 2); got != `function 2 "third\x1b"` {
			t.Errorf("got %s", got)
		}
	}
	_, err := Read([]byte(capped(function("\xff"))))
	if err == nil || !strings.HasSuffix(err.Error(), `, in function 0 without a name`) {
		t.Errorf("got %v, want the function's name", err)
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
