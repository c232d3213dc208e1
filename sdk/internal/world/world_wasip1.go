package world

// A guest that serves no request has neither: what it got would be frozen for the
// life of its version.

func machineNow() int64 { panic("sdk: the clock was read while no request is served") }

func machineRandom([]byte) { panic("sdk: random bytes were drawn while no request is served") }
