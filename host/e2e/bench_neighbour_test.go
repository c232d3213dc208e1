package e2e

import (
	"cmp"
	le "encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// Load of BenchmarkNeighbour.
const (
	crowdConns   = 256
	crowdRound   = 4 * time.Second
	lightEvery   = 10 * time.Millisecond // open loop: 100 requests a second
	probeEvery   = 50 * time.Millisecond
	crowdSettles = time.Second // before it is measured
)

// computer computes as long as its request says: eight bytes, the number of
// steps.
func computer() []byte {
	const body, steps = 4096, 0
	g := enginetest.NewBuilder(1)
	read := g.Native(abi.FnRequestBody)
	code := new(enginetest.Code).I64(0).I32(body).I32(8).Call(read).Drop().I32(body).Load64().Set(steps)
	code.Loop(func(c *enginetest.Code) {
		c.Get(steps).I64(1).Op(0x7d).Set(steps) // i64.sub
		c.Get(steps).Op(0x50).Op(0x45).BrIf(0)  // i64.eqz, i32.eqz
	})
	return g.Handle(code.I32(0)).Bytes()
}

// BenchmarkNeighbour measures what a plugin that keeps all processors busy takes
// from others: a light plugin at 100 requests a second, /livez, and the admin API.
// The load is on the same machine.
func BenchmarkNeighbour(b *testing.B) {
	var rows []neighbourRow
	for b.Loop() {
		besides(func(suffix string) { rows = append(rows, neighbours(b, suffix)...) })
	}
	b.Log("\n" + neighbourTable(rows))
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

type neighbourRow struct {
	name                string
	busy, busyAlone     float64 // computed per second and processor time that one has
	failed              int64   // of the three below
	light, livez, admin []time.Duration
}

func neighbours(b *testing.B, suffix string) (rows []neighbourRow) {
	b.Helper()
	for _, c := range []struct {
		name     string
		computes []time.Duration // its connections compute, in turn
	}{
		{"nobody", nil},
		{"5 ms of computing", []time.Duration{5 * time.Millisecond}},
		{"1 s of computing", []time.Duration{time.Second}},
		{"0.1, 5, 50 ms, 1 s", []time.Duration{time.Millisecond / 10, 5 * time.Millisecond, 50 * time.Millisecond, time.Second}},
	} {
		row := neighbourRow{name: c.name + suffix}
		row.busyAlone = row.measure(b, c.computes, func(*server) { time.Sleep(crowdRound) })
		row.busy = row.measure(b, c.computes, row.watch)
		rows = append(rows, row)
	}
	return rows
}

// measure returns what a crowd computes a second, in processor time of one that
// computes alone, while something is done beside it.
func (r *neighbourRow) measure(b *testing.B, members []time.Duration, beside func(*server)) float64 {
	b.Helper()
	s := serve(b, b.TempDir(), "--log-level", "warn")
	s.deploy("busy", pack(b, computer(), "busy", "[limits]", `deadline = "60s"`))
	s.deploy("light", pack(b, enginetest.Tiny(), "light"))
	rate := stepsPerSecond(b, s)
	c := &crowd{client: &fasthttp.Client{MaxConnsPerHost: crowdConns}}
	for i := range crowdConns * min(1, len(members)) {
		c.members.Go(func() { c.member(s.public+"/busy", uint64(rate*members[i%len(members)].Seconds())) })
	}
	time.Sleep(crowdSettles)
	before, start := c.done.Load(), time.Now()
	beside(s)
	computed := float64(c.done.Load()-before) / rate / time.Since(start).Seconds()
	c.stop.Store(true)
	s.kill() // some members wait for minutes
	c.members.Wait()
	return computed
}

// stepsPerSecond is how fast a computer computes that has a processor.
func stepsPerSecond(b *testing.B, s *server) float64 {
	b.Helper()
	const steps = 100_000_000
	best := time.Duration(1 << 62)
	for range 5 {
		start := time.Now()
		if a := s.do("POST", "/busy", string(le.LittleEndian.AppendUint64(nil, steps))); a.status != 200 {
			b.Fatal(a)
		}
		best = min(best, time.Since(start))
	}
	return steps / best.Seconds()
}

// crowd keeps a plugin busy until it is stopped.
type crowd struct {
	done    atomic.Int64 // steps
	runs    atomic.Int64
	stop    atomic.Bool
	client  *fasthttp.Client
	members sync.WaitGroup
}

func (c *crowd) member(url string, steps uint64) {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	req.SetRequestURI(url)
	req.Header.SetMethod("POST")
	req.SetBodyRaw(le.LittleEndian.AppendUint64(nil, steps))
	for !c.stop.Load() {
		if err := c.client.DoTimeout(req, res, 90*time.Second); err != nil || res.StatusCode() != 200 {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		c.done.Add(int64(steps))
		c.runs.Add(1)
	}
}

// watch measures the neighbours for a round.
func (r *neighbourRow) watch(s *server) {
	var failed atomic.Int64
	every := func(gap time.Duration, into *[]time.Duration, ask func() error) func() {
		return func() {
			var mu sync.Mutex
			var all sync.WaitGroup
			start := time.Now()
			for due := start; due.Sub(start) < crowdRound; due = due.Add(gap) {
				time.Sleep(time.Until(due))
				all.Go(func() {
					if ask() != nil {
						failed.Add(1)
						return
					}
					took := time.Since(due)
					mu.Lock()
					defer mu.Unlock()
					*into = append(*into, took)
				})
			}
			all.Wait()
		}
	}
	client := &fasthttp.Client{}
	defer client.CloseIdleConnections()
	get := func(url string) func() error {
		return func() error {
			status, _, err := client.GetTimeout(nil, url, 10*time.Second)
			return cmp.Or(err, wantOK(status))
		}
	}
	var all sync.WaitGroup
	all.Go(every(lightEvery, &r.light, get(s.public+"/light")))
	all.Go(every(probeEvery, &r.livez, get(s.public+"/livez")))
	all.Go(every(probeEvery, &r.admin, func() error { return s.tryAPI(s.t.Context(), nil, "GET", "/v1/plugins", nil) }))
	all.Wait()
	r.failed = failed.Load()
}

func wantOK(status int) error {
	if status != 200 {
		return fmt.Errorf("status %d", status)
	}
	return nil
}

func neighbourTable(rows []neighbourRow) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "beside 256 connections of\tcomputes\tof alone\tlight p50\tp99\t/livez p50\tp99\tadmin p50\tp99\tfailed\t\n")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t", r.name, r.busy, r.busy/r.busyAlone)
		for _, took := range [][]time.Duration{r.light, r.livez, r.admin} {
			slices.Sort(took)
			n := len(took)
			if n == 0 {
				took, n = []time.Duration{0}, 1
			}
			fmt.Fprintf(w, "%v\t%v\t", took[n/2].Round(10*time.Microsecond), took[n*99/100].Round(10*time.Microsecond))
		}
		fmt.Fprintf(w, "%d\t\n", r.failed)
	}
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	return text.String()
}
