package native

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/native/testdata/floatguest/mix"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// Go guests of the tests, by what is built.
const (
	hello = "github.com/wasmoor/wasmoor/examples/hello"
	links = "github.com/wasmoor/wasmoor/plugins/links"
	bare  = "github.com/wasmoor/wasmoor/host/internal/engine/native/testdata/bareguest"
	seeds = "github.com/wasmoor/wasmoor/host/internal/engine/native/testdata/seedguest"
	maps  = "github.com/wasmoor/wasmoor/host/internal/engine/native/testdata/mapguest"
	kvs   = "github.com/wasmoor/wasmoor/host/e2e/testdata/kvguest"
	jsons = "github.com/wasmoor/wasmoor/host/internal/engine/native/testdata/jsonguest"
	texts = "github.com/wasmoor/wasmoor/host/internal/engine/native/testdata/jsontextguest"
	float = "github.com/wasmoor/wasmoor/host/internal/engine/native/testdata/floatguest"
)

var goGuests sync.Map // of what is built, a func() ([]byte, error)

// goGuest returns a guest, built with the Go toolchain of the test.
func goGuest(tb testing.TB, path string) []byte {
	tb.Helper()
	build, _ := goGuests.LoadOrStore(path, sync.OnceValues(func() ([]byte, error) { return buildGo(path) }))
	module, err := build.(func() ([]byte, error))()
	if err != nil {
		tb.Fatalf("build %s: %v", path, err)
	}
	return module
}

func buildGo(path string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "guest.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", file, path)
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return os.ReadFile(file)
}

func prepareGoGuest(tb testing.TB, path string, warmups ...manifest.Warmup) engine.Program {
	tb.Helper()
	ctx := context.Background()
	e := enginetest.InProcess(New(Config{Functions: capabilities.All(capabilities.Config{}).Native()}))
	p, err := e.Prepare(ctx, goGuest(tb, path), engine.Options{Name: "guest", Memory: 64 << 20, Warmups: warmups})
	if err != nil {
		tb.Fatalf("Prepare: %v", err)
	}
	tb.Cleanup(func() {
		_ = p.Close(ctx)
		_ = e.Close(ctx)
	})
	return p
}

// TestGoGuestCalculates has Go's own floats, of which math.Copysign and conversions
// from uint64 are written out on amd64, be those of the test.
func TestGoGuestCalculates(t *testing.T) {
	inv := getRequest()
	if err := enginetest.Handle(t.Context(), prepareGoGuest(t, float), inv); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(100) {
		got, want := binary.LittleEndian.Uint64(inv.Reply.Body[8*seed:]), math.Float64bits(mix.Floats(seed))
		if got != want {
			t.Errorf("seed %d: got %v, want %v", seed, math.Float64frombits(got), math.Float64frombits(want))
		}
	}
}

// TestGoGuestCollectsGarbage checks that Go's collector gets its turns in a
// guest: one instance answers requests that allocate many times its memory.
func TestGoGuestCollectsGarbage(t *testing.T) {
	ctx := context.Background()
	p := prepareGoGuest(t, hello)
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

// TestGoGuestHasNoFiles: a program that looks for a file finds none, and one that
// makes one learns that it cannot.
func TestGoGuestHasNoFiles(t *testing.T) {
	const none, taken = "No such file or directory", "Read-only file system"
	script := "args\nfile open /etc/passwd\nfile open data\nfile stat .\nfile list /\nfile remove a/b\nfile create a\nfile mkdir a\n"
	want := []string{
		"guest", "open /etc/passwd: " + none, "open data: " + none, "stat .: " + none, "open /: " + none, "remove a/b: " + none,
		"open a: " + taken, "mkdir a: " + taken,
	}
	inv := enginetest.Invocation(script, nil, nil)
	if err := enginetest.Handle(t.Context(), prepareGoGuest(t, kvs), inv); err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSpace(string(inv.Reply.Body)), "\n"); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// TestGoGuestSleeps: time.Sleep takes its time, and ends with the deadline.
func TestGoGuestSleeps(t *testing.T) {
	p := prepareGoGuest(t, kvs)
	start := time.Now()
	if err := enginetest.Handle(t.Context(), p, enginetest.Invocation("pause 100\n", nil, nil)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("it slept for 100 ms in %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := enginetest.Handle(ctx, p, enginetest.Invocation("pause 60000\n", nil, nil)); fault.CodeOf(err) != fault.Deadline {
		t.Errorf("beyond its deadline: %v", err)
	}
}
