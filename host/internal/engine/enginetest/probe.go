package enginetest

import (
	"context"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// never are guests that can serve no request, by how they fail: they ask for
// nothing before they do.
func never() map[string]struct {
	module []byte
	code   fault.Code
	says   string
} {
	type guest = struct {
		module []byte
		code   fault.Code
		says   string
	}
	handler := func(imported func(*Builder) uint32, code func(c *Code, function uint32)) []byte {
		b, c := NewBuilder(1), new(Code)
		function := uint32(0)
		if imported != nil {
			function = imported(b)
		}
		code(c, function)
		return b.Data(text, "no main\n").Data(64, string(abi.AppendUint64(nil, 8<<32|text))).Handle(c.I32(0)).Bytes()
	}
	head := func(b *Builder) uint32 { return b.Native(abi.FnResponseHead) }
	body := func(b *Builder) uint32 { return b.Native(abi.FnResponseWrite) }
	exit := func(b *Builder) uint32 { return b.Import(wasiModule, "proc_exit", []abi.Type{abi.I32}, nil) }
	print := func(b *Builder) uint32 {
		return b.Import(wasiModule, "fd_write", []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32}, []abi.Type{abi.I32})
	}
	return map[string]guest{
		"trap":      {Deaf(), fault.Trap, "every request would fail, whatever it is: the guest trapped: unreachable"},
		"failure":   {handler(nil, func(c *Code, _ uint32) { c.I32(3).Return() }), fault.Trap, "reported failure 3"},
		"recursion": {handler(nil, func(c *Code, f uint32) { c.Call(f).Drop() }), fault.Trap, "stack overflow"},
		"loop":      {handler(nil, func(c *Code, _ uint32) { endless(c) }), fault.Deadline, "it had 50ms, twice"},
		"exit":      {handler(exit, func(c *Code, f uint32) { c.I32(0).Call(f) }), fault.Trap, "exited with code 0"},
		"words before a trap": {
			handler(print, func(c *Code, f uint32) { c.I32(2).I32(64).I32(1).I32(72).Call(f).Drop().Unreachable() }),
			fault.Trap, `unreachable, in function 1; the guest wrote "no main"`,
		},
		"head that is none":         {handler(head, func(c *Code, f uint32) { c.I32(text).I32(3).Call(f).Drop() }), fault.BadReply, "cut short"},
		"body from outside":         {handler(body, func(c *Code, f uint32) { c.I32(1 << 31).I32(1).Call(f).Drop() }), fault.BadReply, "does not lie within"},
		"body over the limit":       {handler(body, func(c *Code, f uint32) { c.I32(0).I32(2048).Call(f).Drop() }), fault.BadReply, "over the limit of 1024"},
		"trap in each new instance": {unsettled(new(Code).Unreachable()), fault.Trap, "unreachable"},
	}
}

// unsettled runs code in an instance that cannot be put back, and answers
// "hello".
func unsettled(code *Code) []byte {
	b := NewBuilder(1).Table(1)
	write := b.Native(abi.FnResponseWrite)
	code.Op(0xd0, 0x70).I32(1).Op(0xfc, 15, 0).Drop() // table.grow
	return b.Data(text, "hello").Handle(code.I32(text).I32(5).Call(write).Drop().I32(0)).Bytes()
}

// testProbe checks that a module is refused which can serve no request, and no
// other: what a handler does once it asks for something is its own affair.
func testProbe(t *testing.T, e Direct) {
	for name, guest := range never() {
		t.Run(name, func(t *testing.T) {
			wantFault(t, tryModule(t, e, guest.module, guest.code), guest.code, guest.says)
		})
	}
	for name, module := range map[string][]byte{
		"answer":                     Tiny(),
		"answer in a new instance":   unsettled(new(Code)),
		"trap of some request":       Trap(),
		"failure of some request":    Fail(),
		"exit of some request":       Exit(1),
		"loop of some request":       Loop(),
		"recursion of some request":  Recurse(),
		"bad head of some request":   BadStatus(999),
		"large body of some request": Large(2),
		"trap by the clock":          trapAfter(func(b *Builder) *Code { return new(Code).Call(b.Native(abi.FnClockNow)).Drop() }),
		"trap by the config":         trapAfter(func(b *Builder) *Code { return constantsCall(b, abi.FnConfigGet) }),
		"trap without a store":       trapAfter(func(b *Builder) *Code { return constantsCall(b, abi.FnKVGet) }),
		"answer with a head":         Head(abi.AppendResponseHead(nil, &abi.ResponseHead{Status: 204})),
	} {
		t.Run(name, func(t *testing.T) {
			if err := tryModule(t, e, module, ""); err != nil {
				t.Errorf("it is refused: %v", err)
			}
		})
	}
}

// trapAfter traps after what asks for something.
func trapAfter(asks func(*Builder) *Code) []byte {
	b := NewBuilder(1)
	return b.Handle(asks(b).Unreachable()).Bytes()
}

// constantsCall calls a host function with zeros.
func constantsCall(b *Builder, name string) *Code {
	for _, f := range abi.Functions() {
		if f.Name == name {
			c := new(Code)
			constants(c, f.Types(), nil)
			return c.Call(b.Native(name)).Drop()
		}
	}
	panic("enginetest: no host function " + name)
}

// tryModule probes a module; its handler has a deadline if it is to meet it.
func tryModule(t *testing.T, e Direct, module []byte, want fault.Code) error {
	t.Helper()
	o := engine.Options{ResponseBody: 1024}
	if want == fault.Deadline {
		o.Start = deadline
	}
	in, err := engine.Probe(t.Context(), Prepare(t, e, module).Instance, o)
	if err == nil {
		err = in.Close(context.Background())
	}
	return err
}

// testProbeIsUnseen checks that an instance which was probed has handled
// nothing: not in its memory, and nothing went out.
func testProbeIsUnseen(t *testing.T, e Direct) {
	b := NewBuilder(1)
	write, head := b.Native(abi.FnResponseWrite), b.Native(abi.FnRequestHead)
	code := new(Code).I32(scratch).I32(8).Call(write).Drop()
	code.I32(scratch).I64(0x5ec7e7).Store64().I32(0).I32(0).Call(head).Drop()
	in, err := engine.Probe(t.Context(), Prepare(t, e, b.Handle(code.I32(0)).Bytes()).Instance, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(context.Background()) }()
	inv := Invocation("", nil, nil)
	if err := in.Handle(t.Context(), inv); err != nil {
		t.Fatal(err)
	}
	if got := string(inv.Reply.Body); got != strings.Repeat("\x00", 8) {
		t.Errorf("after the probe memory held %x", got)
	}
}
