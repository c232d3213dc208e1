package store

import (
	"encoding/binary"
	"time"

	"github.com/wasmoor/wasmoor/abi"
)

// ExpiredAt reports whether v is no longer to be seen at now.
func (v Value) ExpiredAt(now time.Time) bool {
	return v.Expires != 0 && v.Expires <= now.UnixMilli()
}

// CounterOf reads data as a counter: exactly abi.CounterSize bytes, a
// little-endian i64. It reports whether data is one.
func CounterOf(data []byte) (n int64, ok bool) {
	if len(data) != abi.CounterSize {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(data)), true
}

// AppendCounter appends the value of a counter that stands at n.
func AppendCounter(b []byte, n int64) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(n))
}

// AddCounter returns a+b and whether it is within an i64.
func AddCounter(a, b int64) (sum int64, ok bool) {
	sum = a + b
	return sum, (sum > a) == (b > 0)
}

// State is all of a key that a decision depends on: everything but the data.
type State struct {
	Exists  bool
	Counter bool  // N is the value of the counter
	Size    int64 // bytes of data
	Expires int64 // Unix milliseconds, 0 = never
	N       int64
}

// StateOf returns the state of a key that holds v.
func StateOf(v Value) State {
	s := State{Exists: true, Size: int64(len(v.Data)), Expires: v.Expires}
	s.N, s.Counter = CounterOf(v.Data)
	return s
}
