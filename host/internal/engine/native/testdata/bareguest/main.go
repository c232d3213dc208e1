// Bareguest answers "hello" without the SDK: what Go itself costs.
package main

import "unsafe"

//go:wasmimport wasmoor_v1 response_write
//go:noescape
func responseWrite(data unsafe.Pointer, size uint32) int64

var hello = []byte("hello")

//go:wasmexport wasmoor_handle
func handle() int32 {
	responseWrite(unsafe.Pointer(&hello[0]), uint32(len(hello)))
	return 0
}

func main() {}
