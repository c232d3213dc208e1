//go:build wasip1

package main

import (
	"encoding/json"
	"fmt"
)

// Functions of Extism's kernel.

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

// Functions of wasmoor. Keys and values are blocks; a result below zero is a
// status code.

//go:wasmimport extism:host/user kv_get
func kvGet(key uint64) int64

//go:wasmimport extism:host/user kv_add
func kvAdd(key uint64, delta int64) int64

// handler is what the routes call. A result that is not 0 is a failure: nothing
// of what it wrote commits.
//
//go:wasmexport handle
func handler() int32 {
	if err := serve(); err != nil {
		errorSet(put([]byte(err.Error())))
		return 1
	}
	return 0
}

func serve() error {
	var r request
	if err := json.Unmarshal(input(), &r); err != nil {
		return err
	}
	answer, err := handle(r, platform{})
	if err != nil {
		return err
	}
	output, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	outputSet(put(output), uint64(len(output)))
	return nil
}

// platform is the host's key-value store.
type platform struct{}

func (platform) add(key string, delta int64) error {
	if status := kvAdd(put([]byte(key)), delta); status < 0 {
		return fmt.Errorf("kv_add: status %d", status)
	}
	return nil
}

func (platform) get(key string) ([]byte, bool, error) {
	block := kvGet(put([]byte(key)))
	switch {
	case block < 0:
		return nil, false, fmt.Errorf("kv_get: status %d", block)
	case block == 0:
		return nil, false, nil
	}
	return get(uint64(block)), true, nil
}

// input returns the host's input.
func input() []byte {
	b := make([]byte, inputLength())
	for i := range b {
		b[i] = byte(inputLoad(uint64(i)))
	}
	return b
}

// get returns the bytes of a block.
func get(block uint64) []byte {
	b := make([]byte, length(block))
	for i := range b {
		b[i] = byte(load(block + uint64(i)))
	}
	return b
}

// put makes a block of bytes.
func put(data []byte) uint64 {
	block := alloc(uint64(len(data)))
	for i, c := range data {
		store(block+uint64(i), uint32(c))
	}
	return block
}
