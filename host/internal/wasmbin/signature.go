package wasmbin

import "github.com/wasmoor/wasmoor/abi"

// signature says what an instruction takes from the stack and leaves there, a
// letter for each value: i, l, f, d and v for i32, i64, f32, f64 and v128, r for
// a reference. Which kind of reference it is does not matter here.
type signature struct{ in, out string }

var typeOf = map[byte]abi.Type{'i': abi.I32, 'l': abi.I64, 'f': f32Type, 'd': f64Type, 'v': vectorType, 'r': funcRef}

// signatureRange is the signature of the instructions first to last.
type signatureRange struct {
	first, last uint32
	signature
}

// plain are the instructions whose types are in their opcode (section 5.4 of
// WebAssembly 2.0), from 0x28 on, without a gap.
var plain = expand(0x28, []signatureRange{
	{0x28, 0x28, signature{"i", "i"}},
	{0x29, 0x29, signature{"i", "l"}},
	{0x2a, 0x2a, signature{"i", "f"}},
	{0x2b, 0x2b, signature{"i", "d"}},
	{0x2c, 0x2f, signature{"i", "i"}},
	{0x30, 0x35, signature{"i", "l"}}, // loads
	{0x36, 0x36, signature{"ii", ""}},
	{0x37, 0x37, signature{"il", ""}},
	{0x38, 0x38, signature{"if", ""}},
	{0x39, 0x39, signature{"id", ""}},
	{0x3a, 0x3b, signature{"ii", ""}},
	{0x3c, 0x3e, signature{"il", ""}}, // stores
	{0x3f, 0x3f, signature{"", "i"}},
	{0x40, 0x40, signature{"i", "i"}}, // memory.size, memory.grow
	{0x41, 0x41, signature{"", "i"}},
	{0x42, 0x42, signature{"", "l"}},
	{0x43, 0x43, signature{"", "f"}},
	{0x44, 0x44, signature{"", "d"}}, // constants
	{0x45, 0x45, signature{"i", "i"}},
	{0x46, 0x4f, signature{"ii", "i"}},
	{0x50, 0x50, signature{"l", "i"}},
	{0x51, 0x5a, signature{"ll", "i"}},
	{0x5b, 0x60, signature{"ff", "i"}},
	{0x61, 0x66, signature{"dd", "i"}}, // comparisons
	{0x67, 0x69, signature{"i", "i"}},
	{0x6a, 0x78, signature{"ii", "i"}},
	{0x79, 0x7b, signature{"l", "l"}},
	{0x7c, 0x8a, signature{"ll", "l"}},
	{0x8b, 0x91, signature{"f", "f"}},
	{0x92, 0x98, signature{"ff", "f"}},
	{0x99, 0x9f, signature{"d", "d"}},
	{0xa0, 0xa6, signature{"dd", "d"}}, // arithmetic
	{0xa7, 0xa7, signature{"l", "i"}},
	{0xa8, 0xa9, signature{"f", "i"}},
	{0xaa, 0xab, signature{"d", "i"}},
	{0xac, 0xad, signature{"i", "l"}},
	{0xae, 0xaf, signature{"f", "l"}},
	{0xb0, 0xb1, signature{"d", "l"}},
	{0xb2, 0xb3, signature{"i", "f"}},
	{0xb4, 0xb5, signature{"l", "f"}},
	{0xb6, 0xb6, signature{"d", "f"}},
	{0xb7, 0xb8, signature{"i", "d"}},
	{0xb9, 0xba, signature{"l", "d"}},
	{0xbb, 0xbb, signature{"f", "d"}},
	{0xbc, 0xbc, signature{"f", "i"}},
	{0xbd, 0xbd, signature{"d", "l"}},
	{0xbe, 0xbe, signature{"i", "f"}},
	{0xbf, 0xbf, signature{"l", "d"}},
	{0xc0, 0xc1, signature{"i", "i"}},
	{0xc2, 0xc4, signature{"l", "l"}}, // conversions
})

// misc are those of 0xfc.
var misc = expand(0, []signatureRange{
	{0, 1, signature{"f", "i"}},
	{2, 3, signature{"d", "i"}},
	{4, 5, signature{"f", "l"}},
	{6, 7, signature{"d", "l"}},
	{miscMemoryInit, miscMemoryInit, signature{"iii", ""}},
	{miscDataDrop, miscDataDrop, signature{}},
	{miscMemoryCopy, miscTableInit, signature{"iii", ""}},
	{miscElemDrop, miscElemDrop, signature{}},
	{miscTableCopy, miscTableCopy, signature{"iii", ""}},
	{miscTableGrow, miscTableGrow, signature{"ri", "i"}},
	{miscTableSize, miscTableSize, signature{"", "i"}},
	{miscTableFill, miscTableFill, signature{"iri", ""}},
})

// vector are those of 0xfd. Most take two vectors and leave one; numbers that no
// instruction has are among them.
var vector = expand(0, []signatureRange{
	{0, 10, signature{"i", "v"}},
	{11, 11, signature{"iv", ""}},
	{12, 12, signature{"", "v"}},
	{13, 14, signature{"vv", "v"}},
	{15, 17, signature{"i", "v"}},
	{18, 18, signature{"l", "v"}},
	{19, 19, signature{"f", "v"}},
	{20, 20, signature{"d", "v"}},
	{21, 22, signature{"v", "i"}},
	{23, 23, signature{"vi", "v"}},
	{24, 25, signature{"v", "i"}},
	{26, 26, signature{"vi", "v"}},
	{27, 27, signature{"v", "i"}},
	{28, 28, signature{"vi", "v"}},
	{29, 29, signature{"v", "l"}},
	{30, 30, signature{"vl", "v"}},
	{31, 31, signature{"v", "f"}},
	{32, 32, signature{"vf", "v"}},
	{33, 33, signature{"v", "d"}},
	{34, 34, signature{"vd", "v"}}, // lanes
	{35, 76, signature{"vv", "v"}},
	{77, 77, signature{"v", "v"}},
	{78, 81, signature{"vv", "v"}},
	{82, 82, signature{"vvv", "v"}},
	{83, 83, signature{"v", "i"}},
	{84, 87, signature{"iv", "v"}},
	{88, 91, signature{"iv", ""}},
	{92, 93, signature{"i", "v"}},
	{94, 98, signature{"v", "v"}},
	{99, 100, signature{"v", "i"}},
	{101, 102, signature{"vv", "v"}},
	{103, 106, signature{"v", "v"}},
	{107, 109, signature{"vi", "v"}},
	{110, 115, signature{"vv", "v"}},
	{116, 117, signature{"v", "v"}},
	{118, 121, signature{"vv", "v"}},
	{122, 122, signature{"v", "v"}},
	{123, 123, signature{"vv", "v"}}, // bytes
	{124, 129, signature{"v", "v"}},
	{130, 130, signature{"vv", "v"}},
	{131, 132, signature{"v", "i"}},
	{133, 134, signature{"vv", "v"}},
	{135, 138, signature{"v", "v"}},
	{139, 141, signature{"vi", "v"}},
	{142, 147, signature{"vv", "v"}},
	{148, 148, signature{"v", "v"}},
	{149, 159, signature{"vv", "v"}}, // 16 bits
	{160, 162, signature{"v", "v"}},
	{163, 164, signature{"v", "i"}},
	{165, 166, signature{"vv", "v"}},
	{167, 170, signature{"v", "v"}},
	{171, 173, signature{"vi", "v"}},
	{174, 191, signature{"vv", "v"}}, // 32 bits
	{192, 194, signature{"v", "v"}},
	{195, 196, signature{"v", "i"}},
	{197, 198, signature{"vv", "v"}},
	{199, 202, signature{"v", "v"}},
	{203, 205, signature{"vi", "v"}},
	{206, 223, signature{"vv", "v"}}, // 64 bits
	{224, 227, signature{"v", "v"}},
	{228, 235, signature{"vv", "v"}},
	{236, 239, signature{"v", "v"}},
	{240, 247, signature{"vv", "v"}},
	{248, 255, signature{"v", "v"}}, // floats and conversions
})

// expand returns the signatures by their opcode, less the first.
func expand(first uint32, ranges []signatureRange) []signature {
	var list []signature
	for _, r := range ranges {
		for op := r.first; op <= r.last; op++ {
			if op != first+uint32(len(list)) {
				panic("wasmbin: the table of signatures has a gap")
			}
			list = append(list, r.signature)
		}
	}
	return list
}
