package egress

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// BenchmarkCall compares a call through all checks with net/http's client doing
// the same: GET of 1 KiB over a kept connection, read whole.
func BenchmarkCall(b *testing.B) {
	page := make([]byte, 1<<10)
	origin := upstream(b, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) })
	b.Run("net/http", func(b *testing.B) {
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		c := http.Client{Transport: transport}
		for b.Loop() {
			resp, err := c.Get(origin)
			if err != nil {
				b.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, resp.Body); n != 1<<10 || err != nil {
				b.Fatal(n, err)
			}
			_ = resp.Body.Close()
		}
	})
	b.Run("egress", func(b *testing.B) {
		c := client(b, nil, origin)
		benchCall(b, c, origin)
	})
	b.Run("egress, cached", func(b *testing.B) {
		fresh := upstream(b, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=3600")
			_, _ = w.Write(page)
		})
		benchCall(b, client(b, func(cfg *Config) { cfg.Cache = true }, fresh), fresh)
	})
}

func benchCall(b *testing.B, c *Client, origin string) {
	b.Helper()
	buf := make([]byte, 4<<10)
	request := abi.HTTPRequest{URL: origin}
	for b.Loop() {
		answers := NewAnswers(true, limit.Share{}, free)
		s := c.Session(Trace{RequestID: "r1"}, answers)
		handle, status, why := s.Open(&request)
		if status != abi.OK {
			b.Fatal(why)
		}
		if n, _, err := s.Send(b.Context(), []uint32{handle}); n != 1 || err != nil {
			b.Fatal(s.Reason(handle), err)
		}
		if _, status := s.Response(handle); status != abi.OK {
			b.Fatal(status)
		}
		total := 0
		for {
			n, status, _ := s.Read(b.Context(), handle, buf)
			if status != abi.OK {
				b.Fatal(status)
			}
			if n == 0 {
				break
			}
			total += n
		}
		if total != 1<<10 {
			b.Fatal(fmt.Sprint(total, " bytes"))
		}
		s.Close()
		answers.Close()
	}
}
