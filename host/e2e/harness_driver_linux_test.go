package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// driver sends one request again and again over a few connections. It is one
// thread that polls and never sleeps: with a goroutine for each connection it is
// Go's scheduler here that makes the tail.
type driver struct {
	request   []byte
	response  int // bytes
	epoll     int
	conns     []driven // an event names one by its place here
	latencies []time.Duration
	others    []int // answered while each request waited
}

// maxConns bounds the events that are taken at a time.
const maxConns = 64

type driven struct {
	fd   int
	due  time.Duration // since the start: the request in flight, or else the next
	sent int           // answers that had come when it was sent
	left int           // bytes of the response to come; 0: nothing in flight
}

// drive connects a driver over so many connections and learns what its response
// is like. With a body it sends POST, else GET.
func drive(b *testing.B, url, path, body string, conns int) *driver {
	b.Helper()
	addr := strings.TrimPrefix(url, "http://")
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, addr)
	if body != "" {
		request = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", path, addr, len(body), body)
	}
	d := &driver{
		request:   request,
		latencies: make([]time.Duration, 0, 1<<20), // no growth while it measures
	}
	var err error
	if d.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = unix.Close(d.epoll) }) // nothing to lose
	for i := range conns {
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
	d.latencies, d.others = d.latencies[:0], d.others[:0]
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
		c.left, c.sent = d.response, len(d.latencies)
	}
	return more
}

// receive takes what has come. A connection's next request is due every after
// its last was, or at once.
func (d *driver) receive(b *testing.B, start time.Time, every time.Duration) {
	b.Helper()
	var events [maxConns]unix.EpollEvent
	n, err := unix.EpollWait(d.epoll, events[:], 0)
	if err != nil && !errors.Is(err, unix.EINTR) {
		b.Fatal(err)
	}
	for _, e := range events[:max(n, 0)] {
		c := &d.conns[e.Fd]
		if c.read(b); c.left > 0 {
			continue
		}
		now := time.Since(start)
		d.others = append(d.others, len(d.latencies)-c.sent)
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
