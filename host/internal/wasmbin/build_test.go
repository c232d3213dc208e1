package wasmbin

import (
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

const header = "\x00asm\x01\x00\x00\x00"

// section encodes a section from its contents.
func section(id byte, parts ...string) string {
	var data string
	for _, p := range parts {
		data += p
	}
	return string(appendU32([]byte{id}, uint32(len(data)))) + data
}

// vec encodes items with their count before them.
func vec(items ...string) string {
	s := string(appendU32(nil, uint32(len(items))))
	for _, i := range items {
		s += i
	}
	return s
}

// text encodes a name.
func text(s string) string { return string(appendU32(nil, uint32(len(s)))) + s }

// u encodes numbers.
func u(numbers ...uint32) string {
	var b []byte
	for _, n := range numbers {
		b = appendU32(b, n)
	}
	return string(b)
}

// funcType encodes a signature; parameters and results are value type bytes.
func funcType(params, results string) string { return "\x60" + text(params) + text(results) }

const (
	i32, i64 = string(byte(abi.I32)), string(byte(abi.I64))
	zero     = "\x41\x00\x0b" // i32.const 0, end
	code     = "\x02\x00\x0b" // a function body: no locals, end
)

// function encodes a function body without locals.
func function(instructions ...string) string { return withLocals("\x00", instructions...) }

func withLocals(locals string, instructions ...string) string {
	return text(locals + strings.Join(instructions, "") + "\x0b")
}

// instructions has one of each form of operands.
var instructions = []string{
	"\x00\x01\x0f\x1a\x1b", "\x02\x40\x03\x7f\x04\x00\x05\x0b\x0b\x0b", "\x0c\x00\x0d\x80\x00", "\x0e\x02\x00\x00\x80\x00",
	"\x10\x01\x11\x00\x01", "\x1c\x01\x7e", "\x20\x00\x24\x00\x25\x00", "\x28\x02\x80\x01\x3e\x00\x00", "\x3f\x00\x40\x00",
	"\x41\xff\x0b", "\x42\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "\x43\x0b\x0b\x0b\x0b", "\x44\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
	"\x45\xc4\xd1", "\xd0\x6f\xd2\x00", "\xfc\x00\xfc\x07", "\xfc\x08\x00\x00\xfc\x0a\x00\x00\xfc\x0c\x00\x00\xfc\x0e\x00\x00",
	"\xfc\x09\x00\xfc\x0b\x00\xfc\x0d\x00\xfc\x0f\x00\xfc\x11\x00", "\xfd\x00\x00\x00\xfd\x0b\x00\x00\xfd\x5c\x00\x00",
	"\xfd\x0c0123456789abcdef\xfd\x0d0123456789abcdef", "\xfd\x0e\xfd\x15\x0b\xfd\x54\x00\x00\x0b\xfd\x6b\xfd\xff\x01",
}

// guest is a module with something of everything.
func guest() string {
	return header +
		section(idType, vec(funcType("", i32), funcType(i32+i32, i64), funcType("", ""))) +
		section(idCustom, text("early"), "data") +
		section(idImport, vec(
			text("wasmoor_v1")+text("request_head")+"\x00"+u(1),
			text("env")+text("t")+"\x01\x70\x00\x01",
			text("env")+text("m")+"\x02\x01\x01\x02",
			text("env")+text("g")+"\x03"+i32+"\x01")) +
		section(idFunction, vec(u(0), u(2))) +
		section(idTable, vec("\x70\x01\x02\x03")) +
		section(idMemory, vec("\x00\x11")) +
		section(idGlobal, vec(
			i32+"\x01\x41\xc0\x00\x0b", i64+"\x00\x42\x7f\x0b", "\x7d\x00\x43\x00\x00\x80\x3f\x0b",
			"\x7c\x00\x44"+"12345678"+"\x0b", "\x7b\x00\xfd\x0c"+"1234567812345678"+"\x0b", "\x70\x00\xd0\x70\x0b",
			"\x70\x00\xd2\x00\x0b", i32+"\x00\x23\x00\x41\x01\x6a\x0b")) +
		section(idExport, vec(
			text("wasmoor_handle")+"\x00"+u(1), text("memory")+"\x02"+u(0),
			text("table")+"\x01"+u(1), text("global")+"\x03"+u(2), text("head")+"\x00"+u(0))) +
		section(idStart, u(2)) +
		section(idElement, vec(
			"\x00"+zero+vec(u(0), u(1)), "\x01\x00"+vec(u(2)), "\x02\x01"+zero+"\x00"+vec(), "\x03\x00"+vec(u(1)),
			"\x04"+zero+vec("\xd2\x00\x0b"), "\x05\x70"+vec("\xd0\x70\x0b"), "\x06\x00"+zero+"\x70"+vec(), "\x07\x6f"+vec())) +
		section(idDataCount, u(3)) +
		section(idCode, vec(code, withLocals("\x02\x02"+i32+"\x01"+i64, instructions...))) +
		section(idData, vec("\x00"+zero+text("abc"), "\x01"+text("passive"), "\x02\x00"+zero+text(""))) +
		section(idCustom, text("wasmoor:manifest"), "name = \"x\"")
}
