package enginetest

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Shape is a way of a guest not to return.
type Shape struct {
	Name  string
	traps bool // it may end before its deadline: its stack is full, or the host spares a server that fails
	body  func(s *shaper) *Code
}

// Ends reports whether its call may end with a fault of that code.
func (s Shape) Ends(c fault.Code) bool {
	return c == fault.Deadline || s.traps && c == fault.Trap
}

// ExtismABI is the ABI of Extism's guests, ExtismExport what their route calls.
const (
	ExtismABI    = "extism"
	ExtismExport = "run"
)

// Shapes returns every shape there is.
func Shapes() []Shape {
	var list []Shape
	add := func(name string, body func(s *shaper) *Code) {
		list = append(list, Shape{name, false, body})
	}
	loop := func(name string, turn func(s *shaper, c *Code)) {
		add(name, func(s *shaper) *Code {
			return new(Code).Loop(func(c *Code) { turn(s, c); c.Br(0) })
		})
	}
	loop("loop", func(*shaper, *Code) {})
	loop("loop with a long body", func(_ *shaper, c *Code) {
		for range 50_000 {
			c.Get(0).I64(1).Op(opAdd).Set(0)
		}
	})
	add("loop through br_table", func(*shaper) *Code {
		return new(Code).Loop(func(c *Code) { c.I32(0).Op(0x0e, 2, 0, 0, 0) })
	})
	loop("loop of memory.fill", func(_ *shaper, c *Code) { all(c.I32(0).I32(1)).Op(0xfc, 11, 0) })
	loop("loop of memory.copy", func(_ *shaper, c *Code) { all(c.I32(16).I32(0)).I32(16).Op(0x6b).Op(0xfc, 10, 0, 0) })
	loop("loop of memory.grow", func(_ *shaper, c *Code) { c.I32(1).Op(0x40, 0).Drop() })
	add("exponential recursion", exponential)
	loop("loop of host calls", func(s *shaper, c *Code) { c.I32(0).I64(0).I32(scratch).Call(s.clock).Drop() })
	loop("loop of large random_get", func(s *shaper, c *Code) { all(c.I32(0)).Call(s.random).Drop() })
	loop("loop of large poll_oneoff", func(s *shaper, c *Code) {
		const subscription = 48
		all(c.I32(0).I32(0)).I32(subscription).Op(0x6e).I32(0).Call(s.poll).Drop() // i32.div_u
	})
	loop("loop of log lines", func(s *shaper, c *Code) { c.I32(1).I32(lines).I32(1).I32(scratch).Call(s.write).Drop() })
	add("sleep", sleepLong)
	list = append(list, Shape{"call to a server that never answers", true, func(s *shaper) *Code { return s.waits(s) }})
	return append(list, Shape{"endless recursion", true, func(s *shaper) *Code {
		return new(Code).Call(s.Func("", nil, nil, 0, new(Code).Call(s.next())))
	}})
}

// lines is where an iovec of 4 KiB is.
const lines = 2048

// all pushes the size of memory in bytes.
func all(c *Code) *Code { return c.Op(0x3f, 0).I32(16).Op(0x74) }

func exponential(s *shaper) *Code {
	const depth = 60
	s.Func("", nil, nil, 0, new(Code))
	for range depth {
		last := s.next() - 1
		s.Func("", nil, nil, 0, new(Code).Call(last).Call(last))
	}
	return new(Code).Call(s.next() - 1)
}

// sleepLong waits for 1000 s, which no deadline allows.
func sleepLong(s *shaper) *Code {
	const subscription, event, count = 3072, 3136, 3200
	c := new(Code).I32(subscription + 16).I64(1).Store64() // the monotonic clock
	c.I32(subscription + 24).I64(1_000_000_000_000).Store64()
	return c.I32(subscription).I32(event).I32(1).I32(count).Call(s.poll).Drop()
}

// Module returns a guest of an ABI, "" = the native one, which answers nothing
// to a request without a body, and does not return from one with a body. url is
// of a server that never answers. With memory for it the guest has 48 MiB.
func (s Shape) Module(abiName, url string) []byte {
	b := &shaper{Builder: NewBuilder(1)}
	b.link(abiName, url)
	ends := s.body(b)
	c := b.asked(new(Code)).Op(opEqz).If(func(c *Code) { c.I32(0).Return() })
	c.I32(48<<4-1).Op(0x40, 0).Drop()
	c.bytes = append(c.bytes, ends.bytes...)
	handle := b.Func(abi.ExportHandle, nil, []abi.Type{abi.I32}, 4, c.Unreachable())
	b.export(ExtismExport, 0, handle)
	return b.Data(lines, string(abi.AppendUint64(nil, 4096<<32|scratch))).
		Data(scratch, strings.Repeat("a line of a loop\n", 240)).Bytes()
}

// shaper builds the guest of a shape.
type shaper struct {
	*Builder
	clock, random, poll, write uint32              // functions of WASI
	asked                      func(c *Code) *Code // pushes an i64, 0 = the request has no body
	waits                      func(s *shaper) *Code
}

func (s *shaper) link(abiName, url string) {
	wasi := func(name string, params ...abi.Type) uint32 {
		return s.Import(wasiModule, name, params, []abi.Type{abi.I32})
	}
	s.clock = wasi("clock_time_get", abi.I32, abi.I64, abi.I32)
	s.random = wasi("random_get", abi.I32, abi.I32)
	s.poll = wasi("poll_oneoff", abi.I32, abi.I32, abi.I32, abi.I32)
	s.write = wasi("fd_write", abi.I32, abi.I32, abi.I32, abi.I32)
	if abiName == ExtismABI {
		s.linkExtism(url)
	} else {
		s.linkNative(url)
	}
}

func (s *shaper) linkNative(url string) {
	body, open, send := s.Native(abi.FnRequestBody), s.Native(abi.FnHTTPOpen), s.Native(abi.FnHTTPSend)
	s.asked = func(c *Code) *Code { return c.I64(0).I32(0).I32(1).Call(body) }
	request := abi.AppendHTTPRequest(nil, &abi.HTTPRequest{Method: "GET", URL: url})
	s.Data(text, string(request))
	s.waits = func(*shaper) *Code {
		c := new(Code).I32(text).I32(uint32(len(request))).Call(open).Set(0)
		c.I32(0).Get(0).I64(32).Op(0x86).I64(1).Op(opAdd).Store64() // i64.shl: a list of one handle
		return c.I32(0).I32(8).Call(send).Drop()
	}
}

func (s *shaper) linkExtism(url string) {
	env := func(name string, params int, results ...abi.Type) uint32 {
		return s.Import("extism:host/env", name, []abi.Type{abi.I64, abi.I64}[:params], results)
	}
	length, alloc, store := env("input_length", 0, abi.I64), env("alloc", 1, abi.I64), env("store_u64", 2)
	request := env("http_request", 2, abi.I64)
	s.asked = func(c *Code) *Code { return c.Call(length) }
	s.waits = func(*shaper) *Code {
		json := fmt.Sprintf(`{"url":%q}        `, url)
		json = json[:len(json)&^7]
		c := new(Code).I64(uint64(len(json))).Call(alloc).Set(0)
		for i := 0; i < len(json); i += 8 {
			c.Get(0).I64(uint64(i)).Op(opAdd).I64(binary.LittleEndian.Uint64([]byte(json[i:]))).Call(store)
		}
		return c.Get(0).I64(0).Call(request).Drop()
	}
}

// starts returns guests that run code while they initialise, and change their
// table, so that each request gets a new instance.
func starts() map[string]func(*Code) []byte {
	guest := func(c *Code, add func(b *Builder, code *Code)) []byte {
		b := NewBuilder(1).Table(1)
		b.Import(wasiModule, "clock_time_get", []abi.Type{abi.I32, abi.I64, abi.I32}, []abi.Type{abi.I32})
		add(b, c.Op(0xd0, 0x70).I32(1).Op(0xfc, 15, 0).Drop()) // table.grow
		b.export(ExtismExport, 0, b.next())
		return b.Handle(new(Code).I32(0)).Bytes()
	}
	return map[string]func(*Code) []byte{
		"start function": func(c *Code) []byte {
			return guest(c, func(b *Builder, code *Code) { b.Start(b.Func("", nil, nil, 1, code)) })
		},
		abi.ExportInitialize: func(c *Code) []byte {
			return guest(c, func(b *Builder, code *Code) { b.Func(abi.ExportInitialize, nil, nil, 1, code) })
		},
	}
}

// busy computes for 400 ms: a build waits for it, a request does not. Function
// 0 is the clock, local 0 free.
func busy(c *Code) *Code {
	const now, until, turn = scratch, scratch + 8, 0
	read := func() { c.I32(1).I64(0).I32(now).Call(0).Drop() }
	read()
	c.I32(until).I32(now).Load64().I64(400_000_000).Op(opAdd).Store64()
	return c.Loop(func(c *Code) {
		c.I64(100_000).Set(turn)
		c.Loop(func(c *Code) {
			c.Get(turn).I64(1).Op(opSub).Set(turn)
			c.Get(turn).Op(opEqz).Op(opEqz32).BrIf(0)
		})
		read()
		c.I32(now).Load64().I32(until).Load64().Op(opLtU).BrIf(0)
	})
}
