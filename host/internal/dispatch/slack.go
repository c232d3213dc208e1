package dispatch

import "runtime/metrics"

// slack finds out when a load is over that has left Go's runtime with memory: it
// keeps what it once had, and gives it back over minutes.
type slack struct {
	samples []metrics.Sample
	allocs  uint64 // bytes allocated in all, at the last look
	floor   uint64 // bytes that it had after memory was given back; 0 = never yet
}

// The runtime is let alone with so many bytes more than it had last.
const enoughSlack = 32 << 20

func newSlack() *slack {
	return &slack{samples: []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/gc/heap/allocs:bytes"},
	}}
}

// look reports whether there is memory to give back, and nobody who would take it
// again at once: since the last look less was allocated than a quarter of it.
func (s *slack) look() bool {
	has, allocated := s.read()
	busy := allocated > (has-min(s.floor, has))/4
	return !busy && has > s.floor+enoughSlack
}

// given notes what is left after memory was given back.
func (s *slack) given() { s.floor, _ = s.read() }

// read returns what the runtime has of the system, and how much was allocated
// since the last time.
func (s *slack) read() (has, allocated uint64) {
	metrics.Read(s.samples)
	has = s.samples[0].Value.Uint64() - s.samples[1].Value.Uint64()
	allocated = s.samples[2].Value.Uint64() - s.allocs
	s.allocs += allocated
	return has, allocated
}
