package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestIdleSockets opens many sockets of a kind, of which none holds an instance of its
// plugin, and publishes to all. The long form has 10,000 and prints what each takes of the
// server's memory, and how long after its publication an event is there. The kinds come
// one after the other, each at a server of its own: so 20,000 files are enough.
func TestIdleSockets(t *testing.T) {
	for _, kind := range []string{"websocket", "sse"} {
		t.Run(kind, func(t *testing.T) { idleSockets(t, kind) })
	}
}

func idleSockets(t *testing.T, kind string) {
	sockets, rounds := often(50, 10_000), often(5, 100)
	s := serve(t, t.TempDir(), "--log-level", "warn", "--sleep-after", "500ms", "--max-conns", "1000", "--max-conns-per-ip", "0",
		"--max-sockets", "12000", "--max-sockets-per-ip", "0")
	s.deploy("chat", socketGuest(t, "1", "[[socket]]\npattern = \"GET /rooms/{id}\"\nmax = 12000\n"))
	for _, one := range s.openIdle(t, kind, 20) { // what the first cost is not theirs
		_ = one.conn.Close()
	}
	s.until("/chat/count?topic=all", "0")
	before := s.atRest(t)
	all := s.openIdle(t, kind, sockets)
	s.until("/chat/count?topic=all", strconv.Itoa(sockets))
	after := s.atRest(t)
	late := s.publishTo(t, all, rounds)
	t.Logf("%d sockets: %.1f KiB each (%d KiB before, %d after); of %d events to all, p50 after %v, p99 after %v, the last after %v",
		sockets, float64(after-before)/float64(sockets), before, after, rounds,
		late[len(late)/2].Round(time.Millisecond), late[len(late)*99/100].Round(time.Millisecond), late[len(late)-1].Round(time.Millisecond))
}

// atRest waits until the plugin has no instance, and in the long form until what the
// server has in memory grows smaller no more. It returns that, in KiB.
func (s *server) atRest(t *testing.T) int {
	t.Helper()
	if err := until(t.Context(), func() bool { p, _ := s.status("chat"); return p.State == "asleep" }); err != nil {
		t.Fatalf("the plugin does not sleep while its sockets are idle: %v", err)
	}
	least := sizeOf(t, s).rss
	for steady, end := 0, time.Now().Add(time.Minute); *soak && steady < 10 && time.Now().Before(end); steady++ {
		time.Sleep(time.Second)
		if now := sizeOf(t, s).rss; now < least-64 {
			least, steady = now, 0
		}
	}
	return least
}

// idle is a socket whose client keeps little.
type idle struct {
	conn net.Conn
	in   *bufio.Reader
	kind string
}

// openIdle opens sockets that follow the topic "all", from several addresses.
func (s *server) openIdle(t *testing.T, kind string, n int) []*idle {
	t.Helper()
	list := make([]*idle, n)
	var openers sync.WaitGroup
	for o := range 16 {
		openers.Go(func() {
			for i := o; i < n; i += 16 {
				one, err := s.openOneIdle(kind, i)
				if err != nil {
					t.Errorf("socket %d: %v", i, err)
					return
				}
				list[i] = one
			}
		})
	}
	openers.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() {
		for _, one := range list {
			_ = one.conn.Close()
		}
	})
	return list
}

func (s *server) openOneIdle(kind string, i int) (*idle, error) {
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%100))}, Timeout: time.Minute}
	conn, err := from.Dial("tcp", strings.TrimPrefix(s.public, "http://"))
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Minute))
	wants, status := "Accept: text/event-stream", " 200 "
	if kind == "websocket" {
		wants, status = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", " 101 "
	}
	if _, err := fmt.Fprintf(conn, "GET /chat/rooms/1?topic=all HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", wants); err != nil {
		return nil, err
	}
	one := &idle{conn, bufio.NewReaderSize(conn, 64), kind}
	first, err := one.in.ReadString('\n')
	if err != nil || !strings.Contains(first, status) {
		return nil, fmt.Errorf("answered %q, %w", first, err)
	}
	for line := first; line != "\r\n"; {
		if line, err = one.in.ReadString('\n'); err != nil {
			return nil, err
		}
	}
	return one, nil
}

// next returns what is published next. It answers pings.
func (one *idle) next() (string, error) {
	for one.kind == "sse" {
		line, err := one.in.ReadString('\n')
		if text, ok := strings.CutPrefix(line, "data: "); ok || err != nil {
			return strings.TrimSuffix(text, "\n"), err
		}
	}
	for {
		var head [2]byte
		if _, err := io.ReadFull(one.in, head[:]); err != nil {
			return "", err
		}
		body := make([]byte, head[1]&0x7f)
		if _, err := io.ReadFull(one.in, body); err != nil {
			return "", err
		}
		switch head[0] {
		case 0x81:
			return string(body), nil
		case 0x89:
			if _, err := one.conn.Write([]byte{0x8a, 0x80, 0, 0, 0, 0}); err != nil {
				return "", err
			}
		default:
			return "", fmt.Errorf("a frame %x with %q", head, body)
		}
	}
}

// publishTo publishes one event after the other, each when all have the one before, and
// returns how long after its request each was there, the shortest first.
func (s *server) publishTo(t *testing.T, all []*idle, rounds int) []time.Duration {
	t.Helper()
	sent := make([]time.Time, rounds)
	late := make([]time.Duration, rounds*len(all))
	heard := make([]sync.WaitGroup, rounds)
	for i := range heard {
		heard[i].Add(len(all))
	}
	for n, one := range all {
		go func() {
			for i := range rounds {
				got, err := one.next()
				if err != nil || got != strconv.Itoa(i) {
					t.Errorf("socket %d heard %q, %v; want %d", n, got, err, i)
					for ; i < rounds; i++ {
						heard[i].Done()
					}
					return
				}
				late[i*len(all)+n] = time.Since(sent[i])
				heard[i].Done()
			}
		}()
	}
	for i := range rounds {
		sent[i] = time.Now()
		if a := s.do("POST", "/chat/publish?topic=all", strconv.Itoa(i)); a.status != 200 {
			t.Fatal(a)
		}
		heard[i].Wait()
	}
	slices.Sort(late)
	return late
}
