//go:build edge

package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestEdgeSlowClients has hundreds of clients be slow in each way slowhttptest
// knows, beside a client that is not: that one is always answered, and the
// sockets of the slow ones come back.
func TestEdgeSlowClients(t *testing.T) {
	const connections, seconds = 300, 8
	path := tool(t, "slowhttptest", "slowhttptest")
	for _, test := range []struct {
		name   string
		plugin string
		flags  []string
		holds  bool // connections open; with ranges each ends with its answer
	}{
		{"slow headers", "echo", []string{"-H", "-i", "1", "-x", "24"}, true},
		{"slow body", "echo", []string{"-B", "-i", "1", "-s", "8192", "-x", "10"}, true},
		{"ranges", "large", []string{"-R", "-a", "1", "-b", "3000"}, false},
		{"slow reading", "large", []string{"-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "3"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, t.TempDir())
			s.deploy("echo", pack(t, enginetest.Echo(), "echo"))
			s.deploy("large", pack(t, enginetest.Large(1024), "large"))
			client.CloseIdleConnections() // what is open now, the server opened
			before := s.sockets()

			load := begin(path, append(test.flags, "-c", strconv.Itoa(connections), "-r", "200",
				"-l", strconv.Itoa(seconds), "-p", "5", "-v", "0", "-u", s.public+"/"+test.plugin+"/")...)
			load.start(t)
			requests, peak := s.healthyUntil(load.exited)
			t.Logf("%d requests of the healthy client; %d sockets before, at most %d", requests, before, peak)
			if requests == 0 || test.holds && peak < before+100 {
				t.Errorf("that was no load: %d requests, at most %d sockets\n%s", requests, peak, &load.said)
			}
			answered := func() bool { return strings.Count(s.log.String(), `"method":"HEAD"`) >= 50 } // the log keeps the last
			if !test.holds && until(t.Context(), answered) != nil {
				t.Errorf("that was no load, its requests are not in the log:\n%s", &load.said)
			}
			err := until(t.Context(), func() bool {
				client.CloseIdleConnections()
				return s.sockets() <= before
			})
			if err != nil {
				t.Errorf("%d sockets stay open, %d were: %v", s.sockets(), before, err)
			}
			if a := s.do("POST", "/echo/", "after"); a.body != "after" {
				t.Errorf("after the load: got %v", a)
			}
		})
	}
}

// healthyUntil sends requests one after the other until a channel closes, each of
// which must be answered, and returns how many, and the most sockets seen. Every
// other one is on a connection of its own.
func (s *server) healthyUntil(end <-chan struct{}) (requests, peak int) {
	s.t.Helper()
	bound := time.After(time.Minute)
	for ; ; requests++ {
		select {
		case <-end:
			return requests, peak
		case <-bound:
			s.t.Error("the load does not end")
			return requests, peak
		case <-time.After(5 * time.Millisecond):
		}
		want := "healthy " + strconv.Itoa(requests)
		req, err := http.NewRequest("POST", s.public+"/echo/", strings.NewReader(want))
		if err != nil {
			s.t.Fatal(err)
		}
		req.Close = requests%2 == 1
		if a, err := sendRequest(client, req); err != nil || a.status != 200 || a.body != want {
			s.t.Errorf("the healthy client: got %v, %v, want %q", a, err, want)
		}
		peak = max(peak, s.sockets())
	}
}
