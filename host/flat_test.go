package host

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// TestFlat deploys many modules, asks for each, and finds the goroutines and the
// heap as they were, and all memory of guests free. What the system counts is in
// the end-to-end test of this name.
func TestFlat(t *testing.T) {
	const pages = 8
	h := running(t, pages)
	deployMany(t, h, 0, 20)
	start := atRest(t, held{})
	deployMany(t, h, 20, 120)
	end := atRest(t, start)
	t.Logf("at rest it held %+v, and holds %+v", start, end)
	if !end.within(start) {
		t.Errorf("at rest it holds %+v, and held %+v", end, start)
	}
	all := enginetest.NewBuilder(pages).Handle(new(enginetest.Code).I32(0)).Bytes()
	if out, err := h.deployer.Deploy(t.Context(), deploy.Upload{Module: named(t, all, "all")}); err != nil || !out.Activated {
		t.Errorf("a guest that takes all memory: %+v, %v", out, err)
	}
}

// held is what a process holds.
type held struct {
	goroutines int
	heap       uint64 // bytes
}

// slack is the heap that may be more at the end: the store remembers what was
// written last, 1.5 KiB a deploy, up to a bound of its own. One runtime of a
// module that stays takes more.
const slack = 512 << 10

func (h held) within(start held) bool {
	return h.goroutines <= start.goroutines && h.heap <= start.heap+slack
}

// atRest waits until no more is held than at the start, for some time at most.
func atRest(t *testing.T, start held) (now held) {
	t.Helper()
	for range 100 {
		runtime.GC() // what finalizers kept alive goes with the next
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		now = held{runtime.NumGoroutine(), m.HeapAlloc}
		if now.within(start) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return now
}

// running runs a host whose guests share some pages of memory.
func running(t *testing.T, pages int64) *Host {
	t.Helper()
	cfg := DefaultConfig()
	cfg.DataDir, cfg.PublicAddr, cfg.AdminAddr = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	cfg.MaxGuestMemory, cfg.SleepAfter = pages<<16, 100*time.Millisecond
	h, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return h
}

// deployMany makes the deploys from one number to another, asks each, and
// deletes every fourth.
func deployMany(t *testing.T, h *Host, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		name := "flat"
		if i%4 == 3 {
			name = "gone"
		}
		want := fmt.Sprintf("hello %d", i)
		if _, err := h.deployer.Deploy(t.Context(), deploy.Upload{Module: named(t, enginetest.Version(want), name)}); err != nil {
			t.Fatal(err)
		}
		res, err := http.Get(h.PublicURL() + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != 200 {
			t.Errorf("deploy %d: %s, %v", i, res.Status, err)
		}
		if name == "gone" {
			if err := h.deployer.Delete(t.Context(), name, i%8 == 3, "me"); err != nil {
				t.Fatal(err)
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// named puts a manifest into a module.
func named(t *testing.T, module []byte, name string) []byte {
	t.Helper()
	packed, err := wasmbin.WithCustomSection(module, abi.ManifestSection, []byte("manifest_version = 1\nname = \""+name+"\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return packed
}
