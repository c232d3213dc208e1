package wire

import (
	"bufio"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

func TestConnectionsOfOneAddress(t *testing.T) {
	addr := edgeFor(t, Conns{PerAddress: 2})
	first, _ := kept(t, addr)
	kept(t, addr)
	over := servertest.Dial(t, addr)
	got := servertest.Receive(t, bufio.NewReader(over), "GET")
	if got.StatusCode != 429 || got.Header.Get("Retry-After") == "" || !got.Close {
		t.Errorf("status %d", got.StatusCode)
	}
	servertest.CheckProblem(t, got)
	_ = first.Close()
	for deadline := time.Now().Add(time.Minute); ; {
		if servertest.RoundTrip(t, addr, servertest.Get("/")).StatusCode == 200 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a closed connection makes no room")
		}
	}
}
