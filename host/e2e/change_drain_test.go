package e2e

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// slow is a plugin whose handler sleeps as many milliseconds as the body says.
func slow(t testing.TB, name, answers string) []byte {
	return pack(t, enginetest.Sleep(answers), name, `[limits]`, `deadline = "60s"`)
}

// sending is a request on its way.
type sending struct {
	answer answer
	err    error
	done   chan struct{}
}

// send starts a request that takes so many milliseconds, and returns when its
// handler runs.
func (s *server) send(plugin, milliseconds string) *sending {
	s.t.Helper()
	r := &sending{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.answer, r.err = s.try(context.Background(), "POST", "/"+plugin+"/", milliseconds)
	}()
	for {
		if p, _ := s.status(plugin); p.InFlight > 0 {
			return r
		}
		select {
		case <-r.done:
			s.t.Fatalf("the request ended before it was seen: %v, %v", r.answer, r.err)
		case <-time.After(time.Millisecond):
		}
	}
}

// want waits for the end of the request.
func (r *sending) want(t testing.TB, body string) {
	t.Helper()
	<-r.done
	if r.err != nil || r.answer.status != http.StatusOK || r.answer.body != body {
		t.Errorf("got %v, %v, want 200 %q", r.answer, r.err, body)
	}
}

func TestLongRequestSurvivesSwapAndDelete(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	for _, name := range []string{"swapped", "deleted", "purged"} {
		s.deploy(name, slow(t, name, "old"))
	}
	long := strconv.Itoa(often(6000, 30000)) // milliseconds; the deadline is a minute
	swapped, deleted, purged := s.send("swapped", long), s.send("deleted", long), s.send("purged", long)
	s.deploy("swapped", slow(t, "swapped", "new"))
	s.api(nil, "DELETE", "/v1/plugins/deleted")
	s.api(nil, "DELETE", "/v1/plugins/purged?purge=true")

	if a := s.do("POST", "/swapped/", "1"); a.body != "new" {
		t.Errorf("after the swap a new request got %v", a)
	}
	for _, path := range []string{"/deleted/", "/purged/"} {
		if a := s.do("POST", path, "1"); a.status != http.StatusNotFound {
			t.Errorf("after the deletion a new request of %s got %v", path, a)
		}
	}
	for _, r := range []*sending{swapped, deleted, purged} {
		r.want(t, "old")
	}
}

// awaitDraining waits until /readyz of the admin listener says that the server stops,
// which it says as long as requests run.
func (s *server) awaitDraining() {
	s.t.Helper()
	for {
		a, err := send(context.Background(), "GET", s.admin+"/readyz", "", strings.NewReader(""))
		if err != nil {
			s.t.Fatalf("while it drains, /readyz: %v\n%s", err, s.log)
		}
		if a.status == http.StatusServiceUnavailable {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

func TestTerminateDrains(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir)
	s.deploy("slow", slow(t, "slow", "finished"))
	running := s.send("slow", "2000")
	s.signal(syscall.SIGTERM)
	s.awaitDraining()
	err := until(t.Context(), func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.public, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if err != nil {
		t.Errorf("the public listener takes connections while it drains: %v", err)
	}
	running.want(t, "finished")
	<-s.exited
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d, want 0:\n%s", code, s.log)
	}
	serve(t, dir).stop() // the data is free again
}

func TestTerminateTwiceEndsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir)
	s.deploy("slow", slow(t, "slow", "finished"))
	running := s.send("slow", "59000")
	s.signal(syscall.SIGTERM)
	s.awaitDraining()
	for ended := false; !ended; { // the first one may still be on its way to being let go of
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
		select {
		case <-s.exited:
			ended = true
		case <-time.After(50 * time.Millisecond):
		}
	}
	<-running.done
	if running.err == nil {
		t.Errorf("the request was answered %v by a process that ended at once", running.answer)
	}
	status := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, want by the signal", s.cmd.ProcessState)
	}
	serve(t, dir).stop()
}

// TestDrainTimeout checks that a request which outlasts the drain is cut off.
func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--drain-timeout", "100ms")
	s.deploy("slow", slow(t, "slow", "finished"))
	running := s.send("slow", "59000")
	s.signal(syscall.SIGTERM)
	<-s.exited
	<-running.done
	if running.err == nil && running.answer.status == http.StatusOK {
		t.Errorf("the request was answered %v although the time to drain was over", running.answer)
	}
}

// TestDrainDelay: after the signal /readyz fails and all else goes on, new
// connections too, until the delay is over.
func TestDrainDelay(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--drain-delay", "1s")
	s.deploy("slow", slow(t, "slow", "finished"))
	s.signal(syscall.SIGTERM)
	s.awaitDraining()
	served := 0
	for {
		req, err := http.NewRequest("POST", s.public+"/slow/", strings.NewReader("1"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: served%2 == 0}}).Do(req)
		if err != nil { // it is over
			break
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("in the delay: %s", res.Status)
		}
		served++
	}
	<-s.exited
	if code := s.cmd.ProcessState.ExitCode(); code != 0 || served == 0 {
		t.Errorf("exit code %d after %d requests, want 0 after some:\n%s", code, served, s.log)
	}
}

// TestReadyOnAFullDisk: a disk without room fails writes alone.
func TestReadyOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir)
	s.deploy("count", pack(t, enginetest.Counter(), "count", "[kv]"))
	s.deploy("echo", pack(t, enginetest.Echo(), "echo"))
	s.stop()
	s = serve(t, dir, "--min-free-disk", "1000000GiB")
	for path, want := range map[string]answer{
		"/readyz":         {status: 200, body: "ok\n"},
		"/readyz?verbose": {status: 200, body: "accepting ok\nreads ok\nwrites failed: the disk is full\nok\n"},
	} {
		if a := s.get(path); a.status != want.status || a.body != want.body {
			t.Errorf("%s: got %v, want %v", path, a, want)
		}
	}
	if a := s.do("POST", "/count/", ""); a.status != http.StatusInsufficientStorage {
		t.Errorf("a write: %v", a)
	}
	if a := s.do("POST", "/echo/", "x"); a.body != "x" {
		t.Errorf("a request without a write: %v", a)
	}
}
