package e2e

import (
	"bufio"
	le "encoding/binary"
	"fmt"
	"math/rand"
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

// Accounts of the transfers; the bank fills and sums so many in a request.
const (
	bankAccounts = 100_000
	bankBalance  = 1_000
	bankBatch    = 5_000
)

// bank is a guest with accounts, each a counter under its number, 8 bytes. A body
// of 16 bytes names two: 1 moves from the first to the second. A body of 8 bytes
// is an account from which on bankBatch get their balance; with one byte more,
// they are summed.
func bank() []byte {
	const (
		first, second = 0x400, 0x408
		value, other  = 0x500, 0x508
		size, n, sum  = 0, 1, 2

		i64Eq, i64Add, i64LtU, i32Eqz = 0x51, 0x7c, 0x54, 0x45
	)
	g := enginetest.NewBuilder(1)
	body, write := g.Native(abi.FnRequestBody), g.Native(abi.FnResponseWrite)
	get, set := g.Native(abi.FnKVGet), g.Native(abi.FnKVSet)
	read := func(c *enginetest.Code, key, value uint32) {
		c.I32(key).I32(8).I32(value).I32(8).Call(get)
		c.I64(8).Op(i64Eq).Op(i32Eqz).If(func(c *enginetest.Code) { c.Unreachable() })
	}
	store := func(c *enginetest.Code, key, value uint32) {
		c.I32(key).I32(8).I32(value).I32(8).I64(0).Call(set).Drop()
	}
	is := func(c *enginetest.Code, want uint64) *enginetest.Code { return c.Get(size).I64(want).Op(i64Eq) }
	code := new(enginetest.Code).I64(0).I32(first).I32(32).Call(body).Set(size)
	is(code, 16).If(func(c *enginetest.Code) {
		read(c, first, value)
		read(c, second, other)
		c.I32(value).I32(value).Load64().I64(^uint64(0)).Op(i64Add).Store64()
		c.I32(other).I32(other).Load64().I64(1).Op(i64Add).Store64()
		store(c, first, value)
		store(c, second, other)
		c.I32(0).Return()
	})
	code.I32(first).Load64().Set(n)
	code.I32(second).I32(first).Load64().I64(bankBatch).Op(i64Add).Store64()
	code.Loop(func(c *enginetest.Code) {
		c.I32(first).Get(n).Store64()
		is(c, 8).If(func(c *enginetest.Code) {
			c.I32(value).I64(bankBalance).Store64()
			store(c, first, value)
		})
		read(c, first, value)
		c.Get(sum).I32(value).Load64().Op(i64Add).Set(sum)
		c.Get(n).I64(1).Op(i64Add).Set(n)
		c.Get(n).I32(second).Load64().Op(i64LtU).BrIf(0)
	})
	code.I32(value).Get(sum).Store64()
	code.I32(value).I32(8).Call(write).Drop().I32(0)
	return g.Handle(code).Bytes()
}

// BenchmarkTransfers moves 1 between two of 100,000 accounts, as often as 64
// clients can, each transfer durable before its client sends the next. The accounts
// are chosen uniformly and by Zipf's law with exponent 1.5. An add is one durable
// write in place of two reads and two writes.
func BenchmarkTransfers(b *testing.B) {
	s := serve(b, b.TempDir(), "--log-level", "warn")
	s.deploy("adder", pack(b, adder(), "adder", "[kv]"))
	s.deploy("bank", pack(b, bank(), "bank", "[kv]"))
	for n := uint64(0); n < bankAccounts; n += bankBatch {
		s.do("POST", "/bank", string(le.LittleEndian.AppendUint64(nil, n)))
	}
	rows := []*transfers{
		{tally: tally{name: "add to one key", path: "/adder"}},
		{tally: tally{name: "transfer, uniform", path: "/bank"}},
		{tally: tally{name: "transfer, Zipf 1.5", path: "/bank"}, zipf: 1.5},
	}
	for b.Loop() {
		for range benchRounds {
			for _, t := range rows {
				t.run(b, s.public)
			}
		}
	}
	b.Log("\n" + tallyTable("64 clients", &rows[0].tally, &rows[1].tally, &rows[2].tally))
	if got := s.bankSum(b); got != bankAccounts*bankBalance {
		b.Errorf("the accounts hold %d, want %d", got, bankAccounts*bankBalance)
	}
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

func (s *server) bankSum(b *testing.B) (sum int64) {
	b.Helper()
	for n := uint64(0); n < bankAccounts; n += bankBatch {
		a := s.do("POST", "/bank", string(append(le.LittleEndian.AppendUint64(nil, n), 0)))
		if a.status != 200 || len(a.body) != 8 {
			b.Fatal(a)
		}
		sum += int64(le.LittleEndian.Uint64([]byte(a.body)))
	}
	return sum
}

// transfers is one row of the table.
type transfers struct {
	tally
	zipf float64
}

func (t *transfers) run(b *testing.B, url string) {
	b.Helper()
	t.tally.run(b, url, func(i int, conn net.Conn, end time.Time, refused *atomic.Int64) []time.Duration {
		return t.client(b, conn, t.pick(int64(i)), end, refused)
	})
}

// pick returns a source of accounts.
func (t *transfers) pick(seed int64) func() uint64 {
	random := rand.New(rand.NewSource(seed))
	if t.zipf == 0 {
		return func() uint64 { return uint64(random.Intn(bankAccounts)) }
	}
	return rand.NewZipf(random, t.zipf, 1, bankAccounts-1).Uint64
}

// client sends transfers over conn until end and returns how long each that was
// made took.
func (t *transfers) client(b *testing.B, conn net.Conn, pick func() uint64, end time.Time, refused *atomic.Int64) (latencies []time.Duration) {
	in := bufio.NewReader(conn)
	var res fasthttp.Response
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Length: 16\r\n\r\n%16d", t.path, 0)
	accounts := request[len(request)-16:]
	for before := time.Now(); before.Before(end); {
		from, to := pick(), pick()
		for from == to {
			to = pick()
		}
		le.LittleEndian.PutUint64(accounts, from)
		le.LittleEndian.PutUint64(accounts[8:], to)
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
		} else {
			refused.Add(1)
		}
		before = after
	}
	return latencies
}

// tally is how many requests were done, each before its client sent the next.
type tally struct {
	name, path string
	rounds     []round
	refused    int64 // not 200
	sent       int64
}

// run has clients send for a round. client is one of them: it sends until end and
// returns how long each request took that was not refused.
func (t *tally) run(b *testing.B, url string, client func(i int, conn net.Conn, end time.Time, refused *atomic.Int64) []time.Duration) {
	b.Helper()
	addr := strings.TrimPrefix(url, "http://")
	latencies := make([][]time.Duration, benchConns)
	var refused atomic.Int64
	var clients sync.WaitGroup
	start := time.Now()
	for i := range latencies {
		clients.Go(func() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			latencies[i] = client(i, conn, start.Add(benchRound), &refused)
		})
	}
	clients.Wait()
	took := time.Since(start)
	all := slices.Concat(latencies...)
	if len(all) == 0 {
		b.Fatal("no request succeeded")
	}
	slices.Sort(all)
	t.refused += refused.Load()
	t.sent += int64(len(all)) + refused.Load()
	t.rounds = append(t.rounds, round{float64(len(all)) / took.Seconds(), all[len(all)/2], all[len(all)*99/100]})
}

// tallyTable compares rows with the first; head says what is done.
func tallyTable(head string, rows ...*tally) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\tdone/s\tof add\tp50\tp99\trefused\t\n", head)
	median := func(t *tally) round { return (&candidate{rounds: t.rounds}).median() }
	for _, t := range rows {
		m := median(t)
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%v\t%v\t%.1f %%\t\n", t.name, m.rate, m.rate/median(rows[0]).rate,
			m.p50.Round(time.Microsecond), m.p99.Round(time.Microsecond), 100*float64(t.refused)/float64(t.sent))
	}
	_ = w.Flush() // to memory
	return text.String()
}
