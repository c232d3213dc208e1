//go:build edge

package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// edgeProxy is nginx before a server, twice: one address reads a request whole
// before it passes it on, the other passes it on as it comes, and header fields
// it does not know how to read with it. All requests share a few connections to
// the server, so that what one leaves behind on them meets the next.
const edgeProxy = `
worker_processes 1;
pid DIR/nginx.pid;
events { worker_connections 512; }
http {
	log_format passed '$uri $upstream_status';
	access_log DIR/access.log passed;
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	client_header_timeout 1s;
	client_body_timeout 1s;
	upstream wasmoor { server SERVER; keepalive 2; }
	proxy_http_version 1.1;
	proxy_set_header Connection "";
	proxy_set_header Host $host;
	server {
		listen WHOLE;
		location / { proxy_pass http://wasmoor; }
	}
	server {
		listen STREAMED;
		ignore_invalid_headers off;
		underscores_in_headers on;
		location / { proxy_pass http://wasmoor; proxy_request_buffering off; }
	}
}
`

// proxy is a running nginx.
type proxy struct {
	*child
	dir             string
	whole, streamed string // addresses
}

func startProxy(t *testing.T, s *server) *proxy {
	t.Helper()
	path := tool(t, "nginx", "nginx-light")
	p := &proxy{dir: t.TempDir(), whole: freeAddress(t), streamed: freeAddress(t)}
	config := strings.NewReplacer("DIR", p.dir, "SERVER", strings.TrimPrefix(s.public, "http://"),
		"WHOLE", p.whole, "STREAMED", p.streamed).Replace(edgeProxy)
	if os.Geteuid() == 0 {
		config = "user root;\n" + config // the directory of a test is its own user's
	}
	file := filepath.Join(p.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p.child = begin(path, "-p", p.dir, "-c", file, "-e", filepath.Join(p.dir, "error.log"), "-g", "daemon off;")
	p.start(t)
	err := until(t.Context(), func() bool {
		conn, err := net.Dial("tcp", p.streamed)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	if err != nil {
		t.Fatalf("nginx does not listen: %v\n%s", err, &p.said)
	}
	return p
}

// passed ends the proxy once what runs has ended, and returns how many requests
// of a path it passed on, as it understood them.
func (p *proxy) passed(t *testing.T, path string) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
	case <-time.After(time.Minute):
		t.Fatal("nginx does not end")
	}
	log, err := os.ReadFile(filepath.Join(p.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(log)) {
		if uri, status, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(uri, path) && status != "-" {
			n++
		}
	}
	return n
}

// canary is a request that is like every other but for its name, which its answer
// must carry.
type canary struct{ name string }

func (c canary) raw() string {
	return fmt.Sprintf("POST /echo/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%[1]s",
		c.name, len(c.name))
}

// is tells whether an answer is the canary's own.
func (c canary) is(a answer) bool {
	return a.status == 200 && a.header.Get("X-Request-Id") == c.name && a.body == c.name
}

// fly sends the canary with a client and wants its own answer.
func (c canary) fly(t *testing.T, with *http.Client, address string) {
	t.Helper()
	req, err := http.NewRequest("POST", "http://"+address+"/echo/", strings.NewReader(c.name))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Request-Id", c.name)
	if a, err := sendRequest(with, req); err != nil || !c.is(a) {
		t.Errorf("%s got %v, %v, %v", c.name, a, a.header, err)
	}
}

// TestEdgeSmuggling sends what a proxy and the server could take for different
// requests, and looks for an answer that belongs to another request, and for a
// request the proxy never passed on.
func TestEdgeSmuggling(t *testing.T) {
	s := serve(t, t.TempDir())
	s.deploy("echo", pack(t, enginetest.Echo(), "echo"))
	s.deploy("smuggled", pack(t, enginetest.Counter(), "smuggled", "[kv]"))
	p := startProxy(t, s)
	kept := &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}
	fresh := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	t.Cleanup(kept.CloseIdleConnections)

	reached, canaries := 0, 0
	for _, front := range []struct{ name, address string }{{"whole", p.whole}, {"streamed", p.streamed}} {
		end := flyBeside(t, front.name, front.address)
		for i, attempt := range edgeAttempts() {
			t.Run(front.name+"/"+attempt.name, func(t *testing.T) {
				name := front.name + "-" + strconv.Itoa(i)
				behind := canary{"canary-" + name}
				request := strings.ReplaceAll(attempt.request, "NAME", "attempt-"+name)
				passed, answered := checkAnswers(t, exchange(t, front.address, request+behind.raw()), "attempt-"+name, behind)
				reached += passed
				canaries += answered
				for n := range 3 {
					canary{fmt.Sprintf("kept-%s-%d", name, n)}.fly(t, kept, front.address)
					canary{fmt.Sprintf("fresh-%s-%d", name, n)}.fly(t, fresh, front.address)
				}
			})
		}
		end()
	}
	kept.CloseIdleConnections()
	passed := p.passed(t, "/smuggled")
	got, err := strconv.Atoi(s.get("/smuggled/").body) // which counts itself
	if err != nil || got-1 != passed {
		t.Errorf("%d requests reached the plugin (%v) and nginx passed on %d: the rest was smuggled", got-1, err, passed)
	}
	t.Logf("%d attempts at two addresses: the server answered %d, %d canaries behind one on its connection were answered, nginx itself saw %d second requests",
		len(edgeAttempts()), reached, canaries, passed)
	if reached < 10 || canaries < 10 {
		t.Error("too few attempts came through for a test of what is behind the proxy")
	}
}

// flyBeside sends canaries over connections of its own until end is called.
func flyBeside(t *testing.T, name, address string) (end func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	with := &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}
	go func() {
		defer close(done)
		defer with.CloseIdleConnections()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				canary{fmt.Sprintf("beside-%s-%d", name, n)}.fly(t, with, address)
			}
		}
	}()
	return func() { close(stop); <-done }
}

// exchange writes bytes on a connection and returns all that comes back until it
// is closed.
func exchange(t *testing.T, address, raw string) []byte {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, raw) // it may be refused before its end
	got, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection stays open behind %q", got)
	}
	return got
}

// checkAnswers reads the answers on the connection of an attempt. In the order of
// the requests there may be the attempt's own, one of the request inside it as far
// as nginx took it for one, and that of the canary behind.
func checkAnswers(t *testing.T, got []byte, attempt string, behind canary) (passed, answered int) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(got))
	for last := ""; ; {
		if _, err := r.Peek(1); err != nil {
			return passed, answered
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("what came back are no answers: %v\n%q", err, got)
		}
		body, err := io.ReadAll(res.Body)
		a := answer{res.StatusCode, res.Header, string(body)}
		id := a.header.Get("X-Request-Id")
		switch {
		case err == nil && a.status == http.StatusContinue:
			continue
		case err != nil || answered > 0:
			t.Fatalf("behind the answer to %s: %v, %v, in %q", last, a, err, got)
		case id == behind.name:
			if !behind.is(a) {
				t.Errorf("the canary got %v", a)
			}
			answered++
		case id == attempt && last == "", id == attempt+"-inside" && last != id:
			passed++
		case a.status < 400: // nginx, or the server, refuse what has no name they could read
			t.Errorf("an answer to nobody, %v, %v, in %q", a, a.header, got)
		}
		last = id
		if strings.Contains(a.body, "beside-") || strings.Contains(a.body, "kept-") || strings.Contains(a.body, "fresh-") {
			t.Errorf("%s got an answer of another connection: %v", id, a)
		}
	}
}
