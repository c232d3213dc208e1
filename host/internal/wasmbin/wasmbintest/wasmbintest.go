// Package wasmbintest writes WebAssembly binaries in tests, piece by piece. Tests of
// wasmbin and of rewrite import it.
package wasmbintest

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/hostile"
)

// Header is what a module starts with.
const Header = "\x00asm\x01\x00\x00\x00"

// Section encodes a section from its contents.
func Section(id byte, parts ...string) string {
	data := strings.Join(parts, "")
	return string(format.AppendU32([]byte{id}, uint32(len(data)))) + data
}

// Vec encodes items with their count before them.
func Vec(items ...string) string {
	return string(format.AppendU32(nil, uint32(len(items)))) + strings.Join(items, "")
}

// Text encodes a name.
func Text(s string) string { return string(format.AppendU32(nil, uint32(len(s)))) + s }

// U encodes numbers.
func U(numbers ...uint32) string {
	var b []byte
	for _, n := range numbers {
		b = format.AppendU32(b, n)
	}
	return string(b)
}

// FuncType encodes a signature; parameters and results are value type bytes.
func FuncType(params, results string) string { return "\x60" + Text(params) + Text(results) }

// Pieces of modules.
const (
	I32  = string(byte(abi.I32))
	I64  = string(byte(abi.I64))
	Zero = "\x41\x00\x0b"         // i32.const 0, end
	Code = "\x02\x00\x0b"         // a function body: no locals, end
	Huge = "\xff\xff\xff\xff\x0f" // 2^32-1
)

// Function encodes a function body without locals.
func Function(instructions ...string) string { return WithLocals("\x00", instructions...) }

// WithLocals encodes a function body with groups of locals.
func WithLocals(locals string, instructions ...string) string {
	return Text(locals + strings.Join(instructions, "") + "\x0b")
}

// Instructions has one of each form of operands.
var Instructions = []string{
	"\x00\x01\x0f\x1a\x1b", "\x02\x40\x03\x7f\x04\x00\x05\x0b\x0b\x0b", "\x0c\x00\x0d\x80\x00", "\x0e\x02\x00\x00\x80\x00",
	"\x10\x01\x11\x00\x01", "\x1c\x01\x7e", "\x20\x00\x24\x00\x25\x00", "\x28\x02\x80\x01\x3e\x00\x00", "\x3f\x00\x40\x00",
	"\x41\xff\x0b", "\x42\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "\x43\x0b\x0b\x0b\x0b", "\x44\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
	"\x45\xc4\xd1", "\xd0\x6f\xd2\x00", "\xfc\x00\xfc\x07", "\xfc\x08\x00\x00\xfc\x0a\x00\x00\xfc\x0c\x00\x00\xfc\x0e\x00\x00",
	"\xfc\x09\x00\xfc\x0b\x00\xfc\x0d\x00\xfc\x0f\x00\xfc\x11\x00", "\xfd\x00\x00\x00\xfd\x0b\x00\x00\xfd\x5c\x00\x00",
	"\xfd\x0c0123456789abcdef\xfd\x0d0123456789abcdef", "\xfd\x0e\xfd\x15\x0b\xfd\x54\x00\x00\x0b\xfd\x6b\xfd\xff\x01",
}

// Guest is a module with something of everything.
func Guest() string {
	return Header +
		Section(format.IDType, Vec(FuncType("", I32), FuncType(I32+I32, I64), FuncType("", ""))) +
		Section(format.IDCustom, Text("early"), "data") +
		Section(format.IDImport, Vec(
			Text("wasmoor_v1")+Text("request_head")+"\x00"+U(1),
			Text("env")+Text("t")+"\x01\x70\x00\x01",
			Text("env")+Text("m")+"\x02\x01\x01\x02",
			Text("env")+Text("g")+"\x03"+I32+"\x01")) +
		Section(format.IDFunction, Vec(U(0), U(2))) +
		Section(format.IDTable, Vec("\x70\x01\x02\x03")) +
		Section(format.IDMemory, Vec("\x00\x11")) +
		Section(format.IDGlobal, Vec(
			I32+"\x01\x41\xc0\x00\x0b", I64+"\x00\x42\x7f\x0b", "\x7d\x00\x43\x00\x00\x80\x3f\x0b",
			"\x7c\x00\x44"+"12345678"+"\x0b", "\x7b\x00\xfd\x0c"+"1234567812345678"+"\x0b", "\x70\x00\xd0\x70\x0b",
			"\x70\x00\xd2\x00\x0b", I32+"\x00\x23\x00\x41\x01\x6a\x0b")) +
		Section(format.IDExport, Vec(
			Text("wasmoor_handle")+"\x00"+U(1), Text("memory")+"\x02"+U(0),
			Text("table")+"\x01"+U(1), Text("global")+"\x03"+U(2), Text("head")+"\x00"+U(0))) +
		Section(format.IDStart, U(2)) +
		Section(format.IDElement, Vec(
			"\x00"+Zero+Vec(U(0), U(1)), "\x01\x00"+Vec(U(2)), "\x02\x01"+Zero+"\x00"+Vec(), "\x03\x00"+Vec(U(1)),
			"\x04"+Zero+Vec("\xd2\x00\x0b"), "\x05\x70"+Vec("\xd0\x70\x0b"), "\x06\x00"+Zero+"\x70"+Vec(), "\x07\x6f"+Vec())) +
		Section(format.IDDataCount, U(3)) +
		Section(format.IDCode, Vec(Code, WithLocals("\x02\x02"+I32+"\x01"+I64, Instructions...))) +
		Section(format.IDData, Vec("\x00"+Zero+Text("abc"), "\x01"+Text("passive"), "\x02\x00"+Zero+Text(""))) +
		Section(format.IDCustom, Text("wasmoor:manifest"), "name = \"x\"")
}

// AddHostile adds the hostile modules that are as wanted.
func AddHostile(f *testing.F, wanted func(family string, b []byte) bool) {
	f.Helper()
	for _, family := range hostile.Families() {
		for _, m := range family.Modules {
			if b := m.Make(); wanted(family.Name, b) {
				f.Add(b)
			}
		}
	}
}
