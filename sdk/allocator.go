package sdk

// Up to these sizes objects are common; in bytes, and in pointers.
const (
	stockedBytes    = 1 << 10
	stockedPointers = 32
)

// stocked holds an object while it is made, so that it is one of the heap.
var stocked struct {
	bytes    []byte
	pointers []*byte
}

// stock makes an object of each small size. Go's allocator takes 8 KiB from the heap for the
// first one, which costs more than ten further objects and writes to more pages: a guest has
// that done when it starts, and not again in each request.
func stock() {
	for n := 1; n <= stockedBytes; n = cap(stocked.bytes) + 1 { // the capacity is that of the size
		stocked.bytes = append([]byte(nil), make([]byte, n)...)
	}
	for n := 1; n <= stockedPointers; n = cap(stocked.pointers) + 1 {
		stocked.pointers = append([]*byte(nil), make([]*byte, n)...)
	}
	stocked.bytes, stocked.pointers = nil, nil
}
