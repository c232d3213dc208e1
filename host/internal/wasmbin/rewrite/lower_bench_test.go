package rewrite

import (
	"context"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/lower"
)

// BenchmarkLowered runs a loop of a million turns of a few instructions, one of
// which is written out, as the compiler has it ("plain") and as it is served.
func BenchmarkLowered(b *testing.B) {
	const (
		count = "\x20\x00\x41\x01\x71" // the turn's last bit
		next  = "\x20\x01\x44\x00\x00\x00\x00\x00\x00\xe0\x3f\xa0"
		lanes = "\x20\x02\x20\x00\xfd\x11"
	)
	for _, loop := range []struct{ name, code string }{
		{"f64.select", next + "\x20\x01\x44\x00\x00\x00\x00\x00\x00\xe0\x3f\xa2" + count + "\x1b\x21\x01"},
		{"f64.copysign", next + "\x20\x00\xb7\x44\x00\x00\x00\x00\x00\x00\xf0\x41\xa1\xa6\x21\x01"},
		{"f64.convert_i64_u", "\x20\x00\xad\xba\x20\x01\xa0\x21\x01"},
		{"v128.select", lanes + "\xfd\xae\x01\x20\x02" + count + "\x1b\x21\x02"},
		{"v128.bitselect", lanes + "\x20\x00\xfd\x11\xfd\x52\x21\x02"},
		{"f32x4.max", lanes + "\xfd\xe9\x01\x21\x02"},
		{"i64x2.mul", lanes + "\xfd\xd5\x01\x21\x02"},
		{"i8x16.shuffle", lanes + "\xfd\x0d\x00\x11\x02\x13\x04\x05\x16\x17\x18\x09\x0a\x1b\x0c\x1d\x0e\x1f\x21\x02"},
		{"i8x16.popcnt", lanes + "\xfd\x51\xfd\x62\x21\x02"},
		{"i8x16.shr_u", lanes + "\xfd\x51\x20\x00\xfd\x6d\x21\x02"},
	} {
		body := "\x41\xc0\x84\x3d\x21\x00\x03\x40" + loop.code + "\x20\x00\x41\x01\x6b\x22\x00\x0d\x00\x0b"
		module := header + section(format.IDType, vec(funcType("", f64))) + section(format.IDFunction, vec(u(0))) +
			section(format.IDExport, vec(text("f")+"\x00\x00")) + section(format.IDCode, vec(withLocals(vec("\x01"+i32, "\x01"+f64, "\x01"+v128), body+"\x20\x02\xfd\x21\x00\x20\x01\xa0")))
		for _, arch := range []string{"", lower.AMD64} {
			name := loop.name + "/" + strings.Replace(arch, lower.AMD64, "lowered", 1)
			if arch == "" {
				name += "plain"
			}
			b.Run(name, func(b *testing.B) { benchmarkLoop(b, module, arch) })
		}
	}
}

func benchmarkLoop(b *testing.B, module, arch string) {
	in, err := instrument([]byte(module), rules{fuel: fuelPerCheck, arch: arch})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	addChecks(b, r, func() {})
	f := instantiate(b, r, in.Module).ExportedFunction("f")
	for b.Loop() {
		if _, err := f.Call(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
