//go:build !wasip1

package hostcall

import (
	"sync"
	"sync/atomic"

	"github.com/wasmoor/wasmoor/abi"
)

// A guest instance serves one request at a time and so keeps its state in
// package variables; natively the lock makes the same true of parallel tests.
var (
	instance sync.Mutex
	current  atomic.Pointer[Host]
)

// Run calls f with h answering the host functions. Calls of Run take turns; f
// must not call Run.
func Run(h Host, f func()) {
	instance.Lock()
	defer instance.Unlock()
	current.Store(&h)
	defer current.Store(nil)
	f()
}

// ask sends a call to the installed host. Without one it answers as a host does
// during initialisation.
func ask(call func(Host) int64) int64 {
	h := current.Load()
	if h == nil {
		return int64(abi.Unavailable)
	}
	return call(*h)
}

// RequestHead reads the request's head.
func RequestHead(buf []byte) int64 {
	return ask(func(h Host) int64 { return h.RequestHead(buf) })
}

// RequestBody copies body bytes from offset; 0 is the end.
func RequestBody(offset int64, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.RequestBody(offset, buf) })
}

// ResponseHead sets status and header; the last call stands.
func ResponseHead(head []byte) int64 {
	return ask(func(h Host) int64 { return h.ResponseHead(head) })
}

// ResponseWrite appends to the response's body.
func ResponseWrite(data []byte) int64 {
	return ask(func(h Host) int64 { return h.ResponseWrite(data) })
}

// RouteSet reports the pattern that matched.
func RouteSet(pattern string) int64 {
	return ask(func(h Host) int64 { return h.RouteSet(pattern) })
}

// OutcomeSet decides whether the effects commit.
func OutcomeSet(outcome uint32) int64 {
	return ask(func(h Host) int64 { return h.OutcomeSet(outcome) })
}

// KVGet reads a value.
func KVGet(key string, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.KVGet(key, buf) })
}

// KVSet writes a value; ttl is in milliseconds.
func KVSet(key string, value []byte, ttl int64) int64 {
	return ask(func(h Host) int64 { return h.KVSet(key, value, ttl) })
}

// KVDelete removes a key.
func KVDelete(key string) int64 {
	return ask(func(h Host) int64 { return h.KVDelete(key) })
}

// KVAdd adds to a counter.
func KVAdd(key string, delta int64) int64 {
	return ask(func(h Host) int64 { return h.KVAdd(key, delta) })
}

// KVList reads one page of keys.
func KVList(prefix, after string, limit, flags uint32, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.KVList(prefix, after, limit, flags, buf) })
}

// ConfigGet reads a config value.
func ConfigGet(name string, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.ConfigGet(name, buf) })
}

// LogWrite writes one record.
func LogWrite(level uint32, message string, attrs []byte) int64 {
	return ask(func(h Host) int64 { return h.LogWrite(level, message, attrs) })
}

// ClockNow returns the time of the invocation.
func ClockNow() int64 { return ask(Host.ClockNow) }

// RandomFill fills buf with random bytes.
func RandomFill(buf []byte) int64 {
	return ask(func(h Host) int64 { return h.RandomFill(buf) })
}

// HTTPOpen opens a call to another service.
func HTTPOpen(head []byte) int64 {
	return ask(func(h Host) int64 { return h.HTTPOpen(head) })
}

// HTTPWrite appends to the call's body.
func HTTPWrite(handle uint32, data []byte) int64 {
	return ask(func(h Host) int64 { return h.HTTPWrite(handle, data) })
}

// HTTPSend sends calls and waits for their responses' heads.
func HTTPSend(handles []byte) int64 {
	return ask(func(h Host) int64 { return h.HTTPSend(handles) })
}

// HTTPHead reads what became of a call.
func HTTPHead(handle uint32, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.HTTPHead(handle, buf) })
}

// HTTPRead reads the next bytes of a response's body.
func HTTPRead(handle uint32, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.HTTPRead(handle, buf) })
}

// HTTPClose ends a call.
func HTTPClose(handle uint32) int64 {
	return ask(func(h Host) int64 { return h.HTTPClose(handle) })
}
