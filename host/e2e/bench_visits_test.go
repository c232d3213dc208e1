package e2e

import (
	"bufio"
	"fmt"
	"net"
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

// visitor is the tutorial's handler as a C compiler makes it: it adds to one
// counter, reads it and answers with its 8 bytes.
func visitor() []byte {
	const key, value = 1024, 2048
	g := enginetest.NewBuilder(1)
	add, get, write := g.Native(abi.FnKVAdd), g.Native(abi.FnKVGet), g.Native(abi.FnResponseWrite)
	code := new(enginetest.Code).I32(key).I32(1).I64(1).Call(add).Drop()
	code.I32(key).I32(1).I32(value).I32(8).Call(get).Drop()
	code.I32(value).I32(8).Call(write).Drop().I32(0)
	return g.Data(key, "n").Handle(code).Bytes()
}

// BenchmarkVisits has 64 clients run the tutorial's handler on one key: a durable
// read and write each, in the order of a single counter. An add is what a write of
// one key costs that nobody reads. Each number may be answered once.
func BenchmarkVisits(b *testing.B) {
	s := serve(b, b.TempDir(), "--log-level", "warn")
	s.deploy("adder", pack(b, adder(), "adder", "[kv]"))
	s.deploy("c", pack(b, visitor(), "c", "[kv]"))
	s.deploy("go", pack(b, goGuest(b, "testdata/visits"), "go", "[kv]", "[[route]]", `pattern = "POST /pages/{page}"`))
	rows := []*visits{
		{name: "add, C", path: "/adder"},
		{name: "add and read, C", path: "/c"},
		{name: "add and read, Go", path: "/go/pages/one"},
	}
	for b.Loop() {
		for range benchRounds {
			for _, v := range rows {
				v.run(b, s.public)
			}
		}
	}
	for _, v := range rows[1:] {
		if most := int(v.sent - v.refused); len(v.answers) != most {
			b.Errorf("%s: %d different answers to %d visits", v.name, len(v.answers), most)
		}
	}
	b.Log("\n" + visitsTable(rows))
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

// visits is one row of the table.
type visits struct {
	name, path string
	rounds     []round
	refused    int64 // not 200
	sent       int64

	mu      sync.Mutex
	answers map[string]bool
}

func (v *visits) run(b *testing.B, url string) {
	b.Helper()
	latencies := make([][]time.Duration, benchConns)
	var refused atomic.Int64
	var clients sync.WaitGroup
	start := time.Now()
	for i := range latencies {
		clients.Go(func() {
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			latencies[i] = v.client(b, conn, start.Add(benchRound), &refused)
		})
	}
	clients.Wait()
	took := time.Since(start)
	all := slices.Concat(latencies...)
	if len(all) == 0 {
		b.Fatal("no request succeeded")
	}
	slices.Sort(all)
	v.refused += refused.Load()
	v.sent += int64(len(all)) + refused.Load()
	v.rounds = append(v.rounds, round{float64(len(all)) / took.Seconds(), all[len(all)/2], all[len(all)*99/100]})
}

// client visits until end and returns how long each visit took.
func (v *visits) client(b *testing.B, conn net.Conn, end time.Time, refused *atomic.Int64) (latencies []time.Duration) {
	in := bufio.NewReader(conn)
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n", v.path)
	var res fasthttp.Response
	var answers []string
	for before := time.Now(); before.Before(end); {
		if _, err := conn.Write(request); err != nil {
			b.Error(err)
			return latencies
		}
		if err := res.Read(in); err != nil {
			b.Error(err)
			return latencies
		}
		after := time.Now()
		if res.StatusCode() == 200 {
			latencies = append(latencies, after.Sub(before))
			answers = append(answers, string(res.Body()))
		} else {
			refused.Add(1)
		}
		before = after
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.answers == nil {
		v.answers = map[string]bool{}
	}
	for _, a := range answers {
		v.answers[a] = true
	}
	return latencies
}

func visitsTable(rows []*visits) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "64 clients, one key\tdone/s\tof add\tp50\tp99\trefused\t\n")
	median := func(v *visits) round { return (&candidate{rounds: v.rounds}).median() }
	for _, v := range rows {
		m := median(v)
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%v\t%v\t%.1f %%\t\n", v.name, m.rate, m.rate/median(rows[0]).rate,
			m.p50.Round(time.Microsecond), m.p99.Round(time.Microsecond), 100*float64(v.refused)/float64(v.sent))
	}
	_ = w.Flush() // to memory
	return text.String()
}
