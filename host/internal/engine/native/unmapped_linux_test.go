package native

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestClosedProgramsAreUnmapped: of programs that were closed, in whatever
// order, no machine code and no image stays mapped.
func TestClosedProgramsAreUnmapped(t *testing.T) {
	const programs = 20
	e := open(t)
	var dirs []string
	for i := range programs {
		dirs = append(dirs, built(t, e, numbered(i)))
	}
	before := settled(t)
	var loaded []engine.Program
	for _, dir := range dirs {
		p, err := e.Load(t.Context(), dir, options)
		if err != nil {
			t.Fatal(err)
		}
		loaded = append(loaded, p)
	}
	if got := mapped(t); got.code < before.code+programs*os.Getpagesize() || got.images != before.images+programs {
		t.Fatalf("%d programs have %+v, and %+v was there before", programs, got, before)
	}
	slices.Reverse(loaded)
	for _, p := range loaded {
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for until := time.Now().Add(time.Minute); mapped(t) != before; runtime.GC() {
		if time.Now().After(until) {
			t.Fatalf("%+v is mapped, and %+v was before", mapped(t), before)
		}
	}
}

// numbered has code of its own for each number.
func numbered(i int) []byte {
	code := new(enginetest.Code).I32(uint32(i)).Drop().I32(0)
	return enginetest.NewBuilder(1).Handle(code).Bytes()
}

// mappings are those of programs.
type mappings struct {
	code   int // bytes; neighbours look like one mapping
	images int
}

func mapped(t *testing.T) (m mappings) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.Contains(line, " r-xp 00000000 00:00 0 \n"):
			m.code += int(to - from)
		case strings.Contains(line, "wasmoor-image"):
			m.images++
		}
	}
	return m
}

// settled is mapped once the programs of other tests are gone.
func settled(t *testing.T) mappings {
	t.Helper()
	m := mapped(t)
	for same := 0; same < 5; {
		runtime.GC()
		time.Sleep(5 * time.Millisecond)
		now := mapped(t)
		if same++; now != m {
			m, same = now, 0
		}
	}
	return m
}
