package native

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
)

// goGuest is the example hello, built with the Go toolchain of the test.
var goGuest = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "hello.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", file,
		"github.com/wasmoor/wasmoor/examples/hello")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return os.ReadFile(file)
})

func prepareGoGuest(tb testing.TB) engine.Program {
	tb.Helper()
	module, err := goGuest()
	if err != nil {
		tb.Fatalf("build the guest: %v", err)
	}
	ctx := context.Background()
	e := engine.InProcess(New(Config{}))
	p, err := e.Prepare(ctx, module, engine.Options{Memory: 64 << 20})
	if err != nil {
		tb.Fatalf("Prepare: %v", err)
	}
	tb.Cleanup(func() {
		_ = p.Close(ctx)
		_ = e.Close(ctx)
	})
	return p
}

// TestGoGuestCollectsGarbage checks that Go's collector gets its turns in a
// guest: one instance answers requests that allocate many times its memory.
func TestGoGuestCollectsGarbage(t *testing.T) {
	ctx := context.Background()
	p := prepareGoGuest(t)
	in, err := p.Instance(ctx)
	if err != nil {
		t.Fatalf("Instance: %v", err)
	}
	defer func() { _ = in.Close(ctx) }()
	inv := getRequest()
	value := strings.Repeat("n", 32<<10)
	inv.Request.Head.Params = []abi.Pair{{Name: "name", Value: value}}
	const requests = 3000
	for i := range requests {
		inv.Begin(i+1, inv.Env.Limits, nil)
		if err := in.Handle(ctx, inv); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if inv.Reply.Status != 200 || inv.Reply.Fault() != "" {
			t.Fatalf("request %d: status %d, fault %q", i, inv.Reply.Status, inv.Reply.Fault())
		}
	}
	allocated, size := requests*len(value), len(in.(instance).Memory())
	t.Logf("memory: %d KiB after allocating more than %d KiB", size>>10, allocated>>10)
	if size > allocated/4 {
		t.Errorf("memory grew to %d bytes over requests that allocated at least %d: no garbage is collected", size, allocated)
	}
}
