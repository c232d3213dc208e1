package machine

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// guest assembles a module with imports of WASI, the export "init" and the export
// "run", whose result is an i32.
type guest struct {
	*enginetest.Builder
	clock, random uint32
}

func newGuest() *guest {
	b := enginetest.NewBuilder(1)
	one := []abi.Type{abi.I32}
	return &guest{
		Builder: b,
		clock:   b.Import(wasi.Module, "clock_time_get", []abi.Type{abi.I32, abi.I64, abi.I32}, one),
		random:  b.Import(wasi.Module, "random_get", []abi.Type{abi.I32, abi.I32}, one),
	}
}

func newCode() *enginetest.Code { return new(enginetest.Code) }

// kept is where guests keep what they read, and spare where they read what they
// drop.
const (
	kept  = 1024
	spare = 2048
)

// read has the guest read a clock, 0 or 1, to an address.
func (g *guest) read(c *enginetest.Code, clock, at uint32) *enginetest.Code {
	return c.I32(clock).I64(1).I32(at).Call(g.clock).Drop()
}

// draw has the guest draw 8 random bytes to an address.
func (g *guest) draw(c *enginetest.Code, at uint32) *enginetest.Code {
	return c.I32(at).I32(8).Call(g.random).Drop()
}

func (g *guest) bytes(initialize, run *enginetest.Code) []byte {
	g.Func("init", nil, nil, 1, initialize)
	g.Func("run", nil, []abi.Type{abi.I32}, 1, run)
	return g.Bytes()
}

func sourceOf(module []byte) Source {
	return Source{
		Module: module, Options: engine.Options{Memory: 4 * linear.PageSize, Start: time.Minute},
		Start: []string{"init"}, Calls: []string{"run"},
		Handle: func(ctx context.Context, in *Instance, inv *invoke.Invocation) error {
			_, err := in.Call(ctx, inv, 0)
			return err
		},
	}
}

// built builds and loads a source.
func built(t *testing.T, s Source) *Program {
	t.Helper()
	m, dir := New(Config{Functions: wasi.Unit().Native}), t.TempDir()
	if err := m.Build(t.Context(), s, dir); err != nil {
		t.Fatal(err)
	}
	p, err := m.Load(t.Context(), s, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func instanceOf(t *testing.T, p *Program) *Instance {
	t.Helper()
	in, err := p.Instance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(context.Background()) })
	return in
}

func (in *Instance) mustRun(t *testing.T, want uint64) {
	t.Helper()
	if got, err := in.Call(t.Context(), enginetest.Invocation("", nil, nil), 0); err != nil || got != want {
		t.Fatalf("got %d, %v, want %d", got, err, want)
	}
}

// counting counts in a global and in memory, once while it initialises, and
// answers the sum.
func counting() []byte {
	g := newGuest()
	g.Global(10)
	count := func(c *enginetest.Code) *enginetest.Code {
		c.Op(0x23, 0).I64(1).Op(0x7c).Op(0x24, 0) // global 0 + 1
		return c.I32(kept).I32(kept).Load64().I64(1).Op(0x7c).Store64()
	}
	return g.bytes(count(newCode()), count(newCode()).Op(0x23, 0).I32(kept).Load64().Op(0x7c).Wrap())
}

// TestSnapshot: instances start where initialising ended, without doing it again,
// and are put back there.
func TestSnapshot(t *testing.T) {
	p := built(t, sourceOf(counting()))
	if p.Fresh() != "" || p.meta.Start != nil {
		t.Fatalf("it is made anew: %q, initialised by %q", p.Fresh(), p.meta.Start)
	}
	first, second := instanceOf(t, p), instanceOf(t, p)
	first.mustRun(t, 12+2)
	first.mustRun(t, 13+3)
	second.mustRun(t, 12+2)
	if !first.Reset() {
		t.Fatal("it cannot be put back")
	}
	first.mustRun(t, 12+2)
	first.Trim() // it is not as the image: nothing of it may be lost
	first.mustRun(t, 13+3)
}

// TestFreshInstances: what cannot be put back initialises each instance, and says
// so.
func TestFreshInstances(t *testing.T) {
	g := newGuest()
	init := g.read(newCode(), 0, kept)
	init.I32(spare).I32(spare).Load64().I64(1).Op(0x7c).Store64()
	p := built(t, sourceOf(g.bytes(init, newCode().I32(spare).Load64().Wrap())))
	if p.Fresh() == "" || p.image != nil || len(p.meta.Start) != 1 {
		t.Fatalf("fresh %q, initialised by %q", p.Fresh(), p.meta.Start)
	}
	in := instanceOf(t, p)
	in.mustRun(t, 1)
	if in.Reset() {
		t.Error("it was put back")
	}
	in = instanceOf(t, p)
	in.mustRun(t, 1)
	if at := binary.LittleEndian.Uint64(in.Memory()[kept:]); time.Since(time.Unix(0, int64(at))).Abs() > time.Hour {
		t.Errorf("it read %d from the clock", at)
	}
}

// TestExamination: what initialising leaves decides whether instances start there.
func TestExamination(t *testing.T) {
	const xor, shiftRight = 0x85, 0x88
	keepBoth := func(g *guest) *enginetest.Code {
		c := g.draw(g.read(newCode(), 0, spare), spare+8)
		c.I32(kept).I32(spare).Load64().I32(spare + 8).Load64().Op(xor).Store64()
		return c.I32(spare).I64(0).Store64().I32(spare + 8).I64(0).Store64()
	}
	forget := func(c *enginetest.Code) *enginetest.Code { return c.I32(kept).I64(0).Store64() }
	for name, c := range map[string]struct {
		init   func(g *guest) *enginetest.Code
		frozen []string
		fresh  string // a part of the reason; "" = instances are put back
	}{
		"reads nothing":           {init: func(*guest) *enginetest.Code { return newCode() }},
		"keeps the wall clock":    {init: func(g *guest) *enginetest.Code { return g.read(newCode(), 0, kept) }, fresh: "depends on the wall clock"},
		"keeps the other clock":   {init: func(g *guest) *enginetest.Code { return g.read(newCode(), 1, kept) }, fresh: "depends on the monotonic clock"},
		"keeps random bytes":      {init: func(g *guest) *enginetest.Code { return g.draw(newCode(), kept) }, fresh: "depends on random bytes"},
		"forgets the wall clock":  {init: func(g *guest) *enginetest.Code { return forget(g.read(newCode(), 0, kept)) }},
		"forgets random bytes":    {init: func(g *guest) *enginetest.Code { return forget(g.draw(newCode(), kept)) }},
		"reads two and keeps one": {init: func(g *guest) *enginetest.Code { return forget(g.draw(g.read(newCode(), 0, kept+8), kept)) }, fresh: "depends on the wall clock and would"},
		"keeps a sum of two":      {init: keepBoth, fresh: `frozen = ["clock", "random"]`},
		"may keep the wall clock": {init: func(g *guest) *enginetest.Code { return g.read(newCode(), 0, kept) }, frozen: []string{manifest.FrozenClock}},
		"may keep random bytes":   {init: func(g *guest) *enginetest.Code { return g.draw(newCode(), kept) }, frozen: []string{manifest.FrozenRandom}},
		"may keep one, not the other": {
			init:   func(g *guest) *enginetest.Code { return g.draw(g.read(newCode(), 0, kept), kept+8) },
			frozen: []string{manifest.FrozenClock}, fresh: "depends on random bytes",
		},
		"keeps a parity of the seconds": {
			init: func(g *guest) *enginetest.Code {
				c := g.read(newCode(), 0, spare)
				c.I32(kept).I32(spare).Load64().I64(1e9).Op(0x80).I64(1).Op(0x83).Store64() // / 1e9, & 1
				return c.I32(spare).I64(0).Store64()
			},
			fresh: "depends on the wall clock",
		},
		"ends otherwise at another time": {
			init: func(g *guest) *enginetest.Code {
				c := g.draw(newCode(), spare)
				c.I32(spare).Load64().I64(63).Op(shiftRight).Wrap().If(func(c *enginetest.Code) { c.I32(kept).I64(1).Store64() })
				return c.I32(spare).I64(0).Store64()
			},
			fresh: "depends on random bytes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuest()
			s := sourceOf(g.bytes(c.init(g), newCode().I32(0)))
			s.Options.Frozen = c.frozen
			got := built(t, s).Fresh()
			if (got == "") != (c.fresh == "") || !strings.Contains(got, c.fresh) {
				t.Errorf("got %q, want %q", got, c.fresh)
			}
		})
	}
}

// TestWarmups: a warm-up request moves the start, unless what it leaves depends on
// a source; then instances start where initialising ended.
func TestWarmups(t *testing.T) {
	warmup := []manifest.Warmup{{Head: abi.RequestHead{Method: "GET", Path: "/"}}}
	t.Run("kept", func(t *testing.T) {
		s := sourceOf(counting())
		s.Options.Warmups = warmup
		p := built(t, s)
		if p.Fresh() != "" || p.Cold() != "" {
			t.Fatalf("fresh %q, cold %q", p.Fresh(), p.Cold())
		}
		instanceOf(t, p).mustRun(t, 13+3)
	})
	t.Run("left out", func(t *testing.T) {
		g := newGuest()
		run := g.read(newCode(), 0, kept)
		run.I32(spare).I32(spare).Load64().I64(1).Op(0x7c).Store64()
		s := sourceOf(g.bytes(newCode(), run.I32(spare).Load64().Wrap()))
		s.Options.Warmups = warmup
		p := built(t, s)
		if p.Fresh() != "" || !strings.Contains(p.Cold(), "what the warm-up requests leave in memory depends on the wall clock") {
			t.Fatalf("fresh %q, cold %q", p.Fresh(), p.Cold())
		}
		instanceOf(t, p).mustRun(t, 1)
	})
	t.Run("failed", func(t *testing.T) {
		g := newGuest()
		s := sourceOf(g.bytes(newCode(), newCode().Unreachable()))
		s.Options.Warmups = warmup
		err := New(Config{Functions: wasi.Unit().Native}).Build(t.Context(), s, t.TempDir())
		if fault.CodeOf(err) != fault.Trap || !strings.Contains(fault.MessageOf(err), "the warm-up request GET \"/\" failed") {
			t.Errorf("got %v", err)
		}
	})
}

// TestLeft: an engine's own state may keep instances from starting where
// initialising ended.
func TestLeft(t *testing.T) {
	s := sourceOf(counting())
	s.State = func(*Instance) any { return "blocks" }
	s.Left = func(in *Instance) string { return "it left " + in.Guest.State.(string) }
	if got := built(t, s).Fresh(); got != "it left blocks" {
		t.Errorf("got %q", got)
	}
}

// TestInitialisingFails: neither a trap nor a loop is built.
func TestInitialisingFails(t *testing.T) {
	for name, c := range map[string]struct {
		init *enginetest.Code
		want fault.Code
	}{
		"trap": {newCode().Unreachable(), fault.Trap},
		"loop": {newCode().Loop(func(c *enginetest.Code) { c.Br(0) }), fault.Deadline},
	} {
		t.Run(name, func(t *testing.T) {
			s := sourceOf(newGuest().bytes(c.init, newCode().I32(0)))
			s.Options.Start = 100 * time.Millisecond
			if err := New(Config{Functions: wasi.Unit().Native}).Build(t.Context(), s, t.TempDir()); fault.CodeOf(err) != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestTry: what a guest does before it asks for anything is the same each time, so
// its failure is the module's.
func TestTry(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(*guest) *enginetest.Code
		want fault.Code // "" = it is taken
	}{
		"answers":          {func(*guest) *enginetest.Code { return newCode().I32(0) }, ""},
		"traps":            {func(*guest) *enginetest.Code { return newCode().Unreachable() }, fault.Trap},
		"asks, then traps": {func(g *guest) *enginetest.Code { return g.read(newCode(), 0, kept).Unreachable() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuest()
			in := instanceOf(t, built(t, sourceOf(g.bytes(newCode(), c.run(g)))))
			inv := enginetest.Invocation("", nil, nil)
			err := in.Try(inv, func() error { _, err := in.Call(t.Context(), inv, 0); return err })
			if (err == nil) != (c.want == "") || err != nil && fault.CodeOf(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestReseed: the generators of an instance get seeds of their own once, and again
// after it was put back.
func TestReseed(t *testing.T) {
	p := built(t, sourceOf(counting()))
	p.meta.Seeds, p.meta.Cheap = []uint32{kept + 512}, []uint32{kept + 1024}
	in := instanceOf(t, p)
	seen := map[string]bool{}
	look := func() string {
		m := in.Memory()
		return string(m[kept+512:kept+512+seedBytes]) + string(m[kept+1024:kept+1032])
	}
	for range 3 {
		in.mustRun(t, 14)
		seed := look()
		if seen[seed] || strings.Trim(seed, "\x00") == "" {
			t.Fatalf("the seed %x repeats", seed)
		}
		seen[seed] = true
		if block, have, ok := counters(in.Memory()[kept+512+seedBytes:]); block != 0 || have != chunk || !ok {
			t.Errorf("its counters are %d, %d, %v", block, have, ok)
		}
		if in.mustRun(t, 16); look() != seed {
			t.Error("a second call reseeds")
		}
		if !in.Reset() {
			t.Fatal("it cannot be put back")
		}
	}
}
