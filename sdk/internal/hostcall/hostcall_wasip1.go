//go:build wasip1

package hostcall

import "unsafe"

//go:wasmimport wasmoor_v1 request_head
//go:noescape
func requestHead(buf unsafe.Pointer, size uint32) int64

//go:wasmimport wasmoor_v1 request_body
//go:noescape
func requestBody(offset int64, buf unsafe.Pointer, size uint32) int64

//go:wasmimport wasmoor_v1 response_head
//go:noescape
func responseHead(head unsafe.Pointer, size uint32) int64

//go:wasmimport wasmoor_v1 response_write
//go:noescape
func responseWrite(data unsafe.Pointer, size uint32) int64

//go:wasmimport wasmoor_v1 route_set
//go:noescape
func routeSet(pattern string) int64

//go:wasmimport wasmoor_v1 outcome_set
func outcomeSet(outcome uint32) int64

//go:wasmimport wasmoor_v1 kv_get
//go:noescape
func kvGet(key string, buf unsafe.Pointer, size uint32) int64

//go:wasmimport wasmoor_v1 kv_set
//go:noescape
func kvSet(key string, value unsafe.Pointer, size uint32, ttl int64) int64

//go:wasmimport wasmoor_v1 kv_delete
//go:noescape
func kvDelete(key string) int64

//go:wasmimport wasmoor_v1 kv_add
//go:noescape
func kvAdd(key string, delta int64) int64

//go:wasmimport wasmoor_v1 kv_list
//go:noescape
func kvList(prefix, after string, limit, flags uint32, buf unsafe.Pointer, size uint32) int64

//go:wasmimport wasmoor_v1 config_get
//go:noescape
func configGet(name string, buf unsafe.Pointer, size uint32) int64

//go:wasmimport wasmoor_v1 log_write
//go:noescape
func logWrite(level uint32, message string, attrs unsafe.Pointer, size uint32) int64

//go:wasmimport wasmoor_v1 clock_now
func clockNow() int64

//go:wasmimport wasmoor_v1 random_fill
//go:noescape
func randomFill(buf unsafe.Pointer, size uint32) int64

//go:wasmimport wasmoor_v1 http_open
//go:noescape
func httpOpen(head unsafe.Pointer, size uint32) int64

//go:wasmimport wasmoor_v1 http_write
//go:noescape
func httpWrite(handle uint32, data unsafe.Pointer, size uint32) int64

//go:wasmimport wasmoor_v1 http_send
//go:noescape
func httpSend(handles unsafe.Pointer, size uint32) int64

//go:wasmimport wasmoor_v1 http_head
//go:noescape
func httpHead(handle uint32, buf unsafe.Pointer, size uint32) int64

//go:wasmimport wasmoor_v1 http_read
//go:noescape
func httpRead(handle uint32, buf unsafe.Pointer, size uint32) int64

//go:wasmimport wasmoor_v1 http_close
func httpClose(handle uint32) int64

func pointer(b []byte) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))
}

// RequestHead reads the request's head.
func RequestHead(buf []byte) int64 { return requestHead(pointer(buf)) }

// RequestBody copies body bytes from offset; 0 is the end.
func RequestBody(offset int64, buf []byte) int64 {
	p, n := pointer(buf)
	return requestBody(offset, p, n)
}

// ResponseHead sets status and header; the last call stands.
func ResponseHead(head []byte) int64 { return responseHead(pointer(head)) }

// ResponseWrite appends to the response's body.
func ResponseWrite(data []byte) int64 { return responseWrite(pointer(data)) }

// RouteSet reports the pattern that matched.
func RouteSet(pattern string) int64 { return routeSet(pattern) }

// OutcomeSet decides whether the effects commit.
func OutcomeSet(outcome uint32) int64 { return outcomeSet(outcome) }

// KVGet reads a value.
func KVGet(key string, buf []byte) int64 {
	p, n := pointer(buf)
	return kvGet(key, p, n)
}

// KVSet writes a value; ttl is in milliseconds.
func KVSet(key string, value []byte, ttl int64) int64 {
	p, n := pointer(value)
	return kvSet(key, p, n, ttl)
}

// KVDelete removes a key.
func KVDelete(key string) int64 { return kvDelete(key) }

// KVAdd adds to a counter.
func KVAdd(key string, delta int64) int64 { return kvAdd(key, delta) }

// KVList reads one page of keys.
func KVList(prefix, after string, limit, flags uint32, buf []byte) int64 {
	p, n := pointer(buf)
	return kvList(prefix, after, limit, flags, p, n)
}

// ConfigGet reads a config value.
func ConfigGet(name string, buf []byte) int64 {
	p, n := pointer(buf)
	return configGet(name, p, n)
}

// LogWrite writes one record.
func LogWrite(level uint32, message string, attrs []byte) int64 {
	p, n := pointer(attrs)
	return logWrite(level, message, p, n)
}

// ClockNow returns the time of the invocation.
func ClockNow() int64 { return clockNow() }

// RandomFill fills buf with random bytes.
func RandomFill(buf []byte) int64 { return randomFill(pointer(buf)) }

// HTTPOpen opens a call to another service.
func HTTPOpen(head []byte) int64 { return httpOpen(pointer(head)) }

// HTTPWrite appends to the call's body.
func HTTPWrite(handle uint32, data []byte) int64 {
	p, n := pointer(data)
	return httpWrite(handle, p, n)
}

// HTTPSend sends calls and waits for their responses' heads.
func HTTPSend(handles []byte) int64 { return httpSend(pointer(handles)) }

// HTTPHead reads what became of a call.
func HTTPHead(handle uint32, buf []byte) int64 {
	p, n := pointer(buf)
	return httpHead(handle, p, n)
}

// HTTPRead reads the next bytes of a response's body.
func HTTPRead(handle uint32, buf []byte) int64 {
	p, n := pointer(buf)
	return httpRead(handle, p, n)
}

// HTTPClose ends a call.
func HTTPClose(handle uint32) int64 { return httpClose(handle) }

// Run is for native tests; it is here so that they are checked with the rest.
func Run(Host, func()) { panic("hostcall: a guest has its own host") }
