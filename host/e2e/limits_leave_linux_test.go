package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// dial opens a connection and sends a request on it.
func (s *server) dial(request string) *net.TCPConn {
	s.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.public, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	if _, err := c.Write([]byte(request)); err != nil {
		s.t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// awaitInFlight waits until so many requests of a plugin run and wait.
func (s *server) awaitInFlight(plugin string, want int) {
	s.t.Helper()
	err := until(s.t.Context(), func() bool {
		p, _ := s.status(plugin)
		return p.InFlight == want
	})
	if err != nil {
		p, _ := s.status(plugin)
		s.t.Fatalf("%d requests of %s are in flight, want %d: %v", p.InFlight, plugin, want, err)
	}
}

// TestAClientLeaves: whoever leaves while its request waits frees its place; who
// only ends its half of the connection is answered.
func TestAClientLeaves(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	s.deploy("slow", pack(t, enginetest.Sleep("done"), "slow", "[limits]", "concurrency = 1", `deadline = "60s"`))
	running := s.send("slow", "3000")
	request := "POST /slow/ HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n1"
	for name, leave := range map[string]func(*net.TCPConn) error{
		"FIN":              func(c *net.TCPConn) error { return c.Close() },
		"RST":              func(c *net.TCPConn) error { _ = c.SetLinger(0); return c.Close() },
		"FIN after a half": func(c *net.TCPConn) error { _, _ = c.Write([]byte("GET /next")); return c.Close() },
	} {
		c := s.dial(request)
		s.awaitInFlight("slow", 2)
		if err := leave(c); err != nil {
			t.Fatal(err)
		}
		s.awaitInFlight("slow", 1)
		select {
		case <-running.done:
			t.Fatalf("%s: the first request ended, so that the second one did not have to wait", name)
		default:
		}
	}
	if !strings.Contains(s.log.String(), `"status":499`) {
		t.Errorf("the log has no record of those who left:\n%s", s.log)
	}

	c := s.dial(request)
	s.awaitInFlight("slow", 2)
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	running.want(t, "done")
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err == nil && res.StatusCode == http.StatusContinue { // of the probe
		res, err = http.ReadResponse(r, nil)
	}
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("who only ends its half got %v, %v", res, err)
	}
}

// TestAClientLeavesAHandler: the calls of a GET end with its client; a handler that
// may have effects runs on.
func TestAClientLeavesAHandler(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--outbound-allow-networks", "127.0.0.1/32")
	asked, ended, proceed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	origin := service(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-r.Context().Done():
			ended <- struct{}{}
		case <-proceed:
		}
	})
	s.deploy("fetch", pack(t, goGuest(t, "testdata/fetchguest"), "fetch", "[limits]", `deadline = "60s"`, "[kv]", allowing(origin)))
	s.do("POST", "/fetch/bump", "")

	get := s.dial("GET /fetch/ask?url=" + url.QueryEscape(origin) + " HTTP/1.1\r\nHost: test\r\n\r\n")
	<-asked
	if err := get.Close(); err != nil {
		t.Fatal(err)
	}
	<-ended

	post := s.dial(fmt.Sprintf("POST /fetch/conflict HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", len(origin), origin))
	<-asked
	if err := post.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
		t.Error("the call of a POST ended with its client")
	case <-time.After(time.Second):
		proceed <- struct{}{}
	}
	err := until(context.Background(), func() bool {
		_, _, code := s.cli("kv", "get", "fetch", "seen")
		return code == 0
	})
	if err != nil {
		t.Errorf("the handler of a POST whose client has left did not run on: %v\n%s", err, s.log)
	}
}
