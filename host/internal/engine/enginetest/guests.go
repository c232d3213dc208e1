package enginetest

import "github.com/wasmoor/wasmoor/abi"

// Where the guests keep things in their memory.
const (
	scratch = 4096 // results and bodies
	text    = 1024 // constants
)

// Tiny answers "hello".
func Tiny() []byte { return Version("hello") }

// Version answers a fixed text.
func Version(answer string) []byte {
	b := NewBuilder(1)
	write := b.Native(abi.FnResponseWrite)
	return b.Data(text, answer).
		Handle(new(Code).I32(text).I32(uint32(len(answer))).Call(write).Drop().I32(0)).
		Bytes()
}

// Fussy answers a fixed text, and traps when its request has a body.
func Fussy(answer string) []byte {
	b := NewBuilder(1)
	read, write := b.Native(abi.FnRequestBody), b.Native(abi.FnResponseWrite)
	code := new(Code).I64(0).I32(scratch).I32(8).Call(read).I64(1).Op(opLtS).Op(opEqz32).If(func(c *Code) { c.Unreachable() })
	return b.Data(text, answer).
		Handle(code.I32(text).I32(uint32(len(answer))).Call(write).Drop().I32(0)).
		Bytes()
}

// Echo answers its request's body, in pieces of 4 KiB.
func Echo() []byte {
	const size = 4096
	b := NewBuilder(1)
	read, write := b.Native(abi.FnRequestBody), b.Native(abi.FnResponseWrite)
	const offset, n = 0, 1
	code := new(Code).Block(func(c *Code) {
		c.Loop(func(c *Code) {
			c.Get(offset).I32(scratch).I32(size).Call(read).Set(n)
			c.Get(n).I64(1).Op(opLtS).BrIf(1)
			c.I32(scratch).Get(n).Wrap().Call(write).Drop()
			c.Get(offset).Get(n).Op(opAdd).Set(offset)
			c.Br(0)
		})
	})
	return b.Handle(code.I32(0)).Bytes()
}

// Counter adds 1 to the counter at key "n" and answers what it is then, in
// decimal. Without the key-value capability its handler fails.
func Counter() []byte {
	b := NewBuilder(1)
	add, get, write := b.Native(abi.FnKVAdd), b.Native(abi.FnKVGet), b.Native(abi.FnResponseWrite)
	code := new(Code).I32(text).I32(1).I64(1).Call(add)
	failUnlessOK(code)
	code.I32(text).I32(1).I32(scratch).I32(abi.CounterSize).Call(get).Drop()
	code.I32(scratch).Load64().Set(0)
	writeDecimal(code, 0, write)
	return b.Data(text, "n").Handle(code.I32(0)).Bytes()
}

// Ledger makes transfers. The body "A>B:id" takes 1 from the number at key "A",
// gives 1 to that at "B", adds 1 to the counter "#", and sets a key named like
// the whole body, at most 256 bytes. It answers a fixed text.
func Ledger(answer string) []byte {
	const body, balance = scratch, scratch + 512
	b := NewBuilder(1)
	read, write := b.Native(abi.FnRequestBody), b.Native(abi.FnResponseWrite)
	get, set, add := b.Native(abi.FnKVGet), b.Native(abi.FnKVSet), b.Native(abi.FnKVAdd)
	const size = 0
	code := new(Code).I64(0).I32(body).I32(256).Call(read).Set(size)
	for i, account := range []struct {
		name uint32
		gets int64
	}{{body, -1}, {body + 2, 1}} {
		at := balance + 8*uint32(i)
		code.I32(account.name).I32(1).I32(at).I32(8).Call(get).Drop() // absent is 0, which memory holds
		code.I32(at).I32(at).Load64().I64(uint64(account.gets)).Op(opAdd).Store64()
		failUnlessOK(code.I32(account.name).I32(1).I32(at).I32(8).I64(0).Call(set))
	}
	failUnlessOK(code.I32(text).I32(1).I64(1).Call(add))
	failUnlessOK(code.I32(body).Get(size).Wrap().I32(body).I32(1).I64(0).Call(set))
	code.I32(text + 1).I32(uint32(len(answer))).Call(write).Drop()
	return b.Data(text, "#"+answer).Handle(code.I32(0)).Bytes()
}

// failUnlessOK pops a status and reports failure unless it is OK.
func failUnlessOK(c *Code) {
	c.Op(opEqz).Op(opEqz32).If(func(c *Code) { c.I32(1).Return() })
}

// The guests that fail ask for their request before: for all that a host can
// know there is a request that they answer.

// Trap traps.
func Trap() []byte { return asking((*Code).Unreachable) }

// Fail returns a result other than 0.
func Fail() []byte { return asking(func(c *Code) *Code { return c.I32(1) }) }

// Deaf traps before it asks for anything: it can serve no request.
func Deaf() []byte { return NewBuilder(1).Handle(new(Code).Unreachable()).Bytes() }

// Hungry traps unless its memory can grow by a page, and asks for nothing.
func Hungry() []byte {
	c := new(Code).I32(1).Op(0x40, 0).I32(0xffffffff).Op(0x46) // memory.grow, i32.eq
	return NewBuilder(1).Handle(c.If(func(c *Code) { c.Unreachable() }).I32(0)).Bytes()
}

// Command answers "hello", and exports _start as a program does that runs once.
func Command() []byte {
	b := NewBuilder(1)
	write := b.Native(abi.FnResponseWrite)
	b.Func("_start", nil, nil, 0, new(Code))
	return b.Data(text, "hello").Handle(new(Code).I32(text).I32(5).Call(write).Drop().I32(0)).Bytes()
}

// Exit ends itself with a code.
func Exit(code uint32) []byte {
	b := NewBuilder(1)
	exit := b.Import(wasiModule, "proc_exit", []abi.Type{abi.I32}, nil)
	return b.Handle(b.ask().I32(code).Call(exit).I32(0)).Bytes()
}

// Loop never returns.
func Loop() []byte {
	return asking(func(c *Code) *Code { return endless(c).Unreachable() })
}

// Recurse calls itself until the stack ends.
func Recurse() []byte {
	return asking(func(c *Code) *Code { return c.Call(1) })
}

// asking returns a guest that asks for its request and then runs code.
func asking(code func(*Code) *Code) []byte {
	b := NewBuilder(1)
	return b.Handle(code(b.ask())).Bytes()
}

// ask returns code that asks for the size of the request's head.
func (b *Builder) ask() *Code {
	return new(Code).I32(0).I32(0).Call(b.Native(abi.FnRequestHead)).Drop()
}

// BadStatus answers with the given status and no header.
func BadStatus(status uint32) []byte {
	return Head(abi.AppendResponseHead(nil, &abi.ResponseHead{Status: status}))
}

// Head answers with the bytes of a response head as they are, and "body".
func Head(raw []byte) []byte {
	const at = 8192
	b := NewBuilder(2 + uint32(len(raw))>>16)
	head, write := b.Native(abi.FnResponseHead), b.Native(abi.FnResponseWrite)
	code := b.ask().I32(at).I32(uint32(len(raw))).Call(head).Drop()
	code.I32(text).I32(4).Call(write).Drop()
	return b.Data(text, "body").Data(at, string(raw)).Handle(code.I32(0)).Bytes()
}

// Large answers with a body of so many KiB of zeros.
func Large(kib uint32) []byte {
	b := NewBuilder(1)
	write := b.Native(abi.FnResponseWrite)
	code := b.ask().Loop(func(c *Code) {
		c.I32(scratch).I32(1024).Call(write).Drop()
		c.Get(0).I64(1).Op(opAdd).Set(0)
		c.Get(0).I64(uint64(kib)).Op(opLtU).BrIf(0)
	})
	return b.Handle(code.I32(0)).Bytes()
}

// Chatty logs a fixed text as many times as its body says in decimal, at level info.
func Chatty(line string) []byte {
	b := NewBuilder(1)
	read, log := b.Native(abi.FnRequestBody), b.Native(abi.FnLogWrite)
	code := new(Code)
	readDecimal(code, read)
	code.Block(func(c *Code) {
		c.Loop(func(c *Code) {
			c.Get(0).I64(1).Op(opLtS).BrIf(1)
			c.I32(abi.LogInfo).I32(text).I32(uint32(len(line))).I32(0).I32(0).Call(log).Drop()
			c.Get(0).I64(^uint64(0)).Op(opAdd).Set(0)
			c.Br(0)
		})
	})
	return b.Data(text, line).Handle(code.I32(0)).Bytes()
}

// Spin keeps the processor busy for the milliseconds its body names in decimal
// and answers a fixed text.
func Spin(answer string) []byte {
	b := NewBuilder(1)
	read, write, clock := b.Native(abi.FnRequestBody), b.Native(abi.FnResponseWrite), b.Native(abi.FnClockNow)
	code := new(Code)
	readDecimal(code, read)
	code.Get(0).I64(1_000_000).Op(opMul).Call(clock).Op(opAdd).Set(0)
	code.Loop(func(c *Code) { c.Call(clock).Get(0).Op(opLtS).BrIf(0) })
	code.I32(text).I32(uint32(len(answer))).Call(write).Drop()
	return b.Data(text, answer).Handle(code.I32(0)).Bytes()
}

// Sleep waits for the milliseconds its body names in decimal, without using the
// processor, and answers a fixed text.
func Sleep(answer string) []byte {
	const subscription, event, count = 2048, 2112, 2160
	b := NewBuilder(1)
	read, write := b.Native(abi.FnRequestBody), b.Native(abi.FnResponseWrite)
	poll := b.Import(wasiModule, "poll_oneoff", []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32}, []abi.Type{abi.I32})
	code := new(Code)
	readDecimal(code, read)
	code.I32(subscription + 16).I64(1).Store64() // the monotonic clock
	code.I32(subscription + 24).Get(0).I64(1_000_000).Op(opMul).Store64()
	code.I32(subscription).I32(event).I32(1).I32(count).Call(poll).Drop()
	code.I32(text).I32(uint32(len(answer))).Call(write).Drop()
	return b.Data(text, answer).Handle(code.I32(0)).Bytes()
}

// Frozen keeps what the wall clock showed while it initialised, and answers a
// fixed text. With warm set it reads the clock in the handler in place of that.
func Frozen(answer string, warm bool) []byte {
	b := NewBuilder(1)
	clock := b.Import(wasiModule, "clock_time_get", []abi.Type{abi.I32, abi.I64, abi.I32}, []abi.Type{abi.I32})
	write := b.Native(abi.FnResponseWrite)
	read := new(Code).I32(0).I64(1).I32(scratch).Call(clock).Drop()
	handle := new(Code)
	if warm {
		handle = read
	} else {
		b.Func(abi.ExportInitialize, nil, nil, 0, read)
	}
	handle.I32(text).I32(uint32(len(answer))).Call(write).Drop()
	return b.Data(text, answer).Handle(handle.I32(0)).Bytes()
}

// Uptime sleeps for so many seconds while it initialises. It answers what the
// monotonic clock showed then and what it shows, in nanoseconds, 8 bytes each.
func Uptime(seconds uint64) []byte {
	const subscription, event, count = 2048, 2112, 2160
	b := NewBuilder(1)
	clock := b.Import(wasiModule, "clock_time_get", []abi.Type{abi.I32, abi.I64, abi.I32}, []abi.Type{abi.I32})
	poll := b.Import(wasiModule, "poll_oneoff", []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32}, []abi.Type{abi.I32})
	write := b.Native(abi.FnResponseWrite)
	sleep := new(Code).I32(subscription + 16).I64(1).Store64() // the monotonic clock
	sleep.I32(subscription + 24).I64(seconds * 1e9).Store64()
	sleep.I32(subscription).I32(event).I32(1).I32(count).Call(poll).Drop()
	b.Func(abi.ExportInitialize, nil, nil, 0, sleep.I32(1).I64(1).I32(scratch).Call(clock).Drop())
	return b.Handle(new(Code).I32(1).I64(1).I32(scratch + 8).Call(clock).Drop().
		I32(scratch).I32(16).Call(write).Drop().I32(0)).Bytes()
}

// InitCallsHost calls every host function of the ABI with zeros while it
// initialises and answers their results, 8 bytes each, in the order of
// abi.Functions.
func InitCallsHost() []byte {
	b := NewBuilder(1)
	functions := abi.Functions()
	imported := make([]uint32, len(functions))
	for i, f := range functions {
		imported[i] = b.Native(f.Name)
	}
	write := b.Native(abi.FnResponseWrite)
	initialize := new(Code)
	for i, f := range functions {
		initialize.I32(scratch + uint32(i)*8)
		constants(initialize, f.Types(), nil)
		initialize.Call(imported[i]).Store64()
	}
	b.Func(abi.ExportInitialize, nil, nil, 0, initialize)
	return b.Handle(new(Code).I32(scratch).I32(uint32(len(functions)) * 8).Call(write).Drop().I32(0)).Bytes()
}

// Caller calls a host function of the ABI with the given arguments (zero where
// there are none) and answers its result as 8 bytes.
func Caller(name string, args ...uint64) []byte {
	for _, f := range abi.Functions() {
		if f.Name == name {
			return CallerOf(abi.Module, name, f.Types(), []abi.Type{abi.I64}, args...)
		}
	}
	panic("enginetest: no host function " + name)
}

// CallerOf is Caller for a function of any module. Without a result it answers
// nothing.
func CallerOf(module, name string, params, results []abi.Type, args ...uint64) []byte {
	b := NewBuilder(1)
	function, write := b.Import(module, name, params, results), b.Native(abi.FnResponseWrite)
	code := b.ask()
	if len(results) == 0 {
		constants(code, params, args)
		return b.Handle(code.Call(function).I32(0)).Bytes()
	}
	code.I32(scratch)
	constants(code, params, args)
	code.Call(function)
	if results[0] == abi.I32 {
		code.Extend()
	}
	code.Store64().I32(scratch).I32(8).Call(write).Drop()
	return b.Handle(code.I32(0)).Bytes()
}

const wasiModule = "wasi_snapshot_preview1"

func constants(c *Code, types []abi.Type, args []uint64) {
	for i, t := range types {
		var v uint64
		if i < len(args) {
			v = args[i]
		}
		if t == abi.I32 {
			c.I32(uint32(v))
		} else {
			c.I64(v)
		}
	}
}

func endless(c *Code) *Code { return c.Loop(func(c *Code) { c.Br(0) }) }

// readDecimal reads the body, at most 8 digits, as a number into local 0.
func readDecimal(c *Code, requestBody uint32) {
	const value, i, n = 0, 1, 2
	c.I64(0).I32(scratch).I32(8).Call(requestBody).Set(n)
	c.Block(func(c *Code) {
		c.Loop(func(c *Code) {
			c.Get(i).Get(n).Op(opLtS).Op(opEqz32).BrIf(1)
			c.Get(value).I64(10).Op(opMul)
			c.Get(i).Wrap().I32(scratch).Op(0x6a).Load8()
			c.Op(opAdd).I64('0').Op(opSub).Set(value)
			c.Get(i).I64(1).Op(opAdd).Set(i)
			c.Br(0)
		})
	})
}

// writeDecimal writes a local that is not negative to the response's body.
func writeDecimal(c *Code, local, responseWrite uint32) {
	const end, at = scratch + 64, 3
	c.I64(end).Set(at)
	c.Loop(func(c *Code) {
		c.Get(at).I64(1).Op(opSub).Set(at)
		c.Get(at).Wrap().Get(local).I64(10).Op(opRemU).I64('0').Op(opAdd).Store8()
		c.Get(local).I64(10).Op(opDivU).Set(local)
		c.Get(local).Op(opEqz).Op(opEqz32).BrIf(0)
	})
	c.Get(at).Wrap()
	c.I64(end).Get(at).Op(opSub).Wrap()
	c.Call(responseWrite).Drop()
}
