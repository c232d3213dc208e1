// Package tally counts what requests do, where they do it: plain atomic counters
// that cost a request no lock and no allocation. Package telemetry/metrics reads
// them when somebody asks. dispatch, server/public and store/badger count with it.
package tally

import (
	"sync/atomic"
	"time"
)

// Seconds are the upper bounds of durations, those that OpenTelemetry advises for
// http.server.request.duration. Do not change them.
var Seconds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

// seconds are Seconds in nanoseconds.
var seconds = nanoseconds(Seconds)

func nanoseconds(bounds []float64) []int64 {
	list := make([]int64, len(bounds))
	for i, bound := range bounds {
		list[i] = int64(time.Duration(bound * float64(time.Second)).Round(time.Microsecond))
	}
	return list
}

// most is how many bounds a histogram has.
const most = 16

// Histogram counts values by size. The zero Histogram counts nothing; New makes one.
// Safe for concurrent use.
type Histogram struct {
	bounds []int64
	counts [most + 1]atomic.Uint64
	sum    atomic.Int64
}

// New returns a histogram with upper bounds in ascending order, at most 16.
func New(bounds ...int64) *Histogram { return &Histogram{bounds: bounds} }

// NewDurations returns a histogram of durations, in nanoseconds, with the bounds
// Seconds.
func NewDurations() *Histogram { return New(seconds...) }

// Add counts a value; one below 0 counts as 0.
func (h *Histogram) Add(value int64) {
	value = max(value, 0)
	i := 0
	for i < len(h.bounds) && value > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(value)
}

// Distribution is what a Histogram has counted.
type Distribution struct {
	Bounds []int64
	Below  []uint64 // how many values were at most the bound of that index
	Count  uint64
	Sum    int64
}

// Read returns what was counted so far.
func (h *Histogram) Read() Distribution {
	d := Distribution{Bounds: h.bounds, Below: make([]uint64, len(h.bounds))}
	for i := range h.bounds {
		d.Count += h.counts[i].Load()
		d.Below[i] = d.Count
	}
	d.Count += h.counts[len(h.bounds)].Load()
	d.Sum = h.sum.Load()
	return d
}
