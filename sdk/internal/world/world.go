// Package world is time and chance for packages that work in a plugin and in a
// program of net/http alike: the host's while a request is served, else the
// machine's. Only the SDK imports it.
package world

import "github.com/wasmoor/wasmoor/sdk/internal/hostcall"

// Now returns the time in nanoseconds since 1970-01-01 UTC.
func Now() int64 {
	if n := hostcall.ClockNow(); n >= 0 {
		return n
	}
	return machineNow()
}

// Random fills b with random bytes fit for keys and secrets.
func Random(b []byte) {
	if hostcall.RandomFill(b) < 0 {
		machineRandom(b)
	}
}
