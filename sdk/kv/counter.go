package kv

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Add adds delta to the counter at key; an absent one starts at zero. Adds
// commute: any number of requests that only add to a counter never conflict,
// which is why the sum is not returned. Reading it with Int in the same request
// works, and gives that up. A counter keeps its TTL.
//
// A stored value that is not a counter, and an overflow, may be found only when
// the request commits, which then fails.
func Add(key string, delta int64) error {
	return check("add", key, hostcall.KVAdd(key, delta))
}

// Int returns the counter at key, zero if there is none.
func Int(key string) (int64, error) {
	value, ok, err := Get(key)
	if err != nil || !ok {
		return 0, err
	}
	n, ok := Counter(value)
	if !ok {
		return 0, &Error{Op: "get", Key: key, Status: ErrWrongType}
	}
	return n, nil
}

// SetInt sets the counter at key to n, without TTL.
func SetInt(key string, n int64) error {
	var buf [abi.CounterSize]byte
	return Set(key, abi.AppendUint64(buf[:0], uint64(n)))
}

// SetIntTTL sets the counter at key to n, to be absent after ttl as with SetTTL.
func SetIntTTL(key string, n int64, ttl TTL) error {
	var buf [abi.CounterSize]byte
	return SetTTL(key, abi.AppendUint64(buf[:0], uint64(n)), ttl)
}

// Counter reads a counter's value as List and Get return it. ok is false if the
// value is not a counter.
func Counter(value []byte) (n int64, ok bool) {
	if len(value) != abi.CounterSize {
		return 0, false
	}
	var u uint64
	for i, b := range value {
		u |= uint64(b) << (8 * i)
	}
	return int64(u), true
}
