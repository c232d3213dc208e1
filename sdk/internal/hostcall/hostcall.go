// Package hostcall is the one place where the SDK meets the host: a thin,
// typed form of the host functions of package abi. In a guest they are
// WebAssembly imports; natively they go to the Host that a test installs with
// Run. Only the SDK may import it.
//
// Every function returns what the host returned: a size or a count when >= 0,
// an abi.Status when < 0.
package hostcall

import "github.com/wasmoor/wasmoor/abi"

// Host answers the host functions in a native test. The methods mean what the
// functions of the same name do; slices are valid within the call only.
type Host interface {
	RequestHead(buf []byte) int64
	RequestBody(offset int64, buf []byte) int64
	ResponseHead(head []byte) int64
	ResponseWrite(data []byte) int64
	RouteSet(pattern string) int64
	OutcomeSet(outcome uint32) int64
	KVGet(key string, buf []byte) int64
	KVSet(key string, value []byte, ttl int64) int64
	KVDelete(key string) int64
	KVAdd(key string, delta int64) int64
	KVList(prefix, after string, limit, flags uint32, buf []byte) int64
	ConfigGet(name string, buf []byte) int64
	LogWrite(level uint32, message string, attrs []byte) int64
	ClockNow() int64
	RandomFill(buf []byte) int64
	HTTPOpen(head []byte) int64
	HTTPWrite(handle uint32, data []byte) int64
	HTTPSend(handles []byte) int64
	HTTPHead(handle uint32, buf []byte) int64
	HTTPRead(handle uint32, buf []byte) int64
	HTTPClose(handle uint32) int64
}

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
