package egresstest

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Names is a DNS server that answers A questions: the answers of a name in
// turn, the last for ever.
type Names struct {
	mu      sync.Mutex
	Answers map[string][]netip.Addr
	asked   map[string]int
}

// Resolver returns one that asks n alone, until the test ends.
func (n *Names) Resolver(t testing.TB) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.asked = map[string]int{}
	var serving sync.WaitGroup
	serving.Go(func() { n.serve(conn) })
	t.Cleanup(func() { _ = conn.Close(); serving.Wait() })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (n *Names) serve(conn net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		size, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = conn.WriteTo(n.reply(buf[:size]), from)
	}
}

func (n *Names) reply(question []byte) []byte {
	var labels []string
	at := 12
	for question[at] != 0 {
		labels = append(labels, string(question[at+1:at+1+int(question[at])]))
		at += 1 + int(question[at])
	}
	end := at + 5
	kind := binary.BigEndian.Uint16(question[at+1:])
	out := append([]byte{question[0], question[1], 0x84, 0x00, 0, 1, 0, 0, 0, 0, 0, 0}, question[12:end]...)
	addr, ok := n.next(strings.ToLower(strings.Join(labels, ".")), kind == 1)
	switch {
	case !ok:
		out[3] = 3 // no such name
	case kind == 1 && addr.Is4():
		out[7] = 1
		four := addr.As4()
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		out = append(out, four[:]...)
	case kind == 28 && addr.Is6():
		out[7] = 1
		six := addr.As16()
		out = append(out, 0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 0, 0, 16)
		out = append(out, six[:]...)
	}
	return out
}

func (n *Names) next(name string, count bool) (netip.Addr, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.Answers[name]
	if len(list) == 0 {
		return netip.Addr{}, false
	}
	i := min(n.asked[name], len(list)-1)
	if count {
		n.asked[name]++
	}
	return list[i], true
}

// Serve hands each connection to a port of loopback to f, which runs once for
// each and need not close it, until the test ends.
func Serve(t testing.TB, f func(net.Conn)) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				f(conn)
				_ = conn.Close() // f may have done so
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close(); serving.Wait() })
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

// Canary counts connections to a listener nobody may reach, until the test
// ends.
func Canary(t testing.TB) (port string, hits *atomic.Int64) {
	t.Helper()
	hits = new(atomic.Int64)
	addr := Serve(t, func(net.Conn) { hits.Add(1) })
	return strconv.Itoa(int(addr.Port())), hits
}
