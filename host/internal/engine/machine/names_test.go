package machine

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/engine/callstack"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

func TestPackageOf(t *testing.T) {
	for name, want := range map[string]string{
		"runtime.rand":                       "runtime",
		"time.Now":                           "time",
		"main.main.func1":                    "main",
		"github.com/a/b%2ec.(*T).M":          "github.com/a/b%2ec",
		"github.com/a/b.F[go.shape.a/b.c.T]": "github.com/a/b",
		"math/rand/v2.(*ChaCha8).Uint64":     "math/rand/v2",
		"memset":                             "memset",
		"":                                   "",
	} {
		if got := packageOf(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestOfGo(t *testing.T) {
	for path, want := range map[string]bool{
		"runtime": true, "math/rand/v2": true, "internal/abi": true, "type:.eq": true, "vendor/golang.org/x/net": true,
		"main": false, "example": false, "github.com/a/runtime": false, "": false,
	} {
		if got := ofGo(path); got != want {
			t.Errorf("%q: got %v", path, got)
		}
	}
}

func TestIsRandom(t *testing.T) {
	for path, want := range map[string]bool{
		"math/rand": true, "crypto/rand": true, "github.com/a/fastrand": true, "github.com/a/random": true, "x/randutil": true,
		"github.com/a/brand": false, "strand/x": false, "operand": true, "main": false,
	} {
		if got := isRandom(path); got != want {
			t.Errorf("%q: got %v", path, got)
		}
	}
}

// TestLyingTables: a module says what it likes where Go's table of functions
// would be. It has no names then, and nothing is allocated for what it claims.
func TestLyingTables(t *testing.T) {
	header := func(count, names, units uint64) string {
		h := append([]byte{}, lineTable...)
		h = binary.LittleEndian.AppendUint64(h, count)
		h = append(h, make([]byte, headerNames-len(h))...)
		h = binary.LittleEndian.AppendUint64(h, names)
		h = binary.LittleEndian.AppendUint64(h, units)
		return string(append(h, make([]byte, headerEnd+64-len(h))...))
	}
	for name, data := range map[string]string{
		"nothing":              "",
		"a header cut short":   string(lineTable),
		"more functions":       header(1<<40, 72, 72),
		"names beyond the end": header(0, 1<<40, 1<<41),
		"names before":         header(0, 100, 72),
		"many tables":          strings.Repeat(header(1<<62, 1, 2), maxTables+2),
	} {
		b := enginetest.NewBuilder(1).Data(1024, data)
		if f := functionsOf(b.Handle(newCode().I32(0)).Bytes(), 1<<16, callstack.Functions{}); len(f.names) > 0 || f.draws {
			t.Errorf("%s: got %+v", name, f)
		}
	}
	if f := functionsOf([]byte("no module"), 1<<16, callstack.Functions{}); len(f.names) > 0 {
		t.Errorf("got %+v", f)
	}
}

// golang is what an observer of a program in Go knows.
func golang(draws bool) *observer {
	return newObserver(functions{names: map[uint32]string{1: "main.main"}, draws: draws})
}

// TestReaderOfAClock tells a program from Go's runtime and its package time by who
// called.
func TestReaderOfAClock(t *testing.T) {
	for _, c := range []struct {
		callers string
		want    reader
	}{
		{"runtime.nanotime1 runtime.nanotime runtime.gcStart main.main", goRuntime},
		{"runtime.walltime time.now time.Now main.main", goTime},
		{"time.now time.Now main.main", goTime},
		{"runtime.nanotime main.init", program},
		{"runtime.nanotime1 wasm_pc_f_loop", goRuntime},
		{"main.clock main.main", program},
		{"", goRuntime},
	} {
		if got := golang(false).reader(strings.Fields(c.callers)); got != c.want {
			t.Errorf("%q: got %d, want %d", c.callers, got, c.want)
		}
	}
	if got := newObserver(functions{}).reader(strings.Fields("runtime.nanotime runtime.main")); got != program {
		t.Errorf("in another language: got %d", got)
	}
}

func TestWhoIsToBlame(t *testing.T) {
	for _, c := range []struct {
		of      *observer
		callers string
		want    string
	}{
		{golang(false), "time.Now github.com/a/b%2ego.New main.main", "github.com/a/b.go.New"},
		{golang(false), "time.Now time.init", "time.Now < time.init"},
		{newObserver(functions{}), "clock now init _start", "clock < now < init"},
		{newObserver(functions{}), "", ""},
	} {
		if got := c.of.who(strings.Fields(c.callers)); got != c.want {
			t.Errorf("%q: got %q, want %q", c.callers, got, c.want)
		}
	}
}

// TestSeesNumber: a number of Go's runtime counts where the program can see it.
func TestSeesNumber(t *testing.T) {
	for _, c := range []struct {
		path, function string
		draws, want    bool
	}{
		{"main", "runtime.rand", false, false}, // for a map of its own
		{"main", "runtime.rand", true, true},   // a function that draws may be inlined there
		{"math/rand/v2", "runtime.rand", false, true},
		{"hash/maphash", "runtime.rand", false, true},
		{"os", "runtime.rand", false, true},
		{"strings", "runtime.rand", true, false},
		{"main", "runtime.cheaprand", false, true},
		{"sync", "runtime.cheaprand", false, false},
		{"internal/poll", "runtime.cheaprand", true, false},
	} {
		if got := golang(c.draws).seesNumber(c.path, c.function); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
	for name, want := range map[string]bool{
		"runtime.rand": true, "runtime.legacy_fastrand": true, "runtime.cheaprandn": true,
		"runtime.randinit": false, "math/rand.Int": false, "rand": false,
	} {
		if got := drawsNumbers(name); got != want {
			t.Errorf("%s draws: got %v", name, got)
		}
	}
}

func TestSeedsRuntime(t *testing.T) {
	for callers, want := range map[string]bool{
		"runtime.getRandomData runtime.randinit": true, "runtime.getRandomData crypto/rand.Read": false, "runtime.getRandomData": false,
	} {
		if got := golang(false).seedsRuntime(strings.Fields(callers)); got != want {
			t.Errorf("%s: got %v", callers, got)
		}
	}
}

// TestTellNothing: every name in the list is a host function, so that none of
// them is misspelt.
func TestTellNothing(t *testing.T) {
	exists := map[string]bool{}
	for _, f := range abi.Functions() {
		exists[abi.Module+"."+f.Name] = true
	}
	for _, f := range wasi.Unit().Native {
		exists[f.Module+"."+f.Name] = true
	}
	for _, name := range tellNothing {
		if !exists[name] || tells(name) {
			t.Errorf("%s: exists %v, tells %v", name, exists[name], tells(name))
		}
	}
	if !tells(abi.Module + "." + abi.FnKVGet) {
		t.Error("kv_get tells nothing")
	}
}
