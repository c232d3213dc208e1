package format

// Instructions, by their opcode (section 5.4 of WebAssembly 2.0), with tail calls
// of WebAssembly 3.0.
const (
	OpUnreachable    = 0x00
	OpBlock          = 0x02
	OpLoop           = 0x03
	OpIf             = 0x04
	OpElse           = 0x05
	OpEnd            = 0x0b
	OpBr             = 0x0c
	OpBrIf           = 0x0d
	OpBrTable        = 0x0e
	OpReturn         = 0x0f
	OpCall           = 0x10
	OpCallIndirect   = 0x11
	OpTailCall       = 0x12 // return_call
	OpTailIndirect   = 0x13 // return_call_indirect
	OpDrop           = 0x1a
	OpSelect         = 0x1b
	OpSelectT        = 0x1c
	OpLocalGet       = 0x20
	OpLocalSet       = 0x21
	OpLocalTee       = 0x22
	OpGlobalGet      = 0x23
	OpGlobalSet      = 0x24
	OpTableGet       = 0x25
	OpTableSet       = 0x26
	OpI32Load8U      = 0x2d
	OpMemorySize     = 0x3f
	OpMemoryGrow     = 0x40
	OpI32Const       = 0x41
	OpI64Const       = 0x42
	OpF32Const       = 0x43
	OpF64Const       = 0x44
	OpI32Eqz         = 0x45
	OpI32Eq          = 0x46
	OpI32LtS         = 0x48
	OpI32GtU         = 0x4b
	OpI32LeU         = 0x4d
	OpI32GeU         = 0x4f
	OpI64Eq          = 0x51
	OpI64LtS         = 0x53
	OpI64GtU         = 0x56
	OpI64GeU         = 0x5a
	OpI32Clz         = 0x67
	OpI32Ctz         = 0x68
	OpI32Popcnt      = 0x69
	OpI32Add         = 0x6a
	OpI32Sub         = 0x6b
	OpI32Mul         = 0x6c
	OpI32RemS        = 0x6f
	OpI32RemU        = 0x70
	OpI32And         = 0x71
	OpI32Or          = 0x72
	OpI32Xor         = 0x73
	OpI32Shl         = 0x74
	OpI32ShrU        = 0x76
	OpI64Clz         = 0x79
	OpI64Ctz         = 0x7a
	OpI64Popcnt      = 0x7b
	OpI64Add         = 0x7c
	OpI64Sub         = 0x7d
	OpI64Mul         = 0x7e
	OpI64RemS        = 0x81
	OpI64RemU        = 0x82
	OpI64And         = 0x83
	OpI64Or          = 0x84
	OpI64Xor         = 0x85
	OpI64Shl         = 0x86
	OpI64ShrU        = 0x88
	OpF32Mul         = 0x94
	OpF32Copysign    = 0x98
	OpF64Mul         = 0xa2
	OpF64Copysign    = 0xa6
	OpI32WrapI64     = 0xa7
	OpI64ExtendU     = 0xad
	OpF32ConvertI64S = 0xb4
	OpF32ConvertI64U = 0xb5
	OpF64ConvertI64S = 0xb9
	OpF64ConvertI64U = 0xba
	OpI32ReinterpF32 = 0xbc
	OpI64ReinterpF64 = 0xbd
	OpF32ReinterpI32 = 0xbe
	OpF64ReinterpI64 = 0xbf
	OpRefNull        = 0xd0
	OpRefIsNull      = 0xd1
	OpRefFunc        = 0xd2
	OpMisc           = 0xfc
	OpVector         = 0xfd
)

// Instructions that follow OpMisc.
const (
	MiscTruncF64S  = 2 // i32.trunc_sat_f64_s
	MiscMemoryInit = 8
	MiscDataDrop   = 9
	MiscMemoryCopy = 10
	MiscMemoryFill = 11
	MiscTableInit  = 12
	MiscElemDrop   = 13
	MiscTableCopy  = 14
	MiscTableGrow  = 15
	MiscTableSize  = 16
	MiscTableFill  = 17
)

// Instructions that follow OpVector.
const (
	VecLoad8Splat = 7
	VecConst      = 12
	VecShuffle    = 13
	VecSwizzle    = 14
	VecSplatI8    = 15
	VecSplatI16   = 16
	VecSplatI32   = 17
	VecSplatI64   = 18
	VecExtractI64 = 29
	VecReplaceI64 = 30
	VecExtractF64 = 33
	VecReplaceF64 = 34
	VecEqI8       = 35 // then ne, lt_s, lt_u, gt_s, gt_u, le_s, le_u, ge_s, ge_u
	VecGeUI32     = 64 // the last, over 16 and 32 bits
	VecGtF32      = 68
	VecGeF32      = 70
	VecNot        = 77
	VecAnd        = 78
	VecAndNot     = 79
	VecOr         = 80
	VecXor        = 81
	VecBitselect  = 82
	VecPopcnt     = 98
	VecShlI8      = 107
	VecShrSI8     = 108
	VecShrUI8     = 109
	VecAddI8      = 110
	VecSubI8      = 113
	VecShlI16     = 139
	VecShrUI16    = 141
	VecExtendI64  = 199 // low_s, high_s, low_u, high_u
	VecExtendLowU = 201 // i64x2.extend_low_i32x4_u
	VecMulI64     = 213
	VecEqI64      = 214 // then ne, lt_s, gt_s, le_s, ge_s
	VecExtmulI64  = 220 // in the same order
	VecExtmulLast = 223
	VecSubF32     = 229
	VecF32Min     = 232
	VecF32Max     = 233
	VecSubF64     = 241
	VecF64Min     = 244
	VecF64Max     = 245
	VecTruncS     = 248 // i32x4.trunc_sat_f32x4_s
	VecTruncU     = 249
	VecTruncZeroS = 252 // i32x4.trunc_sat_f64x2_s_zero
	VecTruncZeroU = 253
	VecConvertU   = 255 // f64x2.convert_low_i32x4_u
)

// BlockEmpty is the type of a block that leaves nothing.
const BlockEmpty = 0x40
