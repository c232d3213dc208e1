package native

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// TestGoGuestThatCannotServe: Go's runtime is initialised by _initialize, which
// only -buildmode=c-shared makes, and by no request.
func TestGoGuestThatCannotServe(t *testing.T) {
	command := filepath.Join(t.TempDir(), "command.wasm")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", command, bare)
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	module, err := os.ReadFile(command)
	if err != nil {
		t.Fatal(err)
	}
	e := enginetest.InProcess(New(Config{Functions: capabilities.All(capabilities.Config{}).Native()}))
	defer func() { _ = e.Close(t.Context()) }()
	o := engine.Options{Memory: 64 << 20}
	if _, err = e.Prepare(t.Context(), module, o); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), "go build -buildmode=c-shared") {
		t.Errorf("a command: %v", err)
	}
	// What nobody knows to initialise it is found out by running it.
	other := bytes.Replace(goGuest(t, bare), []byte(abi.ExportInitialize), []byte("_initialise"), 1)
	p, err := e.Prepare(t.Context(), other, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close(t.Context()) }()
	_, err = engine.Probe(t.Context(), p.Instance, o)
	for _, word := range []string{"every request would fail", "before runtime initialization", "go build -buildmode=c-shared"} {
		if fault.CodeOf(err) != fault.Trap || !strings.Contains(fault.MessageOf(err), word) {
			t.Errorf("%v does not say %q", err, word)
		}
	}
}

// TestProbeWithoutMemory: a guest that gives up because the host has no memory
// left for it at the moment is not at fault.
func TestProbeWithoutMemory(t *testing.T) {
	for _, c := range []struct {
		name        string
		limit, host int // pages
		code        fault.Code
	}{
		{"enough", 2, 2, ""},
		{"too little of the host's", 2, 1, ""},
		{"too little of its own", 1, 2, fault.Trap},
	} {
		e := enginetest.InProcess(New(Config{Functions: capabilities.All(capabilities.Config{}).Native(), Memory: linear.NewBudget(int64(c.host) * linear.PageSize)}))
		p, err := e.Prepare(t.Context(), enginetest.Hungry(), engine.Options{Memory: int64(c.limit) * linear.PageSize})
		if err != nil {
			t.Fatal(err)
		}
		in, err := engine.Probe(t.Context(), p.Instance, engine.Options{})
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want code %q", c.name, err, c.code)
		}
		if in != nil {
			_ = in.Close(t.Context())
		}
		_ = p.Close(t.Context())
		_ = e.Close(t.Context())
	}
}
