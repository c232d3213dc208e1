package extism_test

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

const (
	i32 = abi.I32
	i64 = abi.I64
)

// builder assembles plugins of Extism by hand.
type builder struct{ *enginetest.Builder }

func newBuilder() builder { return builder{enginetest.NewBuilder(1)} }

// env imports a function with i64 parameters.
func (b builder) env(name string, params int, results ...abi.Type) uint32 {
	return b.imported(capability.ExtismEnv, name, params, results...)
}

func (b builder) imported(module, name string, params int, results ...abi.Type) uint32 {
	types := make([]abi.Type, params)
	for i := range types {
		types[i] = i64
	}
	return b.Import(module, name, types, results)
}

// run adds the export "run", with 8 i64 locals; code leaves its i32 result.
func (b builder) run(code *enginetest.Code) []byte {
	b.Func("run", nil, []abi.Type{i32}, 8, code)
	return b.Bytes()
}

// code is the body of a function.
func code() *enginetest.Code { return new(enginetest.Code) }

const opAdd = 0x7c

const (
	canary   = 0x5ec2e75ec2e7
	canaryAt = 500000 // in the memory that guest and host share
	ownAt    = 8192   // in the guest's own
)

// leak answers what it finds where it then leaves a canary: in the memory it
// shares with the host, in its own memory, and the block of a var.
func leak() []byte {
	b := newBuilder()
	alloc, load, store := b.env("alloc", 1, i64), b.env("load_u64", 1, i64), b.env("store_u64", 2)
	output, varGet, varSet := b.env("output_set", 2), b.env("var_get", 1, i64), b.env("var_set", 2)
	const large, out = 0, 1
	c := code().I64(600000).Call(alloc).Set(large).I64(24).Call(alloc).Set(out)
	at := func() *enginetest.Code { return c.Get(large).I64(canaryAt).Op(opAdd) }
	c.Get(out)
	at().Call(load).Call(store)
	c.Get(out).I64(8).Op(opAdd).I32(ownAt).Load64().Call(store)
	c.Get(out).I64(16).Op(opAdd).I64(8).Call(alloc).Call(varGet).Call(store)
	at().I64(canary).Call(store)
	c.I32(ownAt).I64(canary).Store64()
	c.I64(8).Call(alloc).I64(8).Call(alloc).Call(varSet)
	c.Get(out).I64(24).Call(output)
	return b.run(c.I32(0))
}

// spin never ends.
func spin() []byte {
	return newBuilder().run(code().Loop(func(c *enginetest.Code) { c.Br(0) }).I32(0))
}

// grow asks for memory, its own or shared with the host, until there is none,
// and answers how many times it got some.
func grow(shared bool) []byte {
	b := newBuilder()
	alloc, store, output := b.env("alloc", 1, i64), b.env("store_u64", 2), b.env("output_set", 2)
	const out, n = 0, 1
	c := code().I64(8).Call(alloc).Set(out)
	c.Block(func(c *enginetest.Code) {
		c.Loop(func(c *enginetest.Code) {
			if shared {
				c.I64(64 << 10).Call(alloc).Op(0x50).BrIf(1) // i64.eqz
			} else {
				c.I32(1).Op(0x40, 0).I32(0xffffffff).Op(0x46).BrIf(1) // memory.grow, i32.eq
			}
			c.Get(n).I64(1).Op(opAdd).Set(n)
			c.Br(0)
		})
	})
	c.Get(out).Get(n).Call(store)
	return b.run(c.Get(out).I64(8).Call(output).I32(0))
}

// calling calls a function with constants and answers its i64 result.
func calling(module, name string, args ...uint64) []byte {
	b := newBuilder()
	called := b.imported(module, name, len(args), i64)
	alloc, store, output := b.env("alloc", 1, i64), b.env("store_u64", 2), b.env("output_set", 2)
	const out, result = 0, 1
	c := code()
	for _, a := range args {
		c.I64(a)
	}
	c.Call(called).Set(result).I64(8).Call(alloc).Set(out)
	c.Get(out).Get(result).Call(store)
	return b.run(c.Get(out).I64(8).Call(output).I32(0))
}
