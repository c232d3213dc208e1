package format

import (
	"encoding/binary"

	"github.com/wasmoor/wasmoor/abi"
)

// AppendU32 appends v as an unsigned LEB128.
func AppendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// AppendName appends a name with its length.
func AppendName(b []byte, name string) []byte {
	return append(AppendU32(b, uint32(len(name))), name...)
}

// AppendI32 appends i32.const.
func AppendI32(out []byte, v int32) []byte { return AppendSigned(append(out, OpI32Const), int64(v)) }

// AppendSigned appends v as a signed LEB128.
func AppendSigned(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		if v >>= 7; v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// AppendConst appends the constant of a number's type with these bits.
func AppendConst(out []byte, t abi.Type, bits uint64) []byte {
	switch t {
	case abi.I32:
		return AppendI32(out, int32(uint32(bits)))
	case abi.I64:
		return AppendSigned(append(out, OpI64Const), int64(bits))
	case F32:
		return binary.LittleEndian.AppendUint32(append(out, OpF32Const), uint32(bits))
	default:
		return binary.LittleEndian.AppendUint64(append(out, OpF64Const), bits)
	}
}
