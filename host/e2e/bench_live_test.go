package e2e

import (
	"bufio"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// liveClients follow one answer in BenchmarkLive.
const liveClients = 10_000

// BenchmarkLive has 64 clients add to a key as fast as they can, beside nobody, and beside
// 10,000 clients that follow a live answer of that key: what those take from the writers,
// and how many runs they cost. In the end all have the last state.
func BenchmarkLive(b *testing.B) {
	s := serve(b, b.TempDir(), "--log-level", "warn", "--max-conns", "12000", "--max-conns-per-ip", "0", "--metrics", "127.0.0.1:0")
	s.deploy("live", liveGuest(b))
	alone := &visits{tally: tally{name: "beside nobody", path: "/live/add"}}
	beside := &visits{tally: tally{name: "beside 10,000", path: "/live/add"}}
	var runs, events float64
	for b.Loop() {
		for range benchRounds {
			alone.run(b, s.public)
			conns := s.openLive(b, liveClients, 0)
			runsBefore, eventsBefore := s.metric(`wasmoor_live_runs_total{outcome="changed"}`), s.metric("wasmoor_live_events_total")
			beside.run(b, s.public)
			runs += s.metric(`wasmoor_live_runs_total{outcome="changed"}`) - runsBefore
			events += s.metric("wasmoor_live_events_total") - eventsBefore
			s.endLive(b, conns)
		}
	}
	b.Logf("\n%s%.0f states, each computed once, and %.0f events", tallyTable("64 writers", &alone.tally, &beside.tally), runs, events)
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

// BenchmarkLiveReturn has 64 clients add to a key of another plugin, beside nobody, and
// while 10,000 clients come back to a live answer within 4 s, which is about how a server
// that stops spreads them: what their return takes from a neighbour.
func BenchmarkLiveReturn(b *testing.B) {
	s := serve(b, b.TempDir(), "--log-level", "warn", "--max-conns", "12000", "--max-conns-per-ip", "0", "--metrics", "127.0.0.1:0")
	s.deploy("live", liveGuest(b))
	s.deploy("adder", pack(b, adder(), "adder", "[kv]"))
	alone := &visits{tally: tally{name: "beside nobody", path: "/adder"}}
	beside := &visits{tally: tally{name: "while 10,000 return", path: "/adder"}}
	for b.Loop() {
		for range benchRounds {
			alone.run(b, s.public)
			returned := make(chan []net.Conn, 1)
			go func() { returned <- s.openLive(b, liveClients, 2*benchRound) }()
			beside.run(b, s.public)
			conns := <-returned
			s.do("POST", "/live/add", "")
			s.endLive(b, conns)
		}
	}
	b.Log("\n" + tallyTable("64 writers", &alone.tally, &beside.tally))
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

// openLive opens streams within a time, and returns when each has its first event.
func (s *server) openLive(b *testing.B, n int, over time.Duration) []net.Conn {
	b.Helper()
	begun := time.Now()
	conns := make([]net.Conn, n)
	var wg sync.WaitGroup
	for part := range 16 {
		wg.Go(func() {
			for i := part; i < n; i += 16 {
				time.Sleep(time.Until(begun.Add(over * time.Duration(i) / time.Duration(n))))
				conn, err := net.Dial("tcp", strings.TrimPrefix(s.public, "http://"))
				if err != nil {
					b.Error(err)
					return
				}
				conns[i] = conn
				_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
				fmt.Fprint(conn, "GET /live/hot HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n")
				if _, err := conn.Read(make([]byte, 4096)); err != nil {
					b.Errorf("client %d: %v\n%s", i, err, s.log)
					return
				}
			}
		})
	}
	wg.Wait()
	return conns
}

// endLive waits until every client has the last state, and closes the streams.
func (s *server) endLive(b *testing.B, conns []net.Conn) {
	b.Helper()
	last := s.get("/live/hot").body // nobody writes any more
	var wg sync.WaitGroup
	for part := range 16 {
		wg.Go(func() {
			for i := part; i < len(conns); i += 16 {
				if conns[i] == nil {
					return // it has failed
				}
				in := bufio.NewReaderSize(conns[i], 512)
				for before := -1; ; {
					line, err := in.ReadString('\n')
					if err != nil {
						b.Errorf("client %d has not got state %s: %v", i, last, err)
						return
					}
					data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
					if !ok {
						continue
					}
					n, _ := strconv.Atoi(data)
					if n <= before {
						b.Errorf("client %d: after %d came %d", i, before, n)
					}
					if before = n; data == last {
						break
					}
				}
				_ = conns[i].Close()
			}
		})
	}
	wg.Wait()
	if err := until(b.Context(), func() bool { return s.metric(`wasmoor_live_streams{plugin="live"}`) <= 0 }); err != nil {
		b.Error("streams are left that nobody follows")
	}
}

// metric returns the value of a metric, -1 for none.
func (s *server) metric(name string) float64 {
	s.t.Helper()
	a, err := send(s.t.Context(), "GET", s.metricsURL(), "", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(a.body)
	if found == nil {
		return -1
	}
	n, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
