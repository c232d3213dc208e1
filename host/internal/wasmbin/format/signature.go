package format

import "github.com/wasmoor/wasmoor/abi"

// Signature says what an instruction takes from the stack and leaves there, a
// letter for each value: i, l, f, d and v for i32, i64, f32, f64 and v128, r for
// a reference. Which kind of reference it is does not matter here.
type Signature struct{ In, Out string }

// TypeOf is the value type of a letter.
var TypeOf = map[byte]abi.Type{'i': abi.I32, 'l': abi.I64, 'f': F32, 'd': F64, 'v': V128, 'r': FuncRef}

// signatureRange is the signature of the instructions first to last.
type signatureRange struct {
	first, last uint32
	Signature
}

// FirstPlain and LastPlain are the first and the last of Plain.
const (
	FirstPlain = 0x28
	LastPlain  = 0xc4
)

// Plain are the instructions whose types are in their opcode (section 5.4 of
// WebAssembly 2.0), from 0x28 on, without a gap.
var Plain = expand(FirstPlain, []signatureRange{
	{0x28, 0x28, Signature{"i", "i"}},
	{0x29, 0x29, Signature{"i", "l"}},
	{0x2a, 0x2a, Signature{"i", "f"}},
	{0x2b, 0x2b, Signature{"i", "d"}},
	{0x2c, 0x2f, Signature{"i", "i"}},
	{0x30, 0x35, Signature{"i", "l"}}, // loads
	{0x36, 0x36, Signature{"ii", ""}},
	{0x37, 0x37, Signature{"il", ""}},
	{0x38, 0x38, Signature{"if", ""}},
	{0x39, 0x39, Signature{"id", ""}},
	{0x3a, 0x3b, Signature{"ii", ""}},
	{0x3c, 0x3e, Signature{"il", ""}}, // stores
	{0x3f, 0x3f, Signature{"", "i"}},
	{0x40, 0x40, Signature{"i", "i"}}, // memory.size, memory.grow
	{0x41, 0x41, Signature{"", "i"}},
	{0x42, 0x42, Signature{"", "l"}},
	{0x43, 0x43, Signature{"", "f"}},
	{0x44, 0x44, Signature{"", "d"}}, // constants
	{0x45, 0x45, Signature{"i", "i"}},
	{0x46, 0x4f, Signature{"ii", "i"}},
	{0x50, 0x50, Signature{"l", "i"}},
	{0x51, 0x5a, Signature{"ll", "i"}},
	{0x5b, 0x60, Signature{"ff", "i"}},
	{0x61, 0x66, Signature{"dd", "i"}}, // comparisons
	{0x67, 0x69, Signature{"i", "i"}},
	{0x6a, 0x78, Signature{"ii", "i"}},
	{0x79, 0x7b, Signature{"l", "l"}},
	{0x7c, 0x8a, Signature{"ll", "l"}},
	{0x8b, 0x91, Signature{"f", "f"}},
	{0x92, 0x98, Signature{"ff", "f"}},
	{0x99, 0x9f, Signature{"d", "d"}},
	{0xa0, 0xa6, Signature{"dd", "d"}}, // arithmetic
	{0xa7, 0xa7, Signature{"l", "i"}},
	{0xa8, 0xa9, Signature{"f", "i"}},
	{0xaa, 0xab, Signature{"d", "i"}},
	{0xac, 0xad, Signature{"i", "l"}},
	{0xae, 0xaf, Signature{"f", "l"}},
	{0xb0, 0xb1, Signature{"d", "l"}},
	{0xb2, 0xb3, Signature{"i", "f"}},
	{0xb4, 0xb5, Signature{"l", "f"}},
	{0xb6, 0xb6, Signature{"d", "f"}},
	{0xb7, 0xb8, Signature{"i", "d"}},
	{0xb9, 0xba, Signature{"l", "d"}},
	{0xbb, 0xbb, Signature{"f", "d"}},
	{0xbc, 0xbc, Signature{"f", "i"}},
	{0xbd, 0xbd, Signature{"d", "l"}},
	{0xbe, 0xbe, Signature{"i", "f"}},
	{0xbf, 0xbf, Signature{"l", "d"}},
	{0xc0, 0xc1, Signature{"i", "i"}},
	{0xc2, 0xc4, Signature{"l", "l"}}, // conversions
})

// Misc are those of 0xfc.
var Misc = expand(0, []signatureRange{
	{0, 1, Signature{"f", "i"}},
	{2, 3, Signature{"d", "i"}},
	{4, 5, Signature{"f", "l"}},
	{6, 7, Signature{"d", "l"}},
	{MiscMemoryInit, MiscMemoryInit, Signature{"iii", ""}},
	{MiscDataDrop, MiscDataDrop, Signature{}},
	{MiscMemoryCopy, MiscTableInit, Signature{"iii", ""}},
	{MiscElemDrop, MiscElemDrop, Signature{}},
	{MiscTableCopy, MiscTableCopy, Signature{"iii", ""}},
	{MiscTableGrow, MiscTableGrow, Signature{"ri", "i"}},
	{MiscTableSize, MiscTableSize, Signature{"", "i"}},
	{MiscTableFill, MiscTableFill, Signature{"iri", ""}},
})

// Vector are those of 0xfd. Most take two vectors and leave one; numbers that no
// instruction has are among them.
var Vector = expand(0, []signatureRange{
	{0, 10, Signature{"i", "v"}},
	{11, 11, Signature{"iv", ""}},
	{12, 12, Signature{"", "v"}},
	{13, 14, Signature{"vv", "v"}},
	{15, 17, Signature{"i", "v"}},
	{18, 18, Signature{"l", "v"}},
	{19, 19, Signature{"f", "v"}},
	{20, 20, Signature{"d", "v"}},
	{21, 22, Signature{"v", "i"}},
	{23, 23, Signature{"vi", "v"}},
	{24, 25, Signature{"v", "i"}},
	{26, 26, Signature{"vi", "v"}},
	{27, 27, Signature{"v", "i"}},
	{28, 28, Signature{"vi", "v"}},
	{29, 29, Signature{"v", "l"}},
	{30, 30, Signature{"vl", "v"}},
	{31, 31, Signature{"v", "f"}},
	{32, 32, Signature{"vf", "v"}},
	{33, 33, Signature{"v", "d"}},
	{34, 34, Signature{"vd", "v"}}, // lanes
	{35, 76, Signature{"vv", "v"}},
	{77, 77, Signature{"v", "v"}},
	{78, 81, Signature{"vv", "v"}},
	{82, 82, Signature{"vvv", "v"}},
	{83, 83, Signature{"v", "i"}},
	{84, 87, Signature{"iv", "v"}},
	{88, 91, Signature{"iv", ""}},
	{92, 93, Signature{"i", "v"}},
	{94, 98, Signature{"v", "v"}},
	{99, 100, Signature{"v", "i"}},
	{101, 102, Signature{"vv", "v"}},
	{103, 106, Signature{"v", "v"}},
	{107, 109, Signature{"vi", "v"}},
	{110, 115, Signature{"vv", "v"}},
	{116, 117, Signature{"v", "v"}},
	{118, 121, Signature{"vv", "v"}},
	{122, 122, Signature{"v", "v"}},
	{123, 123, Signature{"vv", "v"}}, // bytes
	{124, 129, Signature{"v", "v"}},
	{130, 130, Signature{"vv", "v"}},
	{131, 132, Signature{"v", "i"}},
	{133, 134, Signature{"vv", "v"}},
	{135, 138, Signature{"v", "v"}},
	{139, 141, Signature{"vi", "v"}},
	{142, 147, Signature{"vv", "v"}},
	{148, 148, Signature{"v", "v"}},
	{149, 159, Signature{"vv", "v"}}, // 16 bits
	{160, 162, Signature{"v", "v"}},
	{163, 164, Signature{"v", "i"}},
	{165, 166, Signature{"vv", "v"}},
	{167, 170, Signature{"v", "v"}},
	{171, 173, Signature{"vi", "v"}},
	{174, 191, Signature{"vv", "v"}}, // 32 bits
	{192, 194, Signature{"v", "v"}},
	{195, 196, Signature{"v", "i"}},
	{197, 198, Signature{"vv", "v"}},
	{199, 202, Signature{"v", "v"}},
	{203, 205, Signature{"vi", "v"}},
	{206, 223, Signature{"vv", "v"}}, // 64 bits
	{224, 227, Signature{"v", "v"}},
	{228, 235, Signature{"vv", "v"}},
	{236, 239, Signature{"v", "v"}},
	{240, 247, Signature{"vv", "v"}},
	{248, 255, Signature{"v", "v"}}, // floats and conversions
})

// expand returns the signatures by their opcode, less the first.
func expand(first uint32, ranges []signatureRange) []Signature {
	var list []Signature
	for _, r := range ranges {
		for op := r.first; op <= r.last; op++ {
			if op != first+uint32(len(list)) {
				panic("wasmbin: the table of signatures has a gap")
			}
			list = append(list, r.Signature)
		}
	}
	return list
}
