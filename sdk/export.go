//go:build wasip1

package sdk

import "runtime"

// handle is the guest's one entry. It yields once per request: the toolchain's
// WebAssembly has no threads and no preemption, so the garbage collector's
// workers, and goroutines a plugin left running, get no other turn.
//
//go:wasmexport wasmoor_handle
func handle() int32 {
	code := Serve(handler)
	runtime.Gosched()
	return code
}
