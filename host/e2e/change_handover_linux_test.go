package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// steady is clients that add to a counter, half of them on kept connections, until
// it ends. Every request has to be answered.
type steady struct {
	all     sync.WaitGroup
	stop    atomic.Bool
	done    atomic.Int64
	longest atomic.Int64 // nanoseconds that a request took
}

func (s *server) steady(clients int) *steady {
	l := &steady{}
	for i := range clients {
		own := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: i%2 == 1}}
		l.all.Go(func() {
			defer own.CloseIdleConnections()
			for !l.stop.Load() {
				begun := time.Now()
				req, err := http.NewRequest("POST", s.public+"/count/", strings.NewReader(""))
				if err != nil {
					s.t.Error(err)
					return
				}
				res, err := own.Do(req)
				if err != nil {
					s.t.Errorf("client %d: %v", i, err)
					return
				}
				_ = res.Body.Close()
				if res.StatusCode != http.StatusOK {
					s.t.Errorf("client %d: %s", i, res.Status)
				}
				l.done.Add(1)
				for took := int64(time.Since(begun)); ; {
					longest := l.longest.Load()
					if took <= longest || l.longest.CompareAndSwap(longest, took) {
						break
					}
				}
			}
		})
	}
	return l
}

// end ends the load and returns how many requests were answered, and the longest.
func (l *steady) end() (int64, time.Duration) {
	l.stop.Store(true)
	l.all.Wait()
	return l.done.Load(), time.Duration(l.longest.Load())
}

// fill makes a store of so many keys, of a plugin of its own.
func (s *server) fill(keys int) {
	s.t.Helper()
	const each = 5000
	s.deploy("fill", pack(s.t, goGuest(s.t, "testdata/fillguest"), "fill", "[limits]", `deadline = "60s"`, "[kv]", "keys = 2000000"))
	for from := 0; from < keys; from += each {
		if a := s.do("POST", "/fill/", fmt.Sprintf("%d %d", from, each)); a.status != http.StatusNoContent {
			s.t.Fatal(a)
		}
	}
}

// starts counts how often a process has said that it serves.
func (s *server) starts() int { return strings.Count(s.log.String(), " serves\n") }

// handOver has a successor take the server's place, and waits until it serves.
func (s *server) handOver() {
	s.t.Helper()
	before := s.starts()
	s.signal(syscall.SIGUSR2)
	if err := until(context.Background(), func() bool { return s.starts() > before }); err != nil {
		s.t.Fatalf("no successor serves: %v\n%s", err, s.log)
	}
}

// TestHandOver: with clients under way, a restart by a signal answers every one,
// and every answer holds.
func TestHandOver(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--log-level", "warn")
	s.deploy("count", pack(t, enginetest.Counter(), "count", "[kv]"))
	if *soak {
		s.fill(1_000_000)
	}
	load := s.steady(16)
	for range often(2, 10) {
		time.Sleep(200 * time.Millisecond)
		s.handOver()
	}
	time.Sleep(200 * time.Millisecond)
	n, longest := load.end()
	t.Logf("%d requests, none failed; the longest took %v", n, longest)
	if a := s.do("POST", "/count/", ""); a.body != strconv.FormatInt(n+1, 10) {
		t.Errorf("after %d answers the counter says %v", n, a)
	}
	s.stop()
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d, want 0:\n%s", code, s.log)
	}
}

// TestHandOverIsRefused: where the successor would not start, the server goes on.
func TestHandOverIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("max_conns = 100\n")
	s := serve(t, filepath.Join(dir, "data"), "--config", config)
	write("max_conns = 0\n")
	s.signal(syscall.SIGUSR2)
	if err := until(t.Context(), func() bool { return strings.Contains(s.log.String(), "no restart") }); err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	if !strings.Contains(s.log.String(), "max_conns") {
		t.Errorf("the log does not say why:\n%s", s.log)
	}
	hangUp := func(want string) {
		t.Helper()
		s.signal(syscall.SIGHUP)
		if err := until(t.Context(), func() bool { return strings.Contains(s.log.String(), want) }); err != nil {
			t.Fatalf("%v\n%s", err, s.log)
		}
	}
	hangUp("the settings are not reloaded")
	write("max_conns = 90\nbody_timeout = \"7s\"\n")
	hangUp(`"key":"max_conns","from":"100","to":"90"`)
	hangUp(`holds after a restart (SIGUSR2)","key":"body_timeout"`)
	if a := s.get("/readyz"); a.status != http.StatusOK {
		t.Errorf("after both: %v", a)
	}
}

// TestTerminateEndsAHandOver: who ends a server that waits for requests before its
// successor may start gets no successor.
func TestTerminateEndsAHandOver(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	s.deploy("slow", slow(t, "slow", "finished"))
	running := s.send("slow", "2000")
	s.signal(syscall.SIGUSR2)
	if err := until(t.Context(), func() bool { return strings.Contains(s.log.String(), "restarting") }); err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	s.signal(syscall.SIGTERM)
	running.want(t, "finished")
	select {
	case <-s.exited:
	case <-time.After(30 * time.Second):
		t.Fatalf("the process goes on:\n%s", s.log)
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 || s.starts() != 1 {
		t.Errorf("exit code %d, want 0, and no successor:\n%s", code, s.log)
	}
}

// TestSocketsOfSystemd: a server takes the sockets that it is given, connections
// that came before it too, tells when it serves, stops and works, and leaves the
// sockets open.
func TestSocketsOfSystemd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := make([]*os.File, 2)
	addrs := make([]string, 2)
	for i := range files {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs[i] = ln.Addr().String()
		if files[i], err = ln.(*net.TCPListener).File(); err != nil {
			t.Fatal(err)
		}
		defer files[i].Close()
		ln.Close()
	}
	news, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "@" + filepath.Base(dir) + strconv.Itoa(os.Getpid()), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer news.Close()
	hear := func(want string) {
		t.Helper()
		for buf := make([]byte, 256); ; {
			_ = news.SetReadDeadline(time.Now().Add(time.Minute))
			n, err := news.Read(buf)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if string(buf[:n]) == want {
				return
			}
		}
	}
	early := make(chan answer, 1)
	go func() { // before there is a server
		a, err := send(context.Background(), "GET", "http://"+addrs[0]+"/readyz", "", strings.NewReader(""))
		if err != nil {
			t.Error(err)
		}
		early <- a
	}()
	start := func() *server {
		cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$0" "$@"`, binary, "serve", "--data", dir)
		cmd.ExtraFiles = files
		cmd.Env = append(os.Environ(), "LISTEN_FDS=2", "LISTEN_FDNAMES=public:admin", "NOTIFY_SOCKET="+news.LocalAddr().String(), "WATCHDOG_USEC=400000")
		s, ready, err := launchAs(t, dir, cmd)
		if err == nil {
			err = s.await(ready)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.stop)
		return s
	}
	s := start()
	if s.public != "http://"+addrs[0] || s.admin != "http://"+addrs[1] {
		t.Errorf("it serves at %s and %s, want %v", s.public, s.admin, addrs)
	}
	if a := <-early; a.status != http.StatusOK {
		t.Errorf("who came before got %v", a)
	}
	hear("READY=1")
	hear("WATCHDOG=1")
	s.handOver()
	hear("RELOADING=1")
	hear("READY=1")
	hear("WATCHDOG=1")
	s.signal(syscall.SIGTERM)
	hear("STOPPING=1")
	<-s.exited
	between := make(chan answer, 1)
	go func() {
		a, err := send(context.Background(), "GET", "http://"+addrs[0]+"/livez", "", strings.NewReader(""))
		if err != nil {
			t.Errorf("between two processes: %v", err)
		}
		between <- a
	}()
	start()
	if a := <-between; a.status != http.StatusOK {
		t.Errorf("who came between two processes got %v", a)
	}
}

func TestSocketsOfNobody(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, binary, "serve", "--data", t.TempDir())
	cmd.ExtraFiles = []*os.File{file}
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=wasmoor.socket")
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), `"wasmoor.socket"`) {
		t.Errorf("exit code %d:\n%s", cmd.ProcessState.ExitCode(), out)
	}
}

// TestStopIsBounded: a log that nobody reads does not keep the process.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(binary, "serve", "--data", dir, "--public", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--drain-timeout", "500ms", "--log-level", "debug")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stderr = w
	if err := endsWithTest(cmd).Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	buf := make([]byte, 4096)
	var said string
	for !strings.Contains(said, "deploy DIR") {
		n, err := r.Read(buf)
		if err != nil {
			t.Fatalf("%v:\n%s", err, said)
		}
		said += string(buf[:n])
	}
	public := "http://" + strings.Fields(said[strings.Index(said, "http://")+len("http://"):])[0]
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				_, _ = send(ctx, "GET", public+"/"+strings.Repeat("x", 4000), "", strings.NewReader(""))
			}
		})
	}
	all.Wait()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-exited:
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		t.Error("the process does not end")
	}
}

// TestLimitOfFiles: what ulimit -n leaves is said and held, and too little refused.
func TestLimitOfFiles(t *testing.T) {
	t.Parallel()
	limited := func(n int) *exec.Cmd {
		dir := t.TempDir()
		return exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, n),
			binary, "serve", "--data", dir, "--public", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	}
	s, ready, err := launchAs(t, t.TempDir(), limited(800))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	select {
	case <-ready:
	case <-s.exited:
	}
	if !strings.Contains(s.log.String(), "ulimit -n") {
		t.Errorf("a low limit is not said:\n%s", s.log)
	}
	var last net.Conn
	for range 200 {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.public, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		last = c
	}
	_ = last.SetReadDeadline(time.Now().Add(10 * time.Second))
	if res, err := http.ReadResponse(bufio.NewReader(last), nil); err != nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the limit is not held: %v, %v", res, err)
	}
	out, err := limited(300).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "ulimit -n") {
		t.Errorf("with room for no connection: %v\n%s", err, out)
	}
}
