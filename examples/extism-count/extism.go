//go:build wasip1

package main

// The functions of Extism's kernel that this plugin needs. A PDK wraps them;
// without one they are all there is to it.

//go:wasmimport extism:host/env input_length
func inputLength() uint64

//go:wasmimport extism:host/env input_load_u8
func inputLoad(at uint64) uint32

//go:wasmimport extism:host/env alloc
func alloc(n uint64) uint64

//go:wasmimport extism:host/env length
func length(block uint64) uint64

//go:wasmimport extism:host/env load_u8
func load(at uint64) uint32

//go:wasmimport extism:host/env store_u8
func store(at uint64, v uint32)

//go:wasmimport extism:host/env output_set
func outputSet(block, n uint64)

//go:wasmimport extism:host/env error_set
func errorSet(block uint64)

//go:wasmimport extism:host/env config_get
func configGet(name uint64) uint64

// countVowels is what the route calls. A result that is not 0 is a failure.
//
//go:wasmexport count_vowels
func countVowels() int32 {
	vowels := "aeiouAEIOU"
	if block := configGet(put("vowels")); block != 0 {
		vowels = get(block)
	}
	answer, err := count(input(), vowels)
	if err != nil {
		errorSet(put(err.Error()))
		return 1
	}
	outputSet(put(answer), uint64(len(answer)))
	return 0
}

// input returns the host's input.
func input() string {
	b := make([]byte, inputLength())
	for i := range b {
		b[i] = byte(inputLoad(uint64(i)))
	}
	return string(b)
}

// get returns the text of a block.
func get(block uint64) string {
	b := make([]byte, length(block))
	for i := range b {
		b[i] = byte(load(block + uint64(i)))
	}
	return string(b)
}

// put makes a block of a text.
func put(s string) uint64 {
	block := alloc(uint64(len(s)))
	for i := range len(s) {
		store(block+uint64(i), uint32(s[i]))
	}
	return block
}
