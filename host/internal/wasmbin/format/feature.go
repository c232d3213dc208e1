package format

import "fmt"

// Feature is one of WebAssembly that guests do not have.
type Feature struct {
	Name  string // as the specification or its proposal calls it
	Avoid string // how toolchains leave it out
}

// Features after WebAssembly 2.0, and what their toolchains call them.
var (
	exceptions = Feature{
		"exception handling",
		"build without -fwasm-exceptions and -mexception-handling, and in Rust with panic=abort; setjmp and longjmp of wasi-libc need it too",
	}
	threads = Feature{
		"threads",
		"build without -pthread, -matomics and --shared-memory, in Rust for wasm32-wasip1 and not wasm32-wasip1-threads, in AssemblyScript with --disable threads",
	}
	memory64    = Feature{"64-bit memory (memory64)", "build for wasm32 and not wasm64, with Emscripten without -sMEMORY64"}
	multiMemory = Feature{"several memories (multi-memory)", "link into one memory, e.g. with wasm-opt --multi-memory-lowering"}
	pageSizes   = Feature{"custom page sizes", "link without --page-size"}
	relaxedSIMD = Feature{"relaxed SIMD", "build with -mno-relaxed-simd, in Rust with -C target-feature=-relaxed-simd; fixed SIMD is fine"}
	garbage     = Feature{
		"garbage collection (GC)",
		"the compilers of Kotlin, Dart, Java, OCaml and Scheme to Wasm need it; with others build without -mgc, and run wasm-opt without --enable-gc",
	}
	references = Feature{"typed function references", "build for WebAssembly 2.0, with wasm-opt without --enable-gc and --enable-typed-function-references"}
	switching  = Feature{"stack switching", "build for WebAssembly 2.0"}
	wide       = Feature{"wide arithmetic", "build with -mno-wide-arithmetic, in Rust with -C target-feature=-wide-arithmetic"}
	unknown    = Feature{"", "the module is damaged, or built for a later version: build with -mcpu=generic, in Rust with -C target-cpu=generic"}
)

// refuse fails at an offset with what is of a feature.
func (r *Reader) refuse(offset int, f Feature, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if f.Name == "" {
		r.Fail(offset, "%s is not of WebAssembly 2.0; %s", what, f.Avoid)
		return
	}
	r.Fail(offset, "%s is of %s, which guests do not have; %s", what, f.Name, f.Avoid)
}

// RefuseInstruction fails at the instruction that starts at an offset, which is not
// one that guests have.
func (r *Reader) RefuseInstruction(start int, op byte) {
	r.refuse(start, instructionFeature(op), "instruction 0x%02x", op)
}

func instructionFeature(op byte) Feature {
	switch op {
	case 0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f: // try, catch, throw, rethrow, throw_ref, delegate, catch_all, try_table
		return exceptions
	case 0x14, 0x15, 0xd4, 0xd5, 0xd6: // call_ref, return_call_ref, ref.as_non_null, br_on_null, br_on_non_null
		return references
	case 0xd3, 0xfb: // ref.eq; structs, arrays, casts, strings
		return garbage
	case 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6: // cont.new to switch
		return switching
	case 0xfe: // atomic instructions
		return threads
	}
	return unknown
}

// RefuseMisc fails at an instruction of 0xfc that guests do not have.
func (r *Reader) RefuseMisc(start int, op uint32) {
	f := unknown
	if op >= 19 && op <= 22 { // i64.add128, sub128, mul_wide_s, mul_wide_u
		f = wide
	}
	r.refuse(start, f, "instruction 0xfc %d", op)
}

// RefuseVector fails at an instruction of 0xfd that guests do not have.
func (r *Reader) RefuseVector(start int, op uint32) {
	f := unknown
	if op >= 256 && op < 304 {
		f = relaxedSIMD
	}
	r.refuse(start, f, "instruction 0xfd %d", op)
}

// RefuseType fails at the form of a type that is not a function.
func (r *Reader) RefuseType(start int, form byte) {
	f := unknown
	switch form {
	case 0x4c, 0x4d, 0x4e, 0x4f, 0x50, 0x5e, 0x5f: // describes, descriptor, rec, sub, sub final, array, struct
		f = garbage
	case 0x5d: // cont
		f = switching
	}
	r.refuse(start, f, "type form 0x%02x", form)
}

// RefuseKind fails at the kind of an import or export; what says which.
func (r *Reader) RefuseKind(start int, what string, kind byte) {
	f := unknown
	if kind == 4 { // a tag
		f = exceptions
	}
	r.refuse(start, f, "%s kind %d", what, kind)
}

// refuseValueType fails at a value type that guests do not have.
func (r *Reader) refuseValueType(start int, t byte) {
	f := unknown
	switch {
	case t == 0x40 || t == 0x63 || t == 0x64: // a table with a value, (ref null), (ref)
		f = references
	case t == 0x69 || t == 0x74: // exnref, noexn
		f = exceptions
	case t == 0x68 || t == 0x75: // contref, nocont
		f = switching
	case t >= 0x65 && t <= 0x78: // structref, anyref and their kin, strings, packed types
		f = garbage
	}
	r.refuse(start, f, "type 0x%02x", t)
}

// RefuseMemories fails where there are n memories.
func (r *Reader) RefuseMemories(start, n int) {
	r.refuse(start, multiMemory, "a module with %d memories", n)
}

// refuseSection fails at a section that guests do not have.
func (r *Reader) refuseSection(start int, id byte) {
	switch id {
	case idTag:
		r.refuse(start, exceptions, "the tag section")
	case idStrings:
		r.refuse(start, garbage, "the section of strings")
	default:
		r.refuse(start, unknown, "section id %d", id)
	}
}

// Sections that guests do not have.
const (
	idTag     = 13
	idStrings = 14
)

// refuseLimits fails at flags of limits that guests do not have; what is what has
// them.
func (r *Reader) refuseLimits(start int, what string, flags byte) {
	f := unknown
	switch {
	case flags > 15:
	case flags&8 != 0:
		f = pageSizes
	case flags&4 != 0:
		f = memory64
	default:
		f = threads
	}
	r.refuse(start, f, "%s with the flags 0x%02x", what, flags)
}
