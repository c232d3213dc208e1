package egress

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
)

// TestUnreadResponses leaves endless responses unread, over HTTP/2, where a
// service sends as far ahead as the client lets it.
func TestUnreadResponses(t *testing.T) {
	var sent atomic.Int64
	url, roots := secure(t, func(w http.ResponseWriter, _ *http.Request) {
		part := make([]byte, 64<<10)
		for {
			n, err := w.Write(part)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	})
	c := client(t, func(cfg *Config) { cfg.Network.RootCAs = roots }, url)
	s := c.Session(Trace{}, kept(t))
	defer s.Close()
	var handles []uint32
	for range c.cfg.Limits.Calls {
		handle, status, why := s.Open(&abi.HTTPRequest{URL: url})
		if status != abi.OK {
			t.Fatal(status, why)
		}
		handles = append(handles, handle)
	}
	if n, status, err := s.Send(t.Context(), handles); n != len(handles) || status != abi.OK || err != nil {
		t.Fatal(n, status, err)
	}
	// Beside what the client holds there is what the kernel does, for one
	// connection.
	most := int64(len(handles))*sentAhead + 16<<20
	for range 20 {
		if n := sent.Load(); n > most {
			t.Fatalf("%d MiB were sent ahead, want at most %d", n>>20, most>>20)
		}
		time.Sleep(short / 5)
	}
}
