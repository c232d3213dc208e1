package e2e

import (
	"bufio"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
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
		{tally: tally{name: "add, C", path: "/adder"}},
		{tally: tally{name: "add and read, C", path: "/c"}},
		{tally: tally{name: "add and read, Go", path: "/go/pages/one"}},
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
	b.Log("\n" + tallyTable("64 clients, one key", &rows[0].tally, &rows[1].tally, &rows[2].tally))
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

// visits is one row of the table.
type visits struct {
	tally

	mu      sync.Mutex
	answers map[string]bool
}

func (v *visits) run(b *testing.B, url string) {
	b.Helper()
	v.tally.run(b, url, func(_ int, conn net.Conn, end time.Time, refused *atomic.Int64) []time.Duration {
		return v.client(b, conn, end, refused)
	})
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
