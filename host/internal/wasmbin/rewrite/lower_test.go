package rewrite

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/lower"
)

// lowered are the instructions that are written out, each as a step that takes
// values of a type and leaves one of it, so that the steps can be chained.
var lowered = []struct {
	name, t  string
	operands int    // how many values of the type it takes
	code     string // after them; select's condition is in it
}{
	{"f32.select", f32, 2, "\x20\x00\x1b"},
	{"f64.select", f64, 2, "\x20\x00\x1b"},
	{"f32.select typed", f32, 2, "\x20\x00\x1c\x01\x7d"},
	{"f64.select typed", f64, 2, "\x20\x00\x1c\x01\x7c"},
	{"v128.select", v128, 2, "\x20\x00\x1b"},
	{"v128.select typed", v128, 2, "\x20\x00\x1c\x01\x7b"},
	{"f32.copysign", f32, 2, "\x98"},
	{"f64.copysign", f64, 2, "\xa6"},
	{"v128.bitselect", v128, 3, "\xfd\x52"},
	{"f32x4.min", v128, 2, "\xfd\xe8\x01"},
	{"f32x4.max", v128, 2, "\xfd\xe9\x01"},
	{"f64x2.min", v128, 2, "\xfd\xf4\x01"},
	{"f64x2.max", v128, 2, "\xfd\xf5\x01"},
	{"f64x2.replace_lane", v128, 2, "\xfd\x21\x01\xfd\x22\x00"},
	{"i8x16.popcnt", v128, 1, "\xfd\x62"},
	{"i64x2.mul", v128, 2, "\xfd\xd5\x01"},
	{"i64x2.extmul_low_i32x4_s", v128, 2, "\xfd\xdc\x01"},
	{"i64x2.extmul_high_i32x4_s", v128, 2, "\xfd\xdd\x01"},
	{"i64x2.extmul_low_i32x4_u", v128, 2, "\xfd\xde\x01"},
	{"i64x2.extmul_high_i32x4_u", v128, 2, "\xfd\xdf\x01"},
	{"f64x2.convert_low_i32x4_u", v128, 1, "\xfd\xff\x01"},
	{"i8x16.ne", v128, 2, "\xfd\x24"},
	{"i8x16.lt_u", v128, 2, "\xfd\x26"},
	{"i8x16.gt_u", v128, 2, "\xfd\x28"},
	{"i16x8.ne", v128, 2, "\xfd\x2e"},
	{"i16x8.lt_u", v128, 2, "\xfd\x30"},
	{"i16x8.gt_u", v128, 2, "\xfd\x32"},
	{"i32x4.ne", v128, 2, "\xfd\x38"},
	{"i32x4.lt_u", v128, 2, "\xfd\x3a"},
	{"i32x4.gt_u", v128, 2, "\xfd\x3c"},
	{"i64x2.ne", v128, 2, "\xfd\xd7\x01"},
	{"i64x2.le_s", v128, 2, "\xfd\xda\x01"},
	{"i64x2.ge_s", v128, 2, "\xfd\xdb\x01"},
	{"i8x16.shl", v128, 1, "\x20\x00\x41\x03\x6a\xfd\x6b"},
	{"i8x16.shr_s", v128, 1, "\x20\x00\x41\x03\x6a\xfd\x6c"},
	{"i8x16.shr_u", v128, 1, "\x20\x00\x41\x03\x6a\xfd\x6d"},
	{"i8x16.shuffle", v128, 2, "\xfd\x0d\x00\x11\x02\x13\x04\x05\x16\x17\x18\x09\x0a\x1b\x0c\x1d\x0e\x1f"},
	{"i8x16.splat", i32, 1, "\xfd\x0f\xfd\x1b\x02"},
	{"v128.load8_splat", i32, 1, "\x41\xff\x01\x71\xfd\x07\x00\x07\xfd\x1b\x01"},
	{"f32 to i32x4.trunc_sat_f32x4_u", v128, 1, "\xfd\xf9\x01"},
	{"i32x4.trunc_sat_f64x2_s_zero", v128, 1, "\xfd\xfc\x01"},
	{"i32x4.trunc_sat_f64x2_u_zero", v128, 1, "\xfd\xfd\x01"},
	{"f32.convert_i64_u", i64, 1, "\xb5\xbc\xac"},
	{"f64.convert_i64_u", i64, 1, "\xba\xbd"},
}

// pressed is a module of one function that keeps 24 values of a type alive round
// a loop, a call in it, and does one instruction with them again and again.
func pressed(seed uint64, t string, operands int, code string, narrow bool) []byte {
	p := &program{Rand: rand.New(rand.NewPCG(seed, 5))}
	const values = 24
	constant := p.IntN(values - 1)                       // how many keep what they have
	at := func(i int) string { return u(uint32(i + 2)) } // behind the condition and the count
	load := map[string]string{i32: "\x28\x00", i64: "\x29\x00", f32: "\x2a\x00", f64: "\x2b\x00", v128: "\xfd\x00\x00"}[t]
	store := map[string]string{i32: "\x36\x00", i64: "\x37\x00", f32: "\x38\x00", f64: "\x39\x00", v128: "\xfd\x0b\x00"}[t]
	var body strings.Builder
	for i := range values {
		body.WriteString(constI32(int32(16*i)) + load + "\x00\x21" + at(i))
	}
	steps := func() {
		for range 4 + p.IntN(16) {
			n, step := operands, code
			if p.IntN(6) == 0 {
				n, step = 8, "\x10\x00"
			}
			for range n {
				body.WriteString("\x20" + at(p.IntN(values)))
			}
			body.WriteString(step + "\x21" + at(constant+p.IntN(values-constant)))
		}
	}
	body.WriteString("\x03\x40")
	for range 1 + p.IntN(3) {
		steps()
		body.WriteString("\x20\x00\x04\x40")
		steps()
		body.WriteString("\x05")
		steps()
		body.WriteString("\x0b")
	}
	body.WriteString("\x20\x01\x41\x01\x6b\x22\x01\x0d\x00\x0b")
	for i := range values {
		body.WriteString(constI32(int32(16*i)) + "\x20" + at(i) + store + "\x00")
	}
	var data strings.Builder
	for range 2 * values {
		word := format.AppendConst(nil, format.F64, floatBits(p.NormFloat64()))
		if narrow || p.IntN(2) == 0 {
			lane := func() []byte {
				return format.AppendConst(nil, format.F32, uint64(math.Float32bits(float32(p.NormFloat64()))))[1:]
			}
			word = append(append(word[:1], lane()...), lane()...)
		}
		data.Write(word[1:])
	}
	return []byte(header + section(format.IDType, vec(funcType(strings.Repeat(t, 8), t), funcType(i32+i32, ""))) + section(format.IDFunction, vec(u(0), u(1))) +
		section(format.IDMemory, vec("\x01\x01\x01")) + section(format.IDExport, vec(text("f")+"\x00\x01", text("memory")+"\x02\x00")) +
		section(format.IDCode, vec(function("\x20\x00"), withLocals("\x01"+u(values)+t, body.String()))) +
		section(format.IDData, vec("\x00"+zero+text(data.String()))))
}

// TestLowered does each instruction that is written out with more values alive
// than there are registers.
func TestLowered(t *testing.T) {
	for _, tt := range lowered {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(20) {
				b := pressed(seed, tt.t, tt.operands, tt.code, strings.HasPrefix(tt.name, "f32"))
				want := ran(t, wazero.NewRuntimeConfigInterpreter(), b)
				if got := ran(t, wazero.NewRuntimeConfig(), writtenOut(t, b)); !bytes.Equal(got, want) {
					t.Errorf("seed %d: the compiler leaves another memory than the interpreter", seed)
				}
			}
		})
	}
}

// loweredCounter counts the instructions of the last body that are written out.
type loweredCounter struct {
	*editor
	n int
}

func (c *loweredCounter) Body(m *wasmbin.Scan, b wasmbin.Body) {
	c.n = 0
	c.editor.Body(m, b)
}

func (c *loweredCounter) Instruction(r *format.Reader, start int) {
	before := len(c.patches)
	c.editor.Instruction(r, start)
	for _, p := range c.patches[before:] {
		if p.kind == patchCode {
			c.n++
		}
	}
}

// writtenOut writes out what the compiler gets wrong on amd64, on any machine.
func writtenOut(t *testing.T, b []byte) []byte {
	t.Helper()
	return lowerFor(t, b, lower.AMD64)
}

func lowerFor(t *testing.T, b []byte, arch string) []byte {
	t.Helper()
	in, err := instrument(b, rules{fuel: fuelPerCheck, keepLimits: true, arch: arch})
	if err != nil {
		t.Fatal(err)
	}
	return in.Module
}

// ran returns what a module that is pressed leaves in memory.
func ran(t *testing.T, config wazero.RuntimeConfig, b []byte) []byte {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, config)
	defer r.Close(ctx)
	addChecks(t, r, func() {})
	m := instantiate(t, r, b)
	var out []byte
	for condition := range uint64(2) {
		if _, err := m.ExportedFunction("f").Call(ctx, condition, 2); err != nil {
			t.Fatal(err)
		}
		view, _ := m.Memory().Read(0, wasmbin.PageSize)
		out = append(out, view...)
	}
	return out
}

// TestLoweredFloatsOfAnyKind tells the operands of an untyped select by whatever
// made them: a body's selects of floats and vectors are written out, all others
// and those that never run stay.
func TestLoweredFloatsOfAnyKind(t *testing.T) {
	const (
		condition = "\x41\x01"
		one       = "\x43\x00\x00\x80\x3f" // an f32
		double    = "\x44\x00\x00\x00\x00\x00\x00\xf0\x3f"
		vector    = "\xfd\x0c0123456789abcdef"
		choose    = condition + "\x1b"
	)
	for _, tt := range []struct {
		name, code string
		want       int
	}{
		{"constants", one + one + choose, 1},
		{"doubles", double + double + choose, 1},
		{"vectors", vector + vector + choose, 1},
		{"integers", "\x41\x01\x41\x02" + choose + "\x1a\x42\x01\x42\x02" + choose, 0},
		{"references", "\xd0\x70\xd0\x70" + condition + "\x1c\x01\x70", 0},
		{"locals", "\x20\x00\x20\x00" + choose + "\x20\x01\x20\x01" + choose + "\x20\x02\x20\x02" + choose, 3},
		{"a tee", one + "\x22\x00" + one + choose, 1},
		{"globals", "\x23\x00\x23\x00" + choose + "\x23\x01\x23\x01" + choose, 1},
		{"loads", "\x41\x00\x2a\x00\x00" + one + choose + "\x41\x00\xfd\x00\x00\x00" + vector + choose, 2},
		{"conversions", "\x41\x01\xb2" + one + choose + double + "\xb6" + one + choose + one + "\xbb" + double + choose, 3},
		{"bits", "\x41\x01\xbe" + one + choose + one + "\xbc" + "\x41\x01" + choose, 1},
		{"lanes", vector + "\xfd\x1f\x00" + one + choose + vector + "\xfd\x21\x00" + double + choose + vector + "\xfd\x1b\x00\x41\x01" + choose, 2},
		{"saturating", one + "\xfc\x00\x41\x01" + choose, 0},
		{"a call's results", "\x10\x00\x1a" + one + choose + "\x1a\x10\x00\x1a\x1a" + one + one + choose, 2},
		{"a call by table", "\x41\x00\x11\x02\x00\x1a" + one + choose, 1},
		{"a block's results", "\x02\x02\x10\x00\x0b\x1a" + one + choose, 1},
		{"a block's parameters", one + double + "\x02\x03\x1a" + one + choose + "\x0b", 1},
		{"a loop's parameters", one + double + "\x03\x03\x1a" + one + choose + "\x0b", 1},
		{"both sides of an if", one + double + condition + "\x04\x03\x1a" + one + choose + "\x05\x1a" + one + choose + "\x0b", 2},
		{"behind a branch", "\x02\x7d" + one + condition + "\x0d\x00" + one + choose + "\x0b", 1},
		{"after code that never runs", "\x02\x7d" + one + "\x0c\x00\x1b\x1b\x0b" + one + choose, 1},
		{"after a return", "\x02\x7d\x00\x1b\x0b" + one + choose, 1},
		{"never", "\x00" + one + one + choose, 0},
		{"never, of nothing", "\x00\x1b", 0},
		{"never, in blocks", "\x00\x02\x40" + one + one + choose + "\x1a\x0b\x03\x02" + one + one + choose + double + "\x0b", 0},
		{"an else that never runs", "\x00\x41\x01\x04\x40\x05" + one + one + choose + "\x1a\x0b", 0},
		{"after a table of branches", "\x02\x40\x41\x00\x0e\x01\x00\x00\x1b\x1a\x0b" + one + one + choose, 1},
		{"copysign", one + one + "\x98" + double + double + "\xa6", 2},
		{"the second lane", vector + double + "\xfd\x22\x01", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := header + section(format.IDType, vec(funcType("", ""), funcType("", f32+f64), funcType("", f32+f64), funcType(f32+f64, f32))) +
				section(format.IDFunction, vec(u(1), u(0))) + section(format.IDTable, vec("\x70\x00\x01")) + section(format.IDMemory, vec("\x00\x01")) +
				section(format.IDGlobal, vec(f64+"\x00"+double+"\x0b", i64+"\x00\x42\x00\x0b")) +
				section(format.IDCode, vec(function(one+double), withLocals(vec("\x01"+f32, "\x01"+f64, "\x01"+v128), tt.code+"\x00")))
			e := &loweredCounter{editor: newEditor([]byte(b), rules{arch: lower.AMD64})}
			if _, err := wasmbin.Walk(e.b, e); err != nil {
				t.Fatal(err)
			}
			if e.n != tt.want {
				t.Errorf("%d instructions were written out, want %d", e.n, tt.want)
			}
			if !accepted(t, []byte(b)) || !accepted(t, writtenOut(t, []byte(b))) {
				t.Error("the engine refuses the module, or what it becomes")
			}
		})
	}
}

// TestOrderOfAnd has branches follow orders of integers with what an "and" made,
// on either side, of zero, which a local that is never set is too.
func TestOrderOfAnd(t *testing.T) {
	for _, kind := range []struct {
		t, zero, and string
		first        byte
	}{{i32, "\x41\x00", "\x71", format.OpI32LtS}, {i64, "\x42\x00", "\x83", format.OpI64LtS}} {
		for op := kind.first; op < kind.first+8; op++ {
			and := "\x20\x00\x20\x01" + kind.and
			for _, code := range []string{
				kind.zero + and, and + kind.zero, "\x20\x02" + and, and + "\x20\x02", kind.zero + and + "\x22\x03", and + "\x22\x03" + kind.zero,
				and + "\x21\x03" + kind.zero + "\x20\x03", and + "\x21\x03\x20\x03" + kind.zero, and + and, kind.zero + "\x20\x00", "\x20\x00" + and,
			} {
				body := "\x02\x40" + code + string([]byte{op}) + "\x0d\x00\x41\x01\x0f\x0b" + code + string([]byte{op}) + "\x04\x7f\x41\x02\x05\x41\x03\x0b"
				b := []byte(header + section(format.IDType, vec(funcType(kind.t+kind.t, i32))) + section(format.IDFunction, vec(u(0))) +
					section(format.IDExport, vec(text("f")+"\x00\x00")) + section(format.IDCode, vec(withLocals(vec("\x02"+kind.t), body))))
				want := answers(t, wazero.NewRuntimeConfigInterpreter(), b)
				for _, arch := range []string{lower.AMD64, lower.ARM64} {
					if got := answers(t, wazero.NewRuntimeConfig(), lowerFor(t, b, arch)); got != want {
						t.Errorf("%s: 0x%02x after %q gives %s, want %s", arch, op, code, got, want)
					}
				}
			}
		}
	}
}

// answers calls a module with pairs of numbers of both signs.
func answers(t *testing.T, config wazero.RuntimeConfig, b []byte) string {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, config)
	defer r.Close(ctx)
	addChecks(t, r, func() {})
	f := instantiate(t, r, b).ExportedFunction("f")
	var s string
	for _, pair := range [][2]uint64{{0, 1}, {5, 4}, {1 << 31, 1<<31 | 1}, {1<<64 - 1, 1 << 63}, {3, 1<<64 - 1}} {
		for i, typ := range f.Definition().ParamTypes() {
			if typ == api.ValueTypeI32 {
				pair[i] = uint64(uint32(pair[i]))
			}
		}
		results, err := f.Call(ctx, pair[:]...)
		if err != nil {
			t.Fatal(err)
		}
		s += shown(f.Definition().ResultTypes(), results)
	}
	return s
}

// TestLoweredIsBounded writes out just as many instructions as may be, and one
// more.
func TestLoweredIsBounded(t *testing.T) {
	of := func(n int) []byte {
		return []byte(header + section(format.IDType, vec(funcType(v128, v128))) + section(format.IDFunction, vec(u(0))) +
			section(format.IDCode, vec(function("\x20\x00"+strings.Repeat("\xfd\xf9\x01", n)))))
	}
	most := of(format.MaxLowered)
	in, err := instrument(most, rules{fuel: fuelPerCheck, arch: lower.AMD64})
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Module) > 32*len(most) || !accepted(t, in.Module) {
		t.Errorf("%d bytes become %d", len(most), len(in.Module))
	}
	_, err = instrument(of(format.MaxLowered+1), rules{fuel: fuelPerCheck, arch: lower.AMD64})
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "more than 25000 instructions that are written out") {
		t.Errorf("one more: %v", err)
	}
}

// TestOldScans writes counts of zeros out as for a processor of before 2013.
func TestOldScans(t *testing.T) {
	for op, typ := range map[byte]string{format.OpI32Clz: i32, format.OpI32Ctz: i32, format.OpI64Clz: i64, format.OpI64Ctz: i64} {
		b := []byte(header + section(format.IDType, vec(funcType(typ, typ))) + section(format.IDFunction, vec(u(0))) +
			section(format.IDExport, vec(text("f")+"\x00\x00")) + section(format.IDCode, vec(function("\x20\x00"+string([]byte{op})))))
		in, err := instrument(b, rules{fuel: fuelPerCheck, arch: lower.AMD64, oldScans: true})
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		r := wazero.NewRuntime(ctx)
		addChecks(t, r, func() {})
		plain, got := instantiate(t, r, b).ExportedFunction("f"), instantiate(t, r, in.Module).ExportedFunction("f")
		for shift := range 65 {
			for _, x := range []uint64{1 << shift, ^uint64(0) << shift, 1<<shift | 1, 0x123456789abcdef << shift} {
				if typ == i32 {
					x = uint64(uint32(x))
				}
				if a, b := outcome(plain.Call(ctx, x)), outcome(got.Call(ctx, x)); a != b {
					t.Errorf("0x%02x of %#x is %s, want %s", op, x, b, a)
				}
			}
		}
		r.Close(ctx)
	}
}

// TestRemainders writes remainders out as on lower.ARM64.
func TestRemainders(t *testing.T) {
	for _, op := range []byte{format.OpI32RemS, format.OpI32RemU, format.OpI64RemS, format.OpI64RemU} {
		typ := i32
		if op >= format.OpI64RemS {
			typ = i64
		}
		b := []byte(header + section(format.IDType, vec(funcType(typ+typ, typ))) + section(format.IDFunction, vec(u(0))) +
			section(format.IDExport, vec(text("f")+"\x00\x00")) + section(format.IDCode, vec(function("\x20\x00\x20\x01"+string([]byte{op})))))
		values := []uint64{0, 1, 2, 7, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1<<63 - 1, 1 << 63, 1<<64 - 3, 1<<64 - 1}
		ctx := context.Background()
		r := wazero.NewRuntime(ctx)
		addChecks(t, r, func() {})
		plain, got := instantiate(t, r, b).ExportedFunction("f"), instantiate(t, r, lowerFor(t, b, lower.ARM64)).ExportedFunction("f")
		for _, x := range values {
			for _, y := range values {
				if typ == i32 {
					x, y = uint64(uint32(x)), uint64(uint32(y))
				}
				if a, b := outcome(plain.Call(ctx, x, y)), outcome(got.Call(ctx, x, y)); a != b {
					t.Errorf("0x%02x of %#x and %#x is %s, want %s", op, x, y, b, a)
				}
			}
		}
		r.Close(ctx)
	}
}
