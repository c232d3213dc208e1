package enginetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Run runs the suite. open is called for each test and its engine is closed
// when that ends. others are the host functions the engine has beside those of
// the ABI: their pointers are probed too.
func Run(t *testing.T, open func() Direct, others ...capability.Func) {
	for name, test := range map[string]func(*testing.T, Direct){
		"handle":            testHandle,
		"handle ends badly": testHandleEndsBadly,
		"deadline":          testDeadline,
		"stacks":            testStacks,
		"turns":             testTurns,
		"prepare refuses":   testPrepareRefuses,
		"initialise":        testInitialise,
		"initialise fails":  testInitialiseFails,
		"probe":             testProbe,
		"probe is unseen":   testProbeIsUnseen,
		"memory limit":      testMemoryLimit,
		"clean memory":      testCleanMemory,
		"reset":             testReset,
		"reset after ends":  testResetAfterEnds,
		"same bytes twice":  testSameBytesTwice,
		"many at a time":    testManyAtATime,
		"pointers":          testPointers,
		"pointers of others": func(t *testing.T, e Direct) {
			testPointersOfOthers(t, e, others)
		},
		"pointers at the head": testHeadPointer,
	} {
		t.Run(name, func(t *testing.T) {
			e := open()
			t.Cleanup(func() {
				if err := e.Close(context.Background()); err != nil {
					t.Errorf("Engine.Close: %v", err)
				}
			})
			test(t, e)
		})
	}
}

func testHandle(t *testing.T, e Direct) {
	large := strings.Repeat("0123456789abcdef", 5000)
	for _, test := range []struct {
		name, body, want string
		module           []byte
		status           int
	}{
		{"tiny", "", "hello", Tiny(), 200},
		{"echo", "a body", "a body", Echo(), 200},
		{"echo of nothing", "", "", Echo(), 200},
		{"echo in pieces", large, large, Echo(), 200},
		{"spin", "1", "done", Spin("done"), 200},
		{"sleep", "1", "done", Sleep("done"), 200},
		{"large", "", strings.Repeat("\x00", 64<<10), Large(64), 200},
		{"head", "", "body", BadStatus(404), 404},
		{"counter", "", "42", Counter(), 200},
		{"ledger", "A>B:1", "moved", Ledger("moved"), 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			inv := Invocation(test.body, Begin(Snapshot{"n": string(store.AppendCounter(nil, 41))}), nil)
			if err := Handle(context.Background(), Prepare(t, e, test.module), inv); err != nil {
				t.Fatalf("Handle: %v", err)
			}
			if got := string(inv.Reply.Body); got != test.want {
				t.Errorf("body: got %.80q (%d bytes), want %.80q (%d bytes)", got, len(got), test.want, len(test.want))
			}
			if inv.Reply.Status != test.status || inv.Reply.Fault() != "" {
				t.Errorf("status: got %d (fault %q), want %d", inv.Reply.Status, inv.Reply.Fault(), test.status)
			}
		})
	}
}

func testHandleEndsBadly(t *testing.T, e Direct) {
	for _, test := range []struct {
		name   string
		module []byte
		want   fault.Code
		says   string
	}{
		{"trap", Trap(), fault.Trap, "unreachable"},
		{"failure", Fail(), fault.Trap, "reported failure"},
		{"recursion", Recurse(), fault.Trap, "stack overflow"},
		{"exit", Exit(3), fault.Trap, "exited with code 3"},
		{"no grant", Counter(), fault.Trap, "reported failure"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := Handle(context.Background(), Prepare(t, e, test.module), Invocation("", nil, nil))
			wantFault(t, err, test.want, test.says)
		})
	}
}

func testDeadline(t *testing.T, e Direct) {
	for name, module := range map[string][]byte{
		"loop": Loop(), "loop of host calls": Spin(""), "sleep": Sleep(""),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			err := Handle(ctx, Prepare(t, e, module), Invocation("60000", nil, nil))
			wantFault(t, err, fault.Deadline, "")
		})
	}
}

func testPrepareRefuses(t *testing.T, e Direct) {
	none := []abi.Type(nil)
	importing := func(module, name string) []byte {
		b := NewBuilder(1)
		b.Import(module, name, none, none)
		return b.Handle(new(Code).I32(0)).Bytes()
	}
	exporting := func(name string, results []abi.Type, code *Code) []byte {
		b := NewBuilder(1)
		b.Func(name, nil, results, 0, code)
		return b.Bytes()
	}
	foreign := NewBuilder(1).Handle(new(Code).I32(0))
	foreign.imports = append(foreign.imports, append(str(str(nil, "env"), "base"), 3, i32, 0))
	based := NewBuilder(1).Handle(new(Code).I32(0))
	based.imports = append(based.imports, append(str(str(nil, "env"), "__memory_base"), 3, i32, 0))
	badInit := NewBuilder(1)
	badInit.Func(abi.ExportInitialize, nil, []abi.Type{abi.I32}, 0, new(Code).I32(0))
	notAFunction := NewBuilder(1)
	notAFunction.export(abi.ExportHandle, 2, 0)
	invalidBody := NewBuilder(1).Handle(new(Code)).Bytes()

	for _, test := range []struct {
		name   string
		module []byte
		want   fault.Code
		says   string
	}{
		{"nothing", nil, fault.Invalid, "empty"},
		{"text", []byte("#!/bin/sh\n"), fault.Invalid, "not a WebAssembly module"},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), fault.Invalid, "component"},
		{"truncated", Tiny()[:30], fault.Invalid, "bytes"},
		{"type error", invalidBody, fault.Invalid, "not a valid"},
		{"other version", importing("wasmoor_v2", "request_head"), fault.Invalid, "wrong ABI version"},
		{"unknown function", importing(abi.Module, "kv_frobnicate"), fault.Invalid, "kv_frobnicate"},
		{"unknown module", importing("lib", "f"), fault.Invalid, `"lib"."f"`},
		{"C's abort", importing("env", "abort"), fault.Invalid, `imports "env"."abort" as () -> (); it is a function of Emscripten's JavaScript, or C's abort`},
		{"not linked", importing("env", "png_create"), fault.Invalid, `"env"."png_create": it is a function that was declared and not linked`},
		{"Go for a browser", importing("gojs", "runtime.wasmExit"), fault.Invalid, "GOOS=wasip1"},
		{"wasm-bindgen", importing("__wbindgen_placeholder__", "__wbindgen_describe"), fault.Invalid, "build for wasm32-wasip1 without it"},
		{"wasm-bindgen's module", importing("./app_bg.js", "__wbg_log_1"), fault.Invalid, "wasm-bindgen's"},
		{"Emscripten's exceptions", importing("env", "invoke_vii"), fault.Invalid, "-sSUPPORT_LONGJMP=0"},
		{"Emscripten's files", importing("env", "__syscall_openat"), fault.Invalid, "-sSTANDALONE_WASM"},
		{"Emscripten's short names", importing("a", "b"), fault.Invalid, "-sSTANDALONE_WASM"},
		{"WASI's threads", importing("wasi", "thread-spawn"), fault.Invalid, "-pthread"},
		{"WASI preview 0", importing("wasi_unstable", "fd_write"), fault.Invalid, "wasi_snapshot_preview1"},
		{"WASI preview 2", importing("wasi:cli/environment@0.2.0", "get-environment"), fault.Invalid, "wasm32-wasip1"},
		{"WasmEdge's sockets", importing("wasi_snapshot_preview1", "sock_open"), fault.Invalid, "a socket of WasmEdge"},
		{"WASIX", importing("wasix_32v1", "futex_wait"), fault.Invalid, "cargo wasix"},
		{"another platform", importing("env", "proxy_log"), fault.Invalid, "of another platform"},
		{"other WASI", importing("wasi_unstable", "fd_write"), fault.Invalid, "preview 1"},
		{"wrong signature", importing(abi.Module, abi.FnClockNow), fault.Invalid, "() -> i64"},
		{"imported global", foreign.Bytes(), fault.Invalid, `global "env"."base"; a guest has its own memory, tables and globals: link it without`},
		{"global of the loader", based.Bytes(), fault.Invalid, "link statically"},
		{"no handler", exporting("other", nil, new(Code)), fault.Invalid, abi.ExportHandle},
		{"command", exporting("_start", nil, new(Code)), fault.Invalid, "c-shared"},
		{"command with a handler", Command(), fault.Invalid, "c-shared"},
		{"handler without result", exporting(abi.ExportHandle, nil, new(Code)), fault.Invalid, "() -> i32"},
		{"initialiser with result", badInit.Handle(new(Code).I32(0)).Bytes(), fault.Invalid, abi.ExportInitialize},
		{"handler that is none", notAFunction.Bytes(), fault.Invalid, "as a memory"},
		{"no memory", withoutMemoryExport(), fault.Invalid, `"memory"`},
		{"too much memory", NewBuilder(Memory>>16 + 1).Handle(new(Code).I32(0)).Bytes(), fault.TooLarge, "limits.memory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := e.Prepare(context.Background(), test.module, engine.Options{Memory: Memory})
			if err == nil {
				_ = p.Close(context.Background())
			}
			wantFault(t, err, test.want, test.says)
		})
	}
}

func withoutMemoryExport() []byte {
	b := NewBuilder(1)
	b.exports = nil
	return b.Handle(new(Code).I32(0)).Bytes()
}

func testInitialise(t *testing.T, e Direct) {
	inv := Invocation("", nil, nil)
	if err := Handle(context.Background(), Prepare(t, e, InitCallsHost()), inv); err != nil {
		t.Fatalf("Handle: %v", err)
	}
	functions := abi.Functions()
	if len(inv.Reply.Body) != 8*len(functions) {
		t.Fatalf("body: got %d bytes, want %d", len(inv.Reply.Body), 8*len(functions))
	}
	for i, f := range functions {
		if got := abi.Status(binary.LittleEndian.Uint64(inv.Reply.Body[8*i:])); got != abi.Unavailable {
			t.Errorf("%s during initialisation: got %v, want %v", f.Name, got, abi.Unavailable)
		}
	}
}

func testInitialiseFails(t *testing.T, e Direct) {
	initializing := func(code *Code) []byte {
		b := NewBuilder(1)
		b.Func(abi.ExportInitialize, nil, nil, 0, code)
		return b.Handle(new(Code).I32(0)).Bytes()
	}
	starting := func(code *Code) []byte {
		b := NewBuilder(1)
		exit := b.Import(wasiModule, "proc_exit", []abi.Type{abi.I32}, nil)
		return b.Start(b.Func("", nil, nil, 0, code.I32(5).Call(exit))).Handle(new(Code).I32(0)).Bytes()
	}
	for _, test := range []struct {
		name   string
		module []byte
		want   fault.Code
		says   string
	}{
		{"initialiser traps", initializing(new(Code).Unreachable()), fault.Trap, "unreachable"},
		{"initialiser loops", initializing(endless(new(Code))), fault.Deadline, ""},
		{"start function exits", starting(new(Code)), fault.Trap, "exited with code 5"},
		{"start function loops", starting(endless(new(Code))), fault.Deadline, ""},
		{"data out of memory", NewBuilder(1).Data(65536, "x").Handle(new(Code).I32(0)).Bytes(), fault.Trap, "out of bounds"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := e.Prepare(context.Background(), test.module, engine.Options{Memory: Memory, Start: 50 * time.Millisecond})
			if err == nil {
				var in engine.Instance
				if in, err = engine.Probe(context.Background(), p.Instance, engine.Options{Start: 50 * time.Millisecond}); err == nil {
					_ = in.Close(context.Background())
				}
				_ = p.Close(context.Background())
			}
			wantFault(t, err, test.want, test.says)
		})
	}
}

// testMemoryLimit grows memory page by page to its end; the handler answers
// with the size it reached, and every page is zero and can be written.
func testMemoryLimit(t *testing.T, e Direct) {
	b := NewBuilder(1)
	write := b.Native(abi.FnResponseWrite)
	code := new(Code).Block(func(c *Code) {
		c.Loop(func(c *Code) {
			c.I32(1).Op(0x40, 0).I32(0xffffffff).Op(0x46).BrIf(1) // memory.grow
			c.Op(0x3f, 0).I32(1).Op(0x6b).I32(16).Op(0x74)        // the last page
			c.Load64().Op(opEqz).Op(opEqz32).If(func(c *Code) { c.Unreachable() })
			c.Op(0x3f, 0).I32(1).Op(0x6b).I32(16).Op(0x74).I64(1).Store64()
			c.Br(0)
		})
	})
	code.I32(scratch).Op(0x3f, 0).Extend().Store64() // memory.size
	code.I32(scratch).I32(8).Call(write).Drop().I32(0)

	inv := Invocation("", nil, nil)
	if err := Handle(context.Background(), Prepare(t, e, b.Handle(code).Bytes()), inv); err != nil {
		t.Fatalf("Handle: %v", err)
	}
	if got := binary.LittleEndian.Uint64(inv.Reply.Body); got != Memory>>16 {
		t.Errorf("pages: got %d, want %d", got, Memory>>16)
	}
}

// testCleanMemory checks that an instance finds nothing of the one before.
func testCleanMemory(t *testing.T, e Direct) {
	b := NewBuilder(1)
	write := b.Native(abi.FnResponseWrite)
	code := new(Code).I32(scratch).I32(8).Call(write).Drop()
	code.I32(scratch).I64(0x5ec7e7).Store64()
	p := Prepare(t, e, b.Handle(code.I32(0)).Bytes())
	for i := range 3 {
		inv := Invocation("", nil, nil)
		if err := Handle(context.Background(), p, inv); err != nil {
			t.Fatalf("Handle: %v", err)
		}
		if got := string(inv.Reply.Body); got != strings.Repeat("\x00", 8) {
			t.Errorf("run %d: memory held %x", i, got)
		}
	}
}

// testSameBytesTwice checks that programs of the same module are independent.
func testSameBytesTwice(t *testing.T, e Direct) {
	ctx := context.Background()
	var programs [3]engine.Program
	for i := range programs {
		p, err := e.Prepare(ctx, Tiny(), engine.Options{Memory: Memory})
		if err != nil {
			t.Fatalf("Prepare: %v", err)
		}
		programs[i] = p
	}
	for i, p := range programs {
		for range 2 { // closing twice must not take from the others
			if err := p.Close(ctx); err != nil {
				t.Fatalf("Close: %v", err)
			}
		}
		for _, other := range programs[i+1:] {
			inv := Invocation("", nil, nil)
			if err := Handle(ctx, other, inv); err != nil || string(inv.Reply.Body) != "hello" {
				t.Errorf("after closing %d: got %q, %v", i, inv.Reply.Body, err)
			}
		}
	}
}

func testManyAtATime(t *testing.T, e Direct) {
	p := Prepare(t, e, Echo())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				body := fmt.Sprint("request ", i, " ", j)
				inv := Invocation(body, nil, nil)
				if err := Handle(context.Background(), p, inv); err != nil || string(inv.Reply.Body) != body {
					t.Errorf("got %q, %v, want %q", inv.Reply.Body, err, body)
				}
			}
		})
	}
	wg.Wait()
}

func wantFault(t *testing.T, err error, code fault.Code, says string) {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Fatalf("got code %q (%v), want %q", got, err, code)
	}
	if !strings.Contains(fault.MessageOf(err), says) {
		t.Errorf("message %q does not say %q", fault.MessageOf(err), says)
	}
}
