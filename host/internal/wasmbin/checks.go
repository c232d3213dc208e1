package wasmbin

import (
	"encoding/binary"

	"github.com/wasmoor/wasmoor/abi"
)

// Instructions that only what is added is made of.
const (
	opLocalGet   = 0x20
	opLocalSet   = 0x21
	opLocalTee   = 0x22
	opI32Const   = 0x41
	opI32LtS     = 0x48
	opI32GtU     = 0x4b
	opI32LeU     = 0x4d
	opI64GtU     = 0x56
	opI64Const   = 0x42
	opF32Const   = 0x43
	opF64Const   = 0x44
	opI32Add     = 0x6a
	opI32Sub     = 0x6b
	opI32ShrU    = 0x76
	opI64Add     = 0x7c
	opI64Shl     = 0x86
	opI64ExtendU = 0xad
)

// bulkPiece is how many bytes are copied or filled between two checks.
const bulkPiece = 1 << 20

// charge appends: fuel -= cost; if fuel < 0 { slow() }.
func (a added) charge(out []byte, cost uint32) []byte {
	out = appendU32(append(out, opGlobalGet), a.fuel)
	out = append(appendI32(out, int32(cost)), opI32Sub)
	return a.spend(out)
}

// spend sets the fuel to what is on the stack.
func (a added) spend(out []byte) []byte {
	out = appendU32(append(out, opGlobalSet), a.fuel)
	out = appendU32(append(out, opGlobalGet), a.fuel)
	out = append(out, opI32Const, 0, opI32LtS, opIf, blockEmpty, opCall)
	return append(appendU32(out, a.slow), opEnd)
}

// large appends a bulk operation, with its size in a local, that a helper does
// if it is large.
func (a added) large(out []byte, size, helper uint32, operation []byte) []byte {
	out = appendU32(append(out, opLocalTee), size)
	out = appendU32(append(out, opLocalGet), size)
	out = append(appendI32(out, smallBulk), opI32GtU, opIf)
	out = appendSigned(out, int64(a.bulkType))
	out = append(appendU32(append(out, opCall), helper), opElse)
	return append(append(out, operation...), opEnd)
}

// slowBody asks the host and fills up.
func (a added) slowBody() []byte {
	out := appendU32([]byte{0, opCall}, a.check)
	out = appendI32(out, a.full)
	return append(appendU32(append(out, opGlobalSet), a.fuel), opEnd)
}

// Locals of the helpers: their parameters.
const (
	localTo   = iota
	localFrom // or the value to fill with
	localSize
)

// fillBody is memory.fill in pieces. What is small or out of bounds is one
// instruction as before, so that a trap comes before anything is written.
func (a added) fillBody() []byte {
	fill := []byte{opMisc, miscMemoryFill, 0}
	out := a.startBulk([]byte{0}, localTo)
	out = append(out, opLoop, blockEmpty)
	out = a.piece(out, fill)
	out = advance(out, localTo, opI32Add)
	out = again(out)
	return a.endBulk(append(out, opEnd), fill)
}

// copyBody is memory.copy in pieces: forwards if the destination is before the
// source, else backwards, as the two may overlap.
func (a added) copyBody() []byte {
	copies := []byte{opMisc, miscMemoryCopy, 0, 0}
	out := a.startBulk([]byte{0}, localTo, localFrom)
	out = append(out, opLocalGet, localTo, opLocalGet, localFrom, opI32LeU, opIf, blockEmpty, opLoop, blockEmpty)
	out = a.piece(out, copies)
	out = advance(out, localTo, opI32Add)
	out = advance(out, localFrom, opI32Add)
	out = append(again(out), opElse, opLoop, blockEmpty)
	out = advance(out, localSize, opI32Sub)
	for _, local := range []byte{localTo, localFrom} {
		out = append(out, opLocalGet, local, opLocalGet, localSize, opI32Add)
	}
	out = append(appendI32(out, bulkPiece), copies...)
	out = a.charge(out, bulkPiece/bytesPerUnit)
	out = append(out, opLocalGet, localSize)
	out = append(appendI32(out, bulkPiece), opI32GtU, opBrIf, 0, opEnd, opEnd)
	return a.endBulk(append(out, opEnd), copies)
}

// startBulk opens a block and leaves it if one instruction will do: the size is
// that of a piece at most, or the operation is out of bounds at an address.
func (a added) startBulk(out []byte, addresses ...byte) []byte {
	out = append(out, opBlock, blockEmpty, opLocalGet, localSize)
	out = append(appendI32(out, bulkPiece), opI32LeU, opBrIf, 0)
	for _, address := range addresses {
		out = append(out, opLocalGet, address, opI64ExtendU, opLocalGet, localSize, opI64ExtendU, opI64Add)
		out = append(out, opMemorySize, 0, opI64ExtendU, opI64Const, 16, opI64Shl, opI64GtU, opBrIf, 0)
	}
	return out
}

// piece does the first piece and charges it.
func (a added) piece(out, operation []byte) []byte {
	out = append(out, opLocalGet, localTo, opLocalGet, localFrom)
	out = append(appendI32(out, bulkPiece), operation...)
	return a.charge(out, bulkPiece/bytesPerUnit)
}

// advance adds a piece to a local or takes it off.
func advance(out []byte, local byte, op byte) []byte {
	out = appendI32(append(out, opLocalGet, local), bulkPiece)
	return append(out, op, opLocalSet, local)
}

// again takes a piece off the size and repeats the loop while a piece does not
// hold the rest.
func again(out []byte) []byte {
	out = advance(out, localSize, opI32Sub)
	out = append(out, opLocalGet, localSize)
	return append(appendI32(out, bulkPiece), opI32GtU, opBrIf, 0, opEnd)
}

// endBulk charges what is left and does it.
func (a added) endBulk(out, operation []byte) []byte {
	out = appendU32(append(out, opGlobalGet), a.fuel)
	out = append(out, opLocalGet, localSize, opI32Const, 4, opI32ShrU, opI32Sub)
	out = a.spend(out)
	out = append(out, opLocalGet, localTo, opLocalGet, localFrom, opLocalGet, localSize)
	return append(append(out, operation...), opEnd)
}

// appendI32 appends i32.const.
func appendI32(out []byte, v int32) []byte { return appendSigned(append(out, opI32Const), int64(v)) }

// appendSigned appends v as a signed LEB128.
func appendSigned(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		if v >>= 7; v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// appendConst appends the constant of a number's type with these bits.
func appendConst(out []byte, t abi.Type, bits uint64) []byte {
	switch t {
	case abi.I32:
		return appendI32(out, int32(uint32(bits)))
	case abi.I64:
		return appendSigned(append(out, opI64Const), int64(bits))
	case f32Type:
		return binary.LittleEndian.AppendUint32(append(out, opF32Const), uint32(bits))
	default:
		return binary.LittleEndian.AppendUint64(append(out, opF64Const), bits)
	}
}
