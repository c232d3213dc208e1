package e2e

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// Load of one measurement. Rounds of all candidates are interleaved, so that
// a machine that slows down slows down all of them.
const (
	benchConns  = 64
	benchRounds = 3
	benchRound  = 2 * time.Second
)

// reader answers the value of one key.
func reader() []byte {
	const key, value, n = 1024, 4096, 0
	g := enginetest.NewBuilder(1)
	get, write := g.Native(abi.FnKVGet), g.Native(abi.FnResponseWrite)
	code := new(enginetest.Code).I32(key).I32(1).I32(value).I32(4096).Call(get).Set(n)
	code.I32(value).Get(n).Wrap().Call(write).Drop().I32(0)
	return g.Data(key, "k").Handle(code).Bytes()
}

// adder adds to one counter and answers nothing.
func adder() []byte {
	const key = 1024
	g := enginetest.NewBuilder(1)
	add := g.Native(abi.FnKVAdd)
	return g.Data(key, "n").Handle(new(enginetest.Code).I32(key).I32(1).I64(1).Call(add).Drop().I32(0)).Bytes()
}

// jsonGuest reads and writes JSON with encoding/json, jsonTextGuest with the SDK;
// jsonText is what they get, and jsonWarmup warms them up.
const (
	jsonGuest     = "../internal/engine/native/testdata/jsonguest"
	jsonTextGuest = "../internal/engine/native/testdata/jsontextguest"
)

var jsonWarmup = []string{"[[warmup]]", `request = "POST /"`, `headers = { content-type = "application/json" }`, "body = '" + jsonText + "'"}

var jsonText = `{"method":"POST","path":"/v1/items","header":{"content-type":"application/json","accept":"*/*"},"body":"` + strings.Repeat("x", 400) + `"}`

// candidate is one row of the table.
type candidate struct {
	name, url string
	body      string            // of a POST; "" = a GET
	method    string            // in place of these; "" = none
	mixed     func() *candidate // what to ask each time, in place of these; nil = it is always the same
	rounds    []round
}

type round struct {
	rate     float64 // requests per second
	p50, p99 time.Duration
}

// BenchmarkHTTP measures the whole way of a request, from a client's socket
// back to it, beside Fiber's own hello.
func BenchmarkHTTP(b *testing.B) {
	candidates := []*candidate{{name: "Fiber alone, hello", url: startBare(b).fiber + "/"}}
	besides(func(suffix string) {
		for _, c := range served(b) {
			c.name += suffix
			candidates = append(candidates, c)
		}
	})
	for b.Loop() {
		for range benchRounds {
			for _, c := range candidates {
				c.rounds = append(c.rounds, load(b, c.url, c.body))
			}
		}
	}
	b.Log("\n" + table(candidates))
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

// served starts a server, and lists what it is asked.
func served(b *testing.B) []*candidate {
	b.Helper()
	s := serve(b, b.TempDir(), "--log-level", "warn")
	s.deploy("tiny", pack(b, enginetest.Tiny(), "tiny"))
	s.deploy("go", pack(b, goGuest(b, "../../examples/hello"), "go"))
	s.deploy("json", pack(b, goGuest(b, jsonGuest), "json", jsonWarmup...))
	s.deploy("jsontext", pack(b, goGuest(b, jsonTextGuest), "jsontext", jsonWarmup...))
	s.deploy("reader", pack(b, reader(), "reader", "[kv]"))
	s.deploy("adder", pack(b, adder(), "adder", "[kv]"))
	if a, err := s.tryAdmin(b.Context(), "PUT", "/v1/plugins/reader/kv/value?key=k", []byte("value")); err != nil || a.status >= 300 {
		b.Fatal(a, err)
	}
	return []*candidate{
		{name: "tiny guest, hello", url: s.public + "/tiny"},
		{name: "tiny guest, KV read", url: s.public + "/reader"},
		{name: "tiny guest, durable KV add to one key", url: s.public + "/adder"},
		{name: "Go guest, hello", url: s.public + "/go"},
		{name: "Go guest, encoding/json of 500 bytes", url: s.public + "/json", body: jsonText},
		{name: "Go guest, the SDK's JSON of 500 bytes", url: s.public + "/jsontext", body: jsonText},
	}
}

// load keeps benchConns connections busy for a round, with a POST of body, which
// is JSON, if there is one.
func load(b *testing.B, url, body string) round {
	b.Helper()
	return (&candidate{url: url, body: body}).load(b)
}

// ask makes req the candidate's.
func (c *candidate) ask(req *fasthttp.Request) {
	req.Reset()
	req.SetRequestURI(c.url)
	if c.body != "" {
		req.Header.SetMethod(cmp.Or(c.method, "POST"))
		req.Header.SetContentType("application/json")
		req.SetBodyString(c.body)
	}
}

func (c *candidate) load(b *testing.B) round {
	b.Helper()
	client := &fasthttp.Client{MaxConnsPerHost: benchConns}
	defer client.CloseIdleConnections()
	latencies := make([][]time.Duration, benchConns)
	start := time.Now()
	end := start.Add(benchRound)
	var clients sync.WaitGroup
	for i := range latencies {
		clients.Go(func() {
			req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			defer fasthttp.ReleaseRequest(req)
			defer fasthttp.ReleaseResponse(res)
			c.ask(req)
			for before := time.Now(); before.Before(end); {
				if c.mixed != nil {
					c.mixed().ask(req)
				}
				if err := client.Do(req, res); err != nil || res.StatusCode() != 200 {
					b.Errorf("%s %s: %d, %v", req.Header.Method(), c.url, res.StatusCode(), err)
					return
				}
				after := time.Now()
				latencies[i] = append(latencies[i], after.Sub(before))
				before = after
			}
		})
	}
	clients.Wait()
	all := slices.Concat(latencies...)
	if len(all) == 0 {
		b.Fatal("no request succeeded")
	}
	slices.Sort(all)
	return round{float64(len(all)) / time.Since(start).Seconds(), all[len(all)/2], all[len(all)*99/100]}
}

// median returns the round with the median rate.
func (c *candidate) median() round {
	sorted := slices.SortedFunc(slices.Values(c.rounds), func(a, b round) int { return int(a.rate - b.rate) })
	return sorted[len(sorted)/2]
}

func table(candidates []*candidate) string { return compared(candidates, "of Fiber") }

// compared has a row for each candidate, compared with the first.
func compared(candidates []*candidate, base string) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "what\trequests/s\t%s\tp50\tp99\t\n", base)
	first := candidates[0].median().rate
	for _, c := range candidates {
		m := c.median()
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%v\t%v\t\n", c.name, m.rate, m.rate/first,
			m.p50.Round(time.Microsecond), m.p99.Round(time.Microsecond))
	}
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	return text.String()
}

// benchBeside, set in the environment, lists other binaries of wasmoor that a
// benchmark measures in the same rounds, such as that of the commit before.
const benchBeside = "WASMOOR_BENCH_BESIDE"

// besides calls measure with each binary that is measured, and what its rows are
// named after it.
func besides(measure func(suffix string)) {
	own := binary
	defer func() { binary = own }()
	measure("")
	for _, binary = range filepath.SplitList(os.Getenv(benchBeside)) {
		measure(", " + filepath.Base(binary))
	}
}
