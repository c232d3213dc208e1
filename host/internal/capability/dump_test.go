package capability

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

const nested = "main.f(0x1)\n\t/src/main.go:5 +0x2\n"

// TestTakeDump writes what Go's runtime does, as Go 1.26 words it, and what only looks
// like it.
func TestTakeDump(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Dump
		lines      int // that are logged
	}{
		{
			"a panic", "panic: boom\n\ngoroutine 8 [running]:\nmain.serve.func1()\n\t/src/main.go:43 +0x2\ncreated by main.serve in goroutine 1\n\t/src/main.go:42 +0x1f5\n",
			Dump{"panic: boom", []string{"main.serve.func1 main.go:43", "created by main.serve main.go:42"}},
			0,
		},
		{
			"a panic of several lines", "panic: one\ntwo [recovered, repanicked]\n\tpanic: three\n\ngoroutine 1 [running]:\nmain.(*T).f({0x1, 0x2}, 0x3)\n\t/src/a b/main.go:43 fp=0x1 sp=0x2 pc=0x3\n",
			Dump{"panic: one\ntwo [recovered, repanicked]\n\tpanic: three", []string{"main.(*T).f main.go:43"}},
			0,
		},
		{
			"no memory", "before\nruntime: out of memory: cannot allocate 33-byte block (1 in use)\nfatal error: out of memory\n\nruntime stack:\nruntime.throw({0xb2316, 0xd})\n" +
				"\t/go/panic.go:1229 +0x3 fp=0x4f8c78\nruntime: g 0: unexpected return pc\nstack: frame={sp:0x4f8f20}\n                   7 6 5 4\n00000000004f8e20: 00000000\n" +
				"\ngoroutine 1 gp=0x5821c0 m=0 [copystack]:\n" + strings.Repeat(nested, 3) + "...9 frames elided...\n" + nested + "\ngoroutine 2 [idle]:\nmain.other()\n\t/src/o.go:1\n",
			Dump{
				"runtime: out of memory: cannot allocate 33-byte block (1 in use)\nfatal error: out of memory",
				[]string{"main.f main.go:5", "main.f main.go:5", "main.f main.go:5", "...", "main.f main.go:5"},
			},
			1,
		},
		{"a panic that was only told", "panic: x\nand on\n", Dump{}, 2},
		{"a panic that was told with a stack", "panic: x\ngoroutine 1 [running]:\n" + nested + "and on\n", Dump{}, 3},
		{"long words", "panic: x\n" + strings.Repeat("word\n", 20), Dump{}, 21},
		{"no end of a line", "panic: boom\ngoroutine 1 [running]:\nmain.f()\n\t/src/main.go:5", Dump{"panic: boom", []string{"main.f main.go:5"}}, 0},
		{"a stack alone", "goroutine 1 [running]:\n" + nested, Dump{}, 3},
		{"two panics", "panic: a\npanic: b\n", Dump{}, 2},
		{"a place without a call", "panic: a\ngoroutine 1 [running]:\n\t/src/main.go:5\n", Dump{Why: "panic: a"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var heard strings.Builder
			inv := &invoke.Invocation{
				Env:     &invoke.Env{Limits: limit.Default(), Log: slog.New(slog.NewTextHandler(&heard, nil))},
				Request: &invoke.Request{Head: abi.RequestHead{}},
			}
			var o Output
			for _, b := range []byte(c.text) {
				o.Write(inv, Stderr, []byte{b})
			}
			got, _ := o.TakeDump(inv)
			o.Flush(inv)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if lines := strings.Count(heard.String(), "\n"); lines != c.lines {
				t.Errorf("%d lines, want %d:\n%s", lines, c.lines, heard.String())
			}
		})
	}
}

// TestDumpIsBounded: what is kept back does not grow with what a guest writes.
func TestDumpIsBounded(t *testing.T) {
	var o Output
	o.Write(nil, Stderr, []byte("panic: x\ngoroutine 1 [running]:\n"))
	for i := range 10_000 {
		o.Write(nil, Stderr, fmt.Appendf(nil, "main.f%d()\n\t/x.go:1\n", i))
	}
	if got, ok := o.TakeDump(nil); !ok || len(got.Stack) != maxDumpStack {
		t.Errorf("%v, %d calls", ok, len(got.Stack))
	}
}
