package e2e

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// Load of BenchmarkTail: short rounds and rests, and many of them, so that the
// median is of those that nothing else on the machine disturbed.
const (
	tailConns  = 16
	tailRounds = 9
	tailPeak   = time.Second / 4
	tailRound  = time.Second / 2
	tailRest   = time.Second / 4
	tailShare  = 0.7 // of the peak
)

// BenchmarkTail measures latency at a share of each candidate's own peak, from
// when a request was due, so that a stall is charged for all that it kept
// waiting.
//
// Servers have one core and the load another. With both on all cores they
// preempt each other for a scheduler's slice at a time, and the figures, Fiber's
// too, are those of the machine. What else runs here does the same, which the
// column "kept" shows: the share of the round for which the thread that sends
// was kept from its core. Only a run where it is near 0 tells anything.
func BenchmarkTail(b *testing.B) {
	hello := goGuest(b, "../../examples/hello")
	servers, load := twoCores(b)
	runtime.LockOSThread() // for good: the thread ends with the benchmark
	pin(b, servers)
	s := serve(b, b.TempDir(), "--log-level", "warn")
	bare := startBare(b).fiber
	pin(b, load)
	s.deploy("tiny", pack(b, enginetest.Tiny(), "tiny"))
	s.deploy("go", pack(b, hello, "go"))
	candidates := []*tail{
		{name: "Fiber alone, hello", driver: drive(b, bare, "/", "", tailConns)},
		{name: "tiny guest, hello", driver: drive(b, s.public, "/tiny", "", tailConns)},
		{name: "Go guest, hello", driver: drive(b, s.public, "/go", "", tailConns)},
	}
	for b.Loop() {
		for range tailRounds {
			for _, c := range candidates {
				c.measure(b)
			}
		}
	}
	b.Log("\n" + tailTable(candidates))
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

// twoCores picks two of the cores that this process may use.
func twoCores(b *testing.B) (first, second int) {
	b.Helper()
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		b.Fatal(err)
	}
	if allowed.Count() < 2 {
		b.Fatal("one core for the servers and one for the load are needed")
	}
	for !allowed.IsSet(first) {
		first++
	}
	for second = first + 1; !allowed.IsSet(second); {
		second++
	}
	return first, second
}

// pin keeps this thread, and the processes it starts from now on, to one core.
// A Go program with one core runs as with GOMAXPROCS=1.
func pin(b *testing.B, core int) {
	b.Helper()
	var one unix.CPUSet
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		b.Fatal(err)
	}
}

// kept is how long this thread has been ready to run without a core.
func kept(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile("/proc/thread-self/schedstat")
	if err != nil {
		b.Fatal(err)
	}
	var ran, waited int64
	if _, err := fmt.Sscan(string(text), &ran, &waited); err != nil {
		b.Fatal(err)
	}
	return time.Duration(waited)
}

// tail is one row of the table.
type tail struct {
	name   string
	driver *driver
	rounds []tailOf
}

// tailOf is what one round found.
type tailOf struct {
	round
	peak float64 // requests per second
	kept float64 // of the time
}

func (r tailOf) ratio() float64 { return float64(r.p99) / float64(r.p50) }

func (c *tail) measure(b *testing.B) {
	b.Helper()
	peak := c.driver.run(b, tailPeak, 0).rate
	time.Sleep(tailRest)
	before := kept(b)
	r := c.driver.run(b, tailRound, time.Duration(float64(time.Second)/(peak*tailShare)))
	c.rounds = append(c.rounds, tailOf{r, peak, (kept(b) - before).Seconds() / tailRound.Seconds()})
	time.Sleep(tailRest)
}

// median returns the round with the median ratio.
func (c *tail) median() tailOf {
	sorted := slices.SortedFunc(slices.Values(c.rounds), func(a, b tailOf) int { return cmp.Compare(a.ratio(), b.ratio()) })
	return sorted[len(sorted)/2]
}

func tailTable(candidates []*tail) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "what\tpeak/s\trequests/s\tof peak\tp50\tp99\tp99/p50\tof Fiber's\tkept\t\n")
	base := candidates[0].median().ratio()
	for _, c := range candidates {
		m := c.median()
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.2f\t%v\t%v\t%.2f\t%.2f\t%.3f\t\n", c.name, m.peak, m.rate, m.rate/m.peak,
			m.p50.Round(100*time.Nanosecond), m.p99.Round(100*time.Nanosecond), m.ratio(), m.ratio()/base, m.kept)
	}
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	return text.String()
}
