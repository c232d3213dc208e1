package rewrite

import "github.com/wasmoor/wasmoor/host/internal/wasmbin/format"

// bulkPiece is how many bytes are copied or filled between two checks.
const bulkPiece = 1 << 20

// charge appends: fuel -= cost; if fuel < 0 { slow() }.
func (a added) charge(out []byte, cost uint32) []byte {
	out = format.AppendU32(append(out, format.OpGlobalGet), a.fuel)
	out = append(format.AppendI32(out, int32(cost)), format.OpI32Sub)
	return a.spend(out)
}

// spend sets the fuel to what is on the stack.
func (a added) spend(out []byte) []byte {
	out = format.AppendU32(append(out, format.OpGlobalSet), a.fuel)
	out = format.AppendU32(append(out, format.OpGlobalGet), a.fuel)
	out = append(out, format.OpI32Const, 0, format.OpI32LtS, format.OpIf, format.BlockEmpty, format.OpCall)
	return append(format.AppendU32(out, a.slow), format.OpEnd)
}

// large appends a bulk operation, with its size in a local, that a helper does
// if it is large.
func (a added) large(out []byte, size, helper uint32, operation []byte) []byte {
	out = format.AppendU32(append(out, format.OpLocalTee), size)
	out = format.AppendU32(append(out, format.OpLocalGet), size)
	out = append(format.AppendI32(out, smallBulk), format.OpI32GtU, format.OpIf)
	out = format.AppendSigned(out, int64(a.bulkType))
	out = append(format.AppendU32(append(out, format.OpCall), helper), format.OpElse)
	return append(append(out, operation...), format.OpEnd)
}

// slowBody asks the host and fills up.
func (a added) slowBody() []byte {
	out := format.AppendU32([]byte{0, format.OpCall}, a.check)
	out = format.AppendI32(out, a.full)
	return append(format.AppendU32(append(out, format.OpGlobalSet), a.fuel), format.OpEnd)
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
	fill := []byte{format.OpMisc, format.MiscMemoryFill, 0}
	out := a.startBulk([]byte{0}, localTo)
	out = append(out, format.OpLoop, format.BlockEmpty)
	out = a.piece(out, fill)
	out = advance(out, localTo, format.OpI32Add)
	out = again(out)
	return a.endBulk(append(out, format.OpEnd), fill)
}

// copyBody is memory.copy in pieces: forwards if the destination is before the
// source, else backwards, as the two may overlap.
func (a added) copyBody() []byte {
	copies := []byte{format.OpMisc, format.MiscMemoryCopy, 0, 0}
	out := a.startBulk([]byte{0}, localTo, localFrom)
	out = append(out, format.OpLocalGet, localTo, format.OpLocalGet, localFrom, format.OpI32LeU, format.OpIf, format.BlockEmpty, format.OpLoop, format.BlockEmpty)
	out = a.piece(out, copies)
	out = advance(out, localTo, format.OpI32Add)
	out = advance(out, localFrom, format.OpI32Add)
	out = append(again(out), format.OpElse, format.OpLoop, format.BlockEmpty)
	out = advance(out, localSize, format.OpI32Sub)
	for _, local := range []byte{localTo, localFrom} {
		out = append(out, format.OpLocalGet, local, format.OpLocalGet, localSize, format.OpI32Add)
	}
	out = append(format.AppendI32(out, bulkPiece), copies...)
	out = a.charge(out, bulkPiece/bytesPerUnit)
	out = append(out, format.OpLocalGet, localSize)
	out = append(format.AppendI32(out, bulkPiece), format.OpI32GtU, format.OpBrIf, 0, format.OpEnd, format.OpEnd)
	return a.endBulk(append(out, format.OpEnd), copies)
}

// startBulk opens a block and leaves it if one instruction will do: the size is
// that of a piece at most, or the operation is out of bounds at an address.
func (a added) startBulk(out []byte, addresses ...byte) []byte {
	out = append(out, format.OpBlock, format.BlockEmpty, format.OpLocalGet, localSize)
	out = append(format.AppendI32(out, bulkPiece), format.OpI32LeU, format.OpBrIf, 0)
	for _, address := range addresses {
		out = append(out, format.OpLocalGet, address, format.OpI64ExtendU, format.OpLocalGet, localSize, format.OpI64ExtendU, format.OpI64Add)
		out = append(out, format.OpMemorySize, 0, format.OpI64ExtendU, format.OpI64Const, 16, format.OpI64Shl, format.OpI64GtU, format.OpBrIf, 0)
	}
	return out
}

// piece does the first piece and charges it.
func (a added) piece(out, operation []byte) []byte {
	out = append(out, format.OpLocalGet, localTo, format.OpLocalGet, localFrom)
	out = append(format.AppendI32(out, bulkPiece), operation...)
	return a.charge(out, bulkPiece/bytesPerUnit)
}

// advance adds a piece to a local or takes it off.
func advance(out []byte, local byte, op byte) []byte {
	out = format.AppendI32(append(out, format.OpLocalGet, local), bulkPiece)
	return append(out, op, format.OpLocalSet, local)
}

// again takes a piece off the size and repeats the loop while a piece does not
// hold the rest.
func again(out []byte) []byte {
	out = advance(out, localSize, format.OpI32Sub)
	out = append(out, format.OpLocalGet, localSize)
	return append(format.AppendI32(out, bulkPiece), format.OpI32GtU, format.OpBrIf, 0, format.OpEnd)
}

// endBulk charges what is left and does it.
func (a added) endBulk(out, operation []byte) []byte {
	out = format.AppendU32(append(out, format.OpGlobalGet), a.fuel)
	out = append(out, format.OpLocalGet, localSize, format.OpI32Const, 4, format.OpI32ShrU, format.OpI32Sub)
	out = a.spend(out)
	out = append(out, format.OpLocalGet, localTo, format.OpLocalGet, localFrom, format.OpLocalGet, localSize)
	return append(append(out, operation...), format.OpEnd)
}
