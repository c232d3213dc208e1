package extism_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/extism"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// TestNothingIsSeenByTheNextRequest leaves a canary wherever a guest can and
// looks for it 2,000 times in one instance.
func TestNothingIsSeenByTheNextRequest(t *testing.T) {
	ctx := context.Background()
	p := prepare(t, leak(), "run")
	if why := p.Fresh(); why != "" {
		t.Fatalf("it is not put back: %s", why)
	}
	in, err := p.Instance(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(ctx) }()
	for range 2000 {
		inv := invocation("", nil)
		if err := in.Handle(ctx, inv); err != nil {
			t.Fatal(err)
		}
		if !in.Reset() {
			t.Fatal("it cannot be put back")
		}
		if len(inv.Reply.Body) != 24 || len(bytes.Trim(inv.Reply.Body, "\x00")) != 0 {
			t.Fatalf("the guest found % x", inv.Reply.Body)
		}
	}
}

// TestCanaryIsFound is the other half: where an instance is used twice and not
// put back, the guest of the test before does find two of three. The third is in
// the memory it shares with the host, which is the invocation's alone.
func TestCanaryIsFound(t *testing.T) {
	ctx := context.Background()
	in, err := prepare(t, leak(), "run").Instance(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(ctx) }()
	inv := invocation("", nil)
	if err := in.Handle(ctx, inv); err != nil {
		t.Fatal(err)
	}
	inv.Begin(1, inv.Env.Limits, nil)
	if err := in.Handle(ctx, inv); err != nil {
		t.Fatal(err)
	}
	shared, own := binary.LittleEndian.Uint64(inv.Reply.Body), binary.LittleEndian.Uint64(inv.Reply.Body[8:])
	if block := binary.LittleEndian.Uint64(inv.Reply.Body[16:]); shared != 0 || own != canary || block == 0 {
		t.Errorf("shared memory %x, own memory %x, var's block %d", shared, own, block)
	}
}

// TestWhatAStatefulInstanceForgets: an instance that is not put back has nothing
// of an earlier invocation but what the guest keeps itself.
func TestWhatAStatefulInstanceForgets(t *testing.T) {
	guest := func(add func(offset, length, output uint32) *enginetest.Code) []byte {
		b := newBuilder()
		return b.run(add(b.env("input_offset", 0, i64), b.env("input_length", 0, i64), b.env("output_set", 2)).I32(0))
	}
	for _, c := range []struct {
		name   string
		module []byte
		fails  string // what the second invocation, of no input, fails with; "" = it answers nothing
	}{
		{"output", guest(func(offset, length, output uint32) *enginetest.Code {
			return code().Call(length).Wrap().If(func(c *enginetest.Code) { c.Call(offset).Call(length).Call(output) })
		}), ""},
		{"where the input was", guest(func(offset, _, output uint32) *enginetest.Code {
			return code().Call(offset).I64(uint64(len(secret))).Call(output)
		}), "output of 8 bytes at offset 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := instanceOf(t, prepare(t, c.module, "run"))
			inv := invocation(secret, nil)
			if err := in.Handle(t.Context(), inv); err != nil || string(inv.Reply.Body) != secret {
				t.Fatalf("got %q, %v", inv.Reply.Body, err)
			}
			inv = invocation("", nil)
			err := in.Handle(t.Context(), inv)
			if c.fails != "" {
				wantFault(t, err, fault.Trap, c.fails)
			} else if err != nil || len(inv.Reply.Body) > 0 {
				t.Errorf("got %q, %v", inv.Reply.Body, err)
			}
		})
	}
}

const secret = "a secret"

// TestAStatefulInstanceForgetsItsError: one that has failed answers the next
// time, if it is used.
func TestAStatefulInstanceForgetsItsError(t *testing.T) {
	b := newBuilder()
	length, put, set := b.env("input_length", 0, i64), b.env("input_offset", 0, i64), b.env("error_set", 1)
	in := instanceOf(t, prepare(t, b.run(code().Call(length).Wrap().If(func(c *enginetest.Code) { c.Call(put).Call(set) }).I32(0)), "run"))
	wantFault(t, in.Handle(t.Context(), invocation(secret, nil)), fault.Trap, secret)
	if err := in.Handle(t.Context(), invocation("", nil)); err != nil {
		t.Error(err)
	}
}

// TestTrimChangesNothing: an instance that is trimmed before its first
// invocation has what it initialised, also where that keeps it from being put
// back, and one that keeps its state keeps it.
func TestTrimChangesNothing(t *testing.T) {
	keeping := func() []byte {
		b := newBuilder()
		alloc, store, output := b.env("alloc", 1, i64), b.env("store_u64", 2), b.env("output_set", 2)
		b.Func("_initialize", nil, nil, 1, code().I64(8).Call(alloc).Set(0).Get(0).I64(canary).Call(store).I32(ownAt).Get(0).Store64())
		return b.run(code().I32(ownAt).Load64().I64(8).Call(output).I32(0))
	}
	in := instanceOf(t, prepare(t, keeping(), "run"))
	in.Trim()
	inv := invocation("", nil)
	if err := in.Handle(t.Context(), inv); err != nil {
		t.Fatal(err)
	}
	if got := binary.LittleEndian.Uint64(inv.Reply.Body); got != canary {
		t.Errorf("after its initialisation a trimmed one finds %x, want %x", got, uint64(canary))
	}
	in = instanceOf(t, prepare(t, leak(), "run"))
	for range 2 {
		inv = invocation("", nil)
		if err := in.Handle(t.Context(), inv); err != nil {
			t.Fatal(err)
		}
		in.Trim()
	}
	if own, block := binary.LittleEndian.Uint64(inv.Reply.Body[8:]), binary.LittleEndian.Uint64(inv.Reply.Body[16:]); own != canary || block == 0 {
		t.Errorf("a stateful one finds %x and block %d after it was trimmed", own, block)
	}
}

// instanceOf returns an instance that is closed with the test.
func instanceOf(t *testing.T, p engine.Program) engine.Instance {
	t.Helper()
	in, err := p.Instance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(context.Background()) })
	return in
}

func TestTurns(t *testing.T) {
	for name, p := range map[string]engine.Program{
		"loop": prepare(t, spin(), "run"), "sleep": prepare(t, plugin(t, "sleep"), "run_test"),
	} {
		t.Run(name, func(t *testing.T) {
			enginetest.Turns(t, func(ctx context.Context) error {
				inv := invocation("", nil)
				inv.Env.Config = map[string]string{"duration": "60"}
				return enginetest.Handle(ctx, p, inv)
			})
		})
	}
}

func TestDeadline(t *testing.T) {
	sleep := plugin(t, "sleep")
	for _, c := range []struct {
		name   string
		module []byte
		export string
	}{{"loop", spin(), "run"}, {"sleep", sleep, "run_test"}} {
		t.Run(c.name, func(t *testing.T) {
			p := prepare(t, c.module, c.export)
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			inv := invocation("", nil)
			inv.Env.Config = map[string]string{"duration": "60"}
			wantFault(t, enginetest.Handle(ctx, p, inv), fault.Deadline, "ran out of time")
		})
	}
}

func TestMemoryLimit(t *testing.T) {
	for _, c := range []struct {
		name   string
		shared bool
		limit  int64
		want   uint64
	}{
		{"own", false, 1 << 20, 15}, // one page is there at the start
		{"own, less than the kernel has", false, 128 << 10, 1},
		{"shared", true, 1 << 20, 15}, // what is left is no 64 KiB
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			p, err := enginetest.InProcess(extism.New(capabilities.All(capabilities.Config{}).Extism(), linear.NewBudget(0))).Prepare(ctx, grow(c.shared), engine.Options{
				Memory: c.limit, Routes: []manifest.Route{{Pattern: "/", Export: "run"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = p.Close(ctx) }()
			for range 3 { // a reservation that comes back has the same limit
				inv := invocation("", nil)
				if err := enginetest.Handle(ctx, p, inv); err != nil {
					t.Fatal(err)
				}
				if got := binary.LittleEndian.Uint64(inv.Reply.Body); got != c.want {
					t.Errorf("it grew %d times, want %d", got, c.want)
				}
			}
		})
	}
}

// TestManyAtATime runs instances of one program side by side.
func TestManyAtATime(t *testing.T) {
	p := prepare(t, plugin(t, "count_vowels"), "count_vowels")
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for range 10 {
				inv := invocation(strings.Repeat("a", i), nil)
				if err := enginetest.Handle(context.Background(), p, inv); err != nil {
					t.Error(err)
					return
				}
				if want := fmt.Sprintf(`{"count":%d,"total":%d,`, i, i); !strings.HasPrefix(string(inv.Reply.Body), want) {
					t.Errorf("got %s, want %s", inv.Reply.Body, want)
				}
			}
		})
	}
	group.Wait()
}

func TestLog(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if err := enginetest.Handle(context.Background(), prepare(t, plugin(t, "log"), "run_test"), invocation("", log)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`level=DEBUG msg="this is a trace log" request_id=request-1`,
		`level=DEBUG msg="this is a debug log"`,
		`level=INFO msg="this is an info log"`,
		`level=WARN msg="this is a warning log"`,
		`level=ERROR msg="this is an error log"`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, text.String())
		}
	}
}

// TestStdout: what a guest prints becomes lines of the log.
func TestStdout(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	if err := enginetest.Handle(context.Background(), prepare(t, plugin(t, "println"), "run_test"), invocation("a line", log)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "a line") {
		t.Errorf("the log is %q", text.String())
	}
}

// TestGuestMistakes end the call, and nothing else.
func TestGuestMistakes(t *testing.T) {
	const far = 1 << 40
	store := func(name string) []byte {
		b := newBuilder()
		f := b.env(name, 2)
		return b.run(code().I64(far).I64(1).Call(f).I32(0))
	}
	large := func() []byte {
		b := newBuilder()
		alloc, set := b.env("alloc", 1, i64), b.env("var_set", 2)
		return b.run(code().I64(1).Call(alloc).I64(1 << 20).Call(alloc).Call(set).I32(0))
	}
	for _, c := range []struct {
		name   string
		module []byte
		says   string
	}{
		{"load", calling(capability.ExtismEnv, "load_u64", far), "load of 8 bytes at offset 1099511627776, outside"},
		{"load of the last bytes", calling(capability.ExtismEnv, "load_u64", 1<<64-1), "outside"},
		{"store", store("store_u64"), "store of 8 bytes"},
		{"output", store("output_set"), "output of 1 bytes"},
		{"input", store("input_set"), "input of 1 bytes"},
		{"vars", large(), "over the limit of 1 MiB"},
		{"request that is no JSON", calling(capability.ExtismEnv, "http_request", 0, 0), "not valid JSON"},
		{"trap", newBuilder().run(code().Unreachable().I32(0)), "unreachable"},
		{"failure", newBuilder().run(code().I32(0xffffffff)), "reported failure -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := enginetest.Handle(context.Background(), prepare(t, c.module, "run"), invocation("", nil))
			wantFault(t, err, fault.Trap, c.says)
		})
	}
}

func TestPrepareRefuses(t *testing.T) {
	importing := func(module, name string) []byte {
		b := newBuilder()
		b.imported(module, name, 1, i64)
		return b.run(code().I32(0))
	}
	params := newBuilder()
	params.Func("params", []abi.Type{i32}, nil, 0, code())
	for _, c := range []struct {
		name, export string
		module       []byte
		says         string
	}{
		{"no module", "run", []byte("text"), "not a WebAssembly module"},
		{"manifest of Extism", "run", []byte(` {"wasm":[{"url":"http://localhost/a.wasm"}]}`), `wasmoor pack MODULE.wasm --extism FILE`},
		{"several modules", "run", importing("lib", "capitalize"), "link them into one"},
		{"unknown function of Extism", "run", importing(capability.ExtismEnv, "future"), "this host does not have"},
		{"function of another host", "run", importing(capability.ExtismUser, "mult"), "kv_add, kv_delete, kv_get, kv_get_snapshot, kv_list, kv_set, kv_set_versionstamped"},
		{"other signature", "run", importing(capability.ExtismEnv, "free"), "(i64) -> i64, but it is (i64) -> ()"},
		{"native function", "run", importing(abi.Module, abi.FnKVGet), "native ABI"},
		{"no export", "main", spin(), `calls "main", which the module does not export; it exports "run"`},
		{"memory as export", "memory", spin(), "is a memory"},
		{"parameters", "params", params.Bytes(), "without parameters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := enginetest.InProcess(extism.New(capabilities.All(capabilities.Config{}).Extism(), linear.NewBudget(0))).Prepare(context.Background(), c.module, engine.Options{
				Memory: memoryLimit, Routes: []manifest.Route{{Pattern: "/", Export: c.export}},
			})
			wantFault(t, err, fault.Invalid, c.says)
		})
	}
	_, err := enginetest.InProcess(extism.New(capabilities.All(capabilities.Config{}).Extism(), linear.NewBudget(0))).Prepare(context.Background(), plugin(t, "count_vowels"), engine.Options{Memory: 1 << 20})
	wantFault(t, err, fault.TooLarge, "starts with 1088 KiB of memory")
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
