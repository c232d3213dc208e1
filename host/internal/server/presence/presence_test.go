//go:build linux

package presence

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

// pair returns the two ends of a connection.
func pair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); _ = s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func TestWatch(t *testing.T) {
	closes := func(c *net.TCPConn) error { return c.Close() }
	halfCloses := func(c *net.TCPConn) error { return c.CloseWrite() }
	resets := func(c *net.TCPConn) error {
		if err := c.SetLinger(0); err != nil {
			return err
		}
		return c.Close()
	}
	stays := func(*net.TCPConn) error { return nil }
	sendsAndCloses := func(c *net.TCPConn) error {
		if _, err := c.Write([]byte("GET /next")); err != nil {
			return err
		}
		return c.Close()
	}
	for _, test := range []struct {
		name  string
		does  func(*net.TCPConn) error
		onEnd End
		left  bool
	}{
		{"stays", stays, Probed, false},
		{"closes", closes, Probed, true},
		{"closes after more", sendsAndCloses, Probed, true},
		{"half-closes", halfCloses, Probed, false},
		{"resets", resets, Probed, true},
		{"closes, ignored", closes, Ignored, false},
		{"half-closes, ignored", halfCloses, Ignored, false},
		{"resets, ignored", resets, Ignored, true},
		{"closes, leaves", closes, Leaves, true},
		{"resets, leaves", resets, Leaves, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, server := pair(t)
			var w Watcher
			left := make(chan struct{})
			stop := w.Watch(server, test.onEnd, func() { close(left) })
			defer stop()
			if err := test.does(client); err != nil {
				t.Fatal(err)
			}
			if test.left {
				<-left
				return
			}
			select {
			case <-left:
				t.Error("it is said to have left")
			case <-time.After(5 * After):
			}
		})
	}
}

// TestAProbeIsReadOver: who only ends its half gets one interim response, and
// then the answer.
func TestAProbeIsReadOver(t *testing.T) {
	client, server := pair(t)
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var w Watcher
	stop := w.Watch(server, Probed, func() { t.Error("it is said to have left") })
	r := bufio.NewReader(client)
	if line, err := r.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Errorf("the probe is %q, %v", line, err)
	}
	time.Sleep(3 * After)
	stop()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(r); string(rest) != "\r\n" || err != nil {
		t.Errorf("after the probe: %q, %v", rest, err)
	}
}

// TestNobodyIsTold: not after stop, and not on a connection that the server closed.
func TestNobodyIsTold(t *testing.T) {
	var w Watcher
	client, server := pair(t)
	stop := w.Watch(server, Leaves, func() { t.Error("told after stop") })
	stop()
	stop()
	_, closed := pair(t)
	defer w.Watch(closed, Leaves, func() { t.Error("told of a connection that the server closed") })()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	defer w.Watch(plain{}, Leaves, func() { t.Error("told of what is no socket") })()
	time.Sleep(3 * After)
}

type plain struct{ net.Conn }

// TestManyWatches: for the race detector.
func TestManyWatches(t *testing.T) {
	var w Watcher
	_, server := pair(t)
	done := make(chan struct{})
	for range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 2000 {
				w.Watch(server, Probed, func() {})()
			}
		}()
	}
	for range 8 {
		<-done
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.watched) > 0 {
		t.Errorf("%d are still watched", len(w.watched))
	}
}
