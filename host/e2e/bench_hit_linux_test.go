package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// BenchmarkHit measures what a hit of the cache costs, in processor time of its server, beside
// Fiber's own hello, and how many there are a second. Processor time tells the two apart even
// where others use the machine; the client is not in it.
func BenchmarkHit(b *testing.B) {
	rows := []*costly{{candidate: candidate{name: "Fiber alone, hello"}}}
	bare := startBare(b)
	rows[0].url, rows[0].pid = bare.fiber+"/", bare.pid
	besides(func(suffix string) {
		s := serve(b, b.TempDir(), "--log-level", "warn", "--metrics", "127.0.0.1:0")
		s.deploy("cache", cacheGuest(b))
		rows = append(rows, &costly{candidate: candidate{name: "a hit" + suffix, url: s.public + "/cache/hello"}, pid: s.cmd.Process.Pid})
	})
	for b.Loop() {
		for range 2 * benchRounds {
			for _, c := range rows {
				c.measure(b)
			}
		}
	}
	b.Log("\n" + costs(rows))
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

// costly is a candidate whose server's processor time is measured.
type costly struct {
	candidate
	pid   int
	times []time.Duration // for each request, of each round
}

func (c *costly) measure(b *testing.B) {
	b.Helper()
	before, start := processorTime(b, c.pid), time.Now()
	r := load(b, c.url, "")
	n := r.rate * time.Since(start).Seconds()
	c.rounds, c.times = append(c.rounds, r), append(c.times, time.Duration(float64(processorTime(b, c.pid)-before)/n))
}

// processorTime is what a process has used, by the kernel's hundredths of a second.
func processorTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		b.Fatal(err)
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// costs has a row for each candidate, compared with the first round by round: medians.
func costs(rows []*costly) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "what\trequests/s\tof Fiber\tprocessor time\tof Fiber\tfrom\tto\t\n")
	for _, c := range rows {
		var rates, times []float64
		for i, r := range c.rounds {
			rates = append(rates, r.rate/rows[0].rounds[i].rate)
			times = append(times, float64(c.times[i])/float64(rows[0].times[i]))
		}
		slices.Sort(rates)
		slices.Sort(times)
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%v\t%.2f\t%.2f\t%.2f\t\n", c.name, c.median().rate, rates[len(rates)/2],
			slices.Sorted(slices.Values(c.times))[len(c.times)/2].Round(100*time.Nanosecond), times[len(times)/2], times[0], times[len(times)-1])
	}
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	return text.String()
}
