package e2e

import (
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// TestACrowdedPlugin sends many more requests to a plugin than it may run and
// have wait: the rest is refused at once, and its neighbour answers meanwhile.
func TestACrowdedPlugin(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	b := enginetest.NewBuilder(1)
	head := b.Native(abi.FnRequestHead) // one that asks for nothing would be refused
	forever := new(enginetest.Code).I32(4096).I32(1024).Call(head).Drop().Loop(func(c *enginetest.Code) { c.Br(0) })
	s.deploy("crowded", pack(t, b.Handle(forever.I32(0)).Bytes(), "crowded", "[limits]", "concurrency = 1", `deadline = "3s"`))
	s.deploy("neighbour", pack(t, enginetest.Tiny(), "neighbour", "[limits]", "concurrency = 1"))
	const all = 4 * limit.Queue
	answers := make(chan answer, all)
	var clients sync.WaitGroup
	for range all {
		clients.Go(func() { answers <- s.get("/crowded/") })
	}
	refused := 0
	for range all - 1 - limit.Queue {
		a := <-answers
		if a.status == 503 && a.header.Get("Retry-After") != "" {
			refused++
		}
		if a := s.get("/neighbour/"); a.status != 200 {
			t.Errorf("meanwhile the neighbour answers %v", a)
		}
	}
	if refused == 0 || !s.logged("more wait") {
		t.Error("nobody was refused because of the queue")
	}
	clients.Wait()
	close(answers)
	for a := range answers {
		if a.status != 503 && a.status != 504 {
			t.Errorf("of those that waited one got %v", a)
		}
	}
}

// TestAnIdlePluginSleeps waits until a plugin is unloaded, and wakes it.
func TestAnIdlePluginSleeps(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--sleep-after", "1ms")
	s.deploy("tiny", pack(t, enginetest.Tiny(), "tiny"))
	tooLong := time.After(time.Minute)
	for {
		p, _ := s.status("tiny")
		if p.State == "asleep" {
			break
		}
		select {
		case <-tooLong:
			t.Fatalf("it is still %s", p.State)
		case <-time.After(100 * time.Millisecond):
		}
	}
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() {
			if a := s.get("/tiny/"); a.status != 200 || a.body != "hello" {
				t.Errorf("woken, it answers %v", a)
			}
		})
	}
	clients.Wait()
}
