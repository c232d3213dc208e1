package capability

import "github.com/wasmoor/wasmoor/abi"

// Memory is a guest's whole linear memory, valid within one host call. Pointers
// and lengths come from the guest: every access goes through these methods.
type Memory []byte

// Range returns n bytes at ptr and whether they lie within memory. Both come
// straight from a WebAssembly i32, so only their low 32 bits count.
func (m Memory) Range(ptr, n uint64) ([]byte, bool) {
	from, size := uint64(uint32(ptr)), uint64(uint32(n))
	if from+size > uint64(len(m)) {
		return nil, false
	}
	return m[from : from+size : from+size], true
}

// Put copies data to the buffer of capacity n at ptr and returns its size. Data
// that does not fit is not written; the size tells the guest what it needs.
func (m Memory) Put(ptr, n uint64, data []byte) int64 {
	buf, ok := m.Range(ptr, n)
	if !ok {
		return int64(abi.BadPointer)
	}
	return Fill(buf, data)
}

// Fill copies data to buf when it fits and returns its size.
func Fill[T string | []byte](buf []byte, data T) int64 {
	if len(data) <= len(buf) {
		copy(buf, data)
	}
	return int64(len(data))
}
