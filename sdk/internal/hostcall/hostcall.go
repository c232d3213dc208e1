// Package hostcall is the one place where the SDK meets the host: a thin,
// typed form of the host functions of package abi. In a guest they are
// WebAssembly imports; natively they go to the Host that a test installs with
// Run. Only the SDK may import it.
//
// Every function returns what the host returned: a size or a count when >= 0,
// an abi.Status when < 0.
package hostcall

import "github.com/wasmoor/wasmoor/abi"

// pageSize is what small answers of the host are read into.
const pageSize = 4 << 10

// scratch serves every read of an instance in turn. It is allocated once, and
// is one page of the heap: the host restores the pages a request has written,
// so a request that keeps to the same few is a cheap one.
var scratch = make([]byte, pageSize)

// Read runs call with the scratch buffer and, when the answer says it needs
// more, again with a buffer of that size. The bytes returned belong to the
// caller. The status is below zero when the host refused.
func Read(call func(buf []byte) int64) ([]byte, abi.Status) {
	b, status := ReadTo(scratch, call)
	if status < 0 || len(b) > len(scratch) {
		return b, status
	}
	return append(make([]byte, 0, len(b)), b...), abi.OK
}

// ReadShared is Read without the copy, for an answer that is decoded at once:
// the next read overwrites it.
func ReadShared(call func(buf []byte) int64) ([]byte, abi.Status) {
	return ReadTo(scratch, call)
}

// ReadTo runs call with buf and, when the answer says it needs more, again with
// a new buffer of that size. It returns the part that was filled.
//
// An answer is fixed within a request, so the second call fits; a host that
// keeps growing it is broken.
func ReadTo(buf []byte, call func(buf []byte) int64) ([]byte, abi.Status) {
	n := call(buf)
	if n > int64(len(buf)) {
		buf = make([]byte, n)
		n = call(buf)
	}
	switch {
	case n < 0:
		return nil, abi.Status(n)
	case n > int64(len(buf)):
		return nil, abi.Internal
	}
	return buf[:n], abi.OK
}
