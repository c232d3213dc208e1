package wasmbin

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
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
	{"f32.convert_i64_u", i64, 1, "\xb5\xbc\xac"},
	{"f64.convert_i64_u", i64, 1, "\xba\xbd"},
	{"i32.clz", i32, 1, "\x67"},
	{"i32.ctz", i32, 1, "\x68"},
	{"i64.clz", i64, 1, "\x79"},
	{"i64.ctz", i64, 1, "\x7a"},
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
		word := appendConst(nil, f64Type, floatBits(p.NormFloat64()))
		if narrow || p.IntN(2) == 0 {
			lane := func() []byte {
				return appendConst(nil, f32Type, uint64(math.Float32bits(float32(p.NormFloat64()))))[1:]
			}
			word = append(append(word[:1], lane()...), lane()...)
		}
		data.Write(word[1:])
	}
	return []byte(header + section(idType, vec(funcType(strings.Repeat(t, 8), t), funcType(i32+i32, ""))) + section(idFunction, vec(u(0), u(1))) +
		section(idMemory, vec("\x01\x01\x01")) + section(idExport, vec(text("f")+"\x00\x01", text("memory")+"\x02\x00")) +
		section(idCode, vec(function("\x20\x00"), withLocals("\x01"+u(values)+t, body.String()))) +
		section(idData, vec("\x00"+zero+text(data.String()))))
}

// TestLowered does each instruction that is written out with more values alive
// than there are registers.
func TestLowered(t *testing.T) {
	for _, tt := range lowered {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(20) {
				b := pressed(seed, tt.t, tt.operands, tt.code, strings.HasPrefix(tt.name, "f32"))
				want := ran(t, wazero.NewRuntimeConfigInterpreter(), b)
				if got := ran(t, wazero.NewRuntimeConfig(), lower(t, b)); !bytes.Equal(got, want) {
					t.Errorf("seed %d: the compiler leaves another memory than the interpreter", seed)
				}
			}
		})
	}
}

// lower writes out what the compiler gets wrong, on any machine.
func lower(t *testing.T, b []byte) []byte {
	t.Helper()
	in, err := instrument(b, rules{fuel: fuelPerCheck, keepLimits: true, arch: amd64})
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
		view, _ := m.Memory().Read(0, PageSize)
		out = append(out, view...)
	}
	return out
}
