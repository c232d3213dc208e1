//go:build wasip1

package sdk

import "runtime"

// yieldEvery is above the number of warm-up requests that a manifest may have.
const yieldEvery = 32

// handle is the guest's one entry. It yields now and then: the toolchain's
// WebAssembly has no threads and no preemption, so the garbage collector's
// workers, and goroutines a plugin left running, get no other turn. A guest that
// starts every request in the same memory never comes to that, and is spared
// what it costs: as much as a small request.
//
//go:wasmexport wasmoor_handle
func handle() int32 {
	code := Serve(handler)
	if state.served%yieldEvery == 0 {
		runtime.Gosched()
	}
	return code
}
