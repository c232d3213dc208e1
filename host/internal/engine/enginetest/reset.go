package enginetest

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Canary answers how it finds its memory, a global and the size of its memory,
// 8 bytes each, and then changes all three. A body of one byte says how it ends:
// 't' traps, 'l' loops, 'r' recurses without end, 'e' exits.
func Canary() []byte {
	b := NewBuilder(1)
	read, write := b.Native(abi.FnRequestBody), b.Native(abi.FnResponseWrite)
	exit := b.Import(wasiModule, "proc_exit", []abi.Type{abi.I32}, nil)
	b.Global(7)
	recursion := b.Func("", nil, nil, 0, new(Code).Call(3))
	const how = scratch + 24
	lastPage := func(c *Code) *Code { return c.Op(0x3f, 0).I32(1).Op(0x6b).I32(16).Op(0x74) }
	code := new(Code).I64(0).I32(how).I32(1).Call(read).Drop()
	code.I32(scratch).I32(text).Load64().Store64()
	code.I32(scratch+8).Op(0x23, 0).Store64()           // global.get
	code.I32(scratch+16).Op(0x3f, 0).Extend().Store64() // memory.size
	code.I32(scratch).I32(24).Call(write).Drop()
	code.I32(text).I64(0x5ec7e7).Store64()
	code.Op(0x23, 0).I64(1).Op(opAdd).Op(0x24, 0) // global.set
	code.I32(3).Op(0x40, 0).Drop()                // memory.grow
	lastPage(code).I64(0x5ec7e7).Store64()
	ends := func(letter byte, end func(c *Code)) {
		code.I32(how).Load8().I64(uint64(letter)).Op(0x51).If(end) // i64.eq
	}
	ends('t', func(c *Code) { c.Unreachable() })
	ends('l', func(c *Code) { endless(c) })
	ends('r', func(c *Code) { c.Call(recursion) })
	ends('e', func(c *Code) { c.I32(0).Call(exit) })
	return b.Data(text, "pristine").Handle(code.I32(0)).Bytes()
}

// pristine is what Canary answers in a clean instance.
var pristine = string(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64([]byte("pristine"), 7), 1))

// resettable returns an instance that can be reset, and closes it with the test.
func resettable(t *testing.T, e Direct, module []byte) engine.Instance {
	t.Helper()
	return resettableOf(t, Prepare(t, e, module))
}

// testReset checks that no request finds anything of the one before, and that
// it would if the instance were not reset.
func testReset(t *testing.T, e Direct) {
	in := resettable(t, e, Canary())
	for i := range 2000 {
		inv := Invocation("", nil, nil)
		if err := in.Handle(context.Background(), inv); err != nil {
			t.Fatal(err)
		}
		if got := string(inv.Reply.Body); got != pristine {
			t.Fatalf("request %d found %q, want %q", i, got, pristine)
		}
		if !in.Reset() {
			t.Fatal("the instance cannot be reset")
		}
		if i%100 == 0 {
			in.Trim()
		}
	}
	inv := Invocation("", nil, nil)
	for range 2 {
		inv.Begin(1, inv.Env.Limits, nil)
		if err := in.Handle(context.Background(), inv); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(inv.Reply.Body); got == pristine {
		t.Error("without a reset the guest found nothing, so that the test shows nothing")
	}
}

// testResetAfterEnds checks that an instance serves on after any end of a call.
func testResetAfterEnds(t *testing.T, e Direct) {
	in := resettable(t, e, Canary())
	for range 3 {
		for _, end := range []struct {
			how  string
			want fault.Code
		}{{"", ""}, {"t", fault.Trap}, {"l", fault.Deadline}, {"r", fault.Trap}, {"e", fault.Trap}} {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			if end.want != fault.Deadline {
				ctx = context.Background()
			}
			inv := Invocation(end.how, nil, nil)
			err := in.Handle(ctx, inv)
			cancel()
			if got := fault.CodeOf(err); got != end.want {
				t.Errorf("%q: got %v, want %q", end.how, err, end.want)
			}
			if got := string(inv.Reply.Body); got != pristine {
				t.Errorf("%q: the guest found %q, want %q", end.how, got, pristine)
			}
			if !in.Reset() {
				t.Fatalf("%q: the instance cannot be reset", end.how)
			}
		}
	}
}
