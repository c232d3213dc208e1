package e2e

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkRestart measures a start with many plugins until the first answers,
// and until one more wakes.
func BenchmarkRestart(b *testing.B) {
	const plugins = 200
	dir := b.TempDir()
	s := serve(b, dir, "--log-level", "warn")
	module := pack(b, goGuest(b, "../../examples/hello"), "go")
	for i := range plugins {
		s.deploy(fmt.Sprintf("go-%d", i), module)
	}
	s.stop()
	var first, next time.Duration
	for b.Loop() {
		begun := time.Now()
		s = serve(b, dir, "--log-level", "warn")
		started := time.Since(begun)
		wake := func(i int) time.Duration {
			begun := time.Now()
			if a := s.get(fmt.Sprintf("/go-%d/", i)); a.status != 200 {
				b.Fatal(a)
			}
			return time.Since(begun)
		}
		first += started + wake(0)
		next += wake(1)
		s.stop()
	}
	b.ReportMetric(first.Seconds()/float64(b.N), "s/first-answer")
	b.ReportMetric(next.Seconds()*1000/float64(b.N), "ms/wake")
	b.ReportMetric(0, "ns/op")
}
