package extism_test

import (
	"context"
	"strings"
	"testing"
	"time"

	sdk "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"
)

// benchmarked are plugins built by others in C, Rust and TinyGo.
var benchmarked = []struct{ name, plugin, export, input string }{
	{"hello", "hello", "run_test", ""},
	{"count_vowels, 1 KiB", "count_vowels", "count_vowels", strings.Repeat("hello world ", 85)},
	{"count_vowels, 64 KiB", "count_vowels", "count_vowels", strings.Repeat("hello world ", 85*64)},
	{"replace, 1 KiB", "replace", "run_test", strings.Repeat("the quick brown fox jumps over a test ", 27)},
	{"replace, 64 KiB", "replace", "run_test", strings.Repeat("the quick brown fox jumps over a test ", 27*64)},
}

// BenchmarkExtism runs each request from the same clean state under a deadline,
// as dispatch does.
func BenchmarkExtism(b *testing.B) {
	for _, c := range benchmarked {
		b.Run(c.name, func(b *testing.B) {
			p := prepare(b, plugin(b, c.plugin), c.export)
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			inv := invocation(c.input, nil)
			in, err := p.Instance(ctx)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = in.Close(ctx) }()
			b.ReportAllocs()
			for b.Loop() {
				inv.Begin(1, inv.Env.Limits, nil)
				if err := in.Handle(ctx, inv); err != nil {
					b.Fatal(err)
				}
				if !in.Reset() {
					b.Fatal("not put back")
				}
			}
		})
	}
}

// BenchmarkExtismSDKReused is what it stands beside: the SDK alone, with one
// instance that keeps its memory from request to request, as a pool of them
// would, and the cancellation that a deadline needs.
func BenchmarkExtismSDKReused(b *testing.B) {
	for _, c := range benchmarked {
		b.Run(c.name, func(b *testing.B) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			compiled, err := sdk.NewCompiledPlugin(ctx,
				sdk.Manifest{Wasm: []sdk.Wasm{sdk.WasmData{Data: plugin(b, c.plugin)}}, Timeout: uint64(time.Hour.Milliseconds())},
				sdk.PluginConfig{EnableWasi: true}, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = compiled.Close(ctx) }()
			instance, err := compiled.Instance(ctx, sdk.PluginInstanceConfig{ModuleConfig: wazero.NewModuleConfig()})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := instance.CallWithContext(ctx, c.export, []byte(c.input)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
