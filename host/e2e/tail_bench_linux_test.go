package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
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

// Load of BenchmarkTail.
const (
	tailConns  = 16
	tailRounds = 3
	tailPeak   = time.Second
	tailRound  = 3 * time.Second
	tailShare  = 0.7 // of the peak
)

// BenchmarkTail measures latency at a share of each candidate's peak, counted
// from when a request was due, so that a stalled server is charged for all that
// it kept waiting.
func BenchmarkTail(b *testing.B) {
	hello := goGuest(b, "../../examples/hello")
	apart := os.Getenv("TAIL_SHARED") == ""
	runtime.LockOSThread()
	var cores unix.CPUSet
	_ = unix.SchedGetaffinity(0, &cores)
	if apart {
		pin(b, 0)
	}
	s := serve(b, b.TempDir(), "--log-level", "warn")
	bare := strings.TrimPrefix(startBareFiber(b), "http://")
	if apart {
		pin(b, 1)
	}
	s.deploy("tiny", pack(b, enginetest.Tiny(), "tiny"))
	s.deploy("go", pack(b, hello, "go"))
	public := strings.TrimPrefix(s.public, "http://")
	candidates := []*tail{
		{name: "Fiber alone, hello", driver: drive(b, bare, "/")},
		{name: "tiny guest, hello", driver: drive(b, public, "/tiny")},
		{name: "Go guest, hello", driver: drive(b, public, "/go")},
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

// pin keeps this thread, and the processes it starts from now on, to one core.
func pin(b *testing.B, core int) {
	b.Helper()
	var one unix.CPUSet
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		b.Fatal(err)
	}
}

// tail is one row of the table.
type tail struct {
	name   string
	driver *driver
	rounds []tailOf
}

// tailOf is what one round found.
type tailOf struct {
	peak float64 // requests per second
	round
}

func (r tailOf) ratio() float64 { return float64(r.p99) / float64(r.p50) }

func (c *tail) measure(b *testing.B) {
	b.Helper()
	peak := c.driver.run(b, tailPeak, 0).rate
	gap := time.Duration(float64(time.Second) / (peak * tailShare))
	c.rounds = append(c.rounds, tailOf{peak, c.driver.run(b, tailRound, gap)})
}

// median returns the round with the median ratio.
func (c *tail) median() tailOf {
	sorted := slices.SortedFunc(slices.Values(c.rounds), func(a, b tailOf) int { return int(1e6 * (a.ratio() - b.ratio())) })
	return sorted[len(sorted)/2]
}

func tailTable(candidates []*tail) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "what\tpeak/s\trequests/s\tof peak\tp50\tp99\tp99/p50\tof Fiber's\t\n")
	base := candidates[0].median().ratio()
	for _, c := range candidates {
		m := c.median()
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.2f\t%v\t%v\t%.2f\t%.2f\t\n", c.name, m.peak, m.rate, m.rate/m.peak,
			m.p50.Round(100*time.Nanosecond), m.p99.Round(100*time.Nanosecond), m.ratio(), m.ratio()/base)
	}
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	return text.String()
}

// driver sends one request again and again over a few connections. It is one
// thread that polls and never sleeps: with a goroutine for each connection it is
// Go's scheduler here that makes the tail.
type driver struct {
	request   []byte
	response  int // bytes
	epoll     int
	conns     []driven // by descriptor's place in epoll
	latencies []time.Duration
}

type driven struct {
	fd   int
	due  time.Duration // of the request in flight, or else of the next
	left int           // bytes of the response to come; 0: nothing in flight
}

// drive connects a driver and learns what its response is like.
func drive(b *testing.B, addr, path string) *driver {
	b.Helper()
	d := &driver{
		request:   fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, addr),
		latencies: make([]time.Duration, 0, 1<<20), // no growth while it measures
	}
	var err error
	if d.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = unix.Close(d.epoll) }) // nothing to lose
	for i := range tailConns {
		d.connect(b, addr, i)
	}
	return d
}

func (d *driver) connect(b *testing.B, addr string, i int) {
	b.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close() // the file is a copy
	d.response = d.answer(b, conn)
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = file.Close() }) // nothing to lose
	fd := int(file.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		b.Fatal(err)
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
	if err := unix.EpollCtl(d.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		b.Fatal(err)
	}
	d.conns = append(d.conns, driven{fd: fd})
}

// answer returns the bytes of a whole response, which are always as many.
func (d *driver) answer(b *testing.B, conn net.Conn) int {
	b.Helper()
	if _, err := conn.Write(d.request); err != nil {
		b.Fatal(err)
	}
	var raw bytes.Buffer
	res, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &raw)), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 {
		b.Fatal(res.Status, body, err)
	}
	return raw.Len()
}

// run sends for a while, a request every gap, on the connections in turn;
// without a gap, each connection's next request as soon as it has an answer. A
// request due on a busy connection waits, and the wait counts.
func (d *driver) run(b *testing.B, length, gap time.Duration) round {
	b.Helper()
	d.latencies = d.latencies[:0]
	for i := range d.conns {
		d.conns[i].due = time.Duration(i) * gap
	}
	runtime.GC() // now rather than in between
	start := time.Now()
	for d.send(b, start, length) {
		d.receive(b, start, gap*time.Duration(len(d.conns)))
	}
	rate := float64(len(d.latencies)) / time.Since(start).Seconds()
	slices.Sort(d.latencies)
	n := len(d.latencies)
	return round{rate, d.latencies[n/2], d.latencies[n*99/100]}
}

// send sends what is due, and tells whether anything is due or awaited still.
func (d *driver) send(b *testing.B, start time.Time, length time.Duration) (more bool) {
	b.Helper()
	now := time.Since(start)
	if now > 2*length {
		b.Fatalf("after %v, %d requests are answered and not all", now, len(d.latencies))
	}
	for i := range d.conns {
		c := &d.conns[i]
		more = more || c.left > 0 || c.due < length
		if c.left > 0 || c.due >= length || c.due > now {
			continue
		}
		if n, err := unix.Write(c.fd, d.request); n < len(d.request) {
			b.Fatal(n, err)
		}
		c.left = d.response
	}
	return more
}

// receive takes what has come. A connection's next request is due every after
// its last was, or at once.
func (d *driver) receive(b *testing.B, start time.Time, every time.Duration) {
	b.Helper()
	var events [tailConns]unix.EpollEvent
	n, err := unix.EpollWait(d.epoll, events[:], 0)
	if err != nil && err != unix.EINTR {
		b.Fatal(err)
	}
	for _, e := range events[:max(n, 0)] {
		c := &d.conns[e.Fd]
		if c.read(b); c.left > 0 {
			continue
		}
		now := time.Since(start)
		d.latencies = append(d.latencies, now-c.due)
		if c.due += every; every == 0 {
			c.due = now
		}
	}
}

func (c *driven) read(b *testing.B) {
	b.Helper()
	var part [1024]byte
	n, err := unix.Read(c.fd, part[:])
	if n <= 0 || n > c.left {
		b.Fatalf("%d bytes, %v, where %d were to come", n, err, c.left)
	}
	c.left -= n
}
