package enginetest

// Code is the body of a function, instruction by instruction.
type Code struct{ bytes []byte }

const opEnd = 0x0b

// Op appends an instruction by its bytes.
func (c *Code) Op(bytes ...byte) *Code {
	c.bytes = append(c.bytes, bytes...)
	return c
}

// I32 pushes a constant.
func (c *Code) I32(v uint32) *Code {
	c.bytes = sleb(append(c.bytes, 0x41), int64(int32(v)))
	return c
}

// I64 pushes a constant.
func (c *Code) I64(v uint64) *Code {
	c.bytes = sleb(append(c.bytes, 0x42), int64(v))
	return c
}

// Call calls a function by index.
func (c *Code) Call(function uint32) *Code { return c.index(0x10, function) }

// Get pushes a local.
func (c *Code) Get(local uint32) *Code { return c.index(0x20, local) }

// Set pops to a local.
func (c *Code) Set(local uint32) *Code { return c.index(0x21, local) }

// Drop pops.
func (c *Code) Drop() *Code { return c.Op(0x1a) }

// Wrap turns an i64 into an i32.
func (c *Code) Wrap() *Code { return c.Op(0xa7) }

// Extend turns an i32 into an i64, unsigned.
func (c *Code) Extend() *Code { return c.Op(0xad) }

// Load64 pops an address and pushes the i64 there.
func (c *Code) Load64() *Code { return c.Op(0x29, 0, 0) }

// Load8 pops an address and pushes the byte there as i64.
func (c *Code) Load8() *Code { return c.Op(0x31, 0, 0) }

// Store64 pops an i64 and an address and stores it there.
func (c *Code) Store64() *Code { return c.Op(0x37, 0, 0) }

// Store8 pops an i64 and an address and stores its low byte there.
func (c *Code) Store8() *Code { return c.Op(0x3c, 0, 0) }

// Instructions on two i64.
const (
	opAdd  = 0x7c
	opSub  = 0x7d
	opMul  = 0x7e
	opDivU = 0x80
	opRemU = 0x82
	opLtS  = 0x53
	opLtU  = 0x54
	opEqz  = 0x50
)

// opEqz32 is opEqz for an i32: on a truth value it is not.
const opEqz32 = 0x45

// Loop appends a loop; BrIf(0) in it goes round again.
func (c *Code) Loop(body func(c *Code)) *Code { return c.structured(0x03, body) }

// Block appends a block; BrIf(0) in it leaves it.
func (c *Code) Block(body func(c *Code)) *Code { return c.structured(0x02, body) }

// If pops an i32 and runs body when it is not zero.
func (c *Code) If(body func(c *Code)) *Code { return c.structured(0x04, body) }

// Br branches.
func (c *Code) Br(depth uint32) *Code { return c.index(0x0c, depth) }

// BrIf pops an i32 and branches when it is not zero.
func (c *Code) BrIf(depth uint32) *Code { return c.index(0x0d, depth) }

// Return leaves the function with what is on the stack.
func (c *Code) Return() *Code { return c.Op(0x0f) }

// Unreachable traps.
func (c *Code) Unreachable() *Code { return c.Op(0x00) }

func (c *Code) structured(op byte, body func(c *Code)) *Code {
	const noResult = 0x40
	c.Op(op, noResult)
	body(c)
	return c.Op(opEnd)
}

func (c *Code) index(op byte, i uint32) *Code {
	c.bytes = uleb(append(c.bytes, op), uint64(i))
	return c
}
