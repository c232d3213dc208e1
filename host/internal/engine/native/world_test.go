package native

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// initial is where the guests below keep what they get.
const initial = 1024

// worldGuest is a guest that calls functions of WASI while it initialises, and in
// the handler.
type worldGuest struct {
	builder          *enginetest.Builder
	clock, random    uint32
	initialize, body *enginetest.Code
}

func newWorldGuest() *worldGuest {
	b := enginetest.NewBuilder(1)
	i32, i64 := abi.I32, abi.I64
	return &worldGuest{
		builder: b,
		clock:   b.Import(wasi.Module, "clock_time_get", []abi.Type{i32, i64, i32}, []abi.Type{i32}),
		random:  b.Import(wasi.Module, "random_get", []abi.Type{i32, i32}, []abi.Type{i32}),

		initialize: new(enginetest.Code), body: new(enginetest.Code),
	}
}

func (g *worldGuest) read(c *enginetest.Code, clock, at uint32) {
	c.I32(clock).I64(1).I32(at).Call(g.clock).Drop()
}

func (g *worldGuest) draw(c *enginetest.Code, at, size uint32) {
	c.I32(at).I32(size).Call(g.random).Drop()
}

func (g *worldGuest) bytes() []byte {
	g.builder.Func(abi.ExportInitialize, nil, nil, 1, g.initialize)
	return g.builder.Handle(g.body.I32(0)).Bytes()
}

// TestInitialisingInAnyLanguage: what memory depends on is found by what is in
// it, not by what was called.
func TestInitialisingInAnyLanguage(t *testing.T) {
	for _, test := range []struct {
		name       string
		initialize func(g *worldGuest)
		fresh      string
	}{
		{"srand of the seconds", func(g *worldGuest) {
			g.read(g.initialize, 0, initial) // kept: (t/1e9)*6364136223846793005+1, in place of t
			g.initialize.I32(initial).I32(initial).Load64().I64(1e9).Op(0x80).I64(6364136223846793005).Op(0x7e).I64(1).Op(0x7c).Store64()
		}, "the wall clock"},
		{"one bit of the wall clock", func(g *worldGuest) {
			g.read(g.initialize, 0, initial)
			g.initialize.I32(initial).I32(initial).Load64().I64(1e9).Op(0x80).I64(1).Op(0x83).Store64()
		}, "the wall clock"},
		{"the monotonic clock", func(g *worldGuest) { g.read(g.initialize, 1, initial) }, "the monotonic clock"},
		{"its nanoseconds", func(g *worldGuest) {
			g.read(g.initialize, 1, initial)
			g.initialize.I32(initial).I32(initial).Load64().I64(1e9).Op(0x82).Store64()
		}, "the monotonic clock"},
		{"how long readings take", func(g *worldGuest) {
			g.read(g.initialize, 1, initial)
			g.read(g.initialize, 1, initial+8)
			g.initialize.I32(initial).I32(initial + 8).Load64().I32(initial).Load64().Op(0x7d).Store64()
			g.initialize.I32(initial + 8).I64(0).Store64()
		}, "the monotonic clock"},
		{"one random byte", func(g *worldGuest) { g.draw(g.initialize, initial, 1) }, "random bytes"},
		{"32 random bytes", func(g *worldGuest) { g.draw(g.initialize, initial, 32) }, "random bytes"},
		{"a hash key of 16 bytes", func(g *worldGuest) { g.draw(g.initialize, initial, 16) }, "random bytes"},
		{"a global", func(g *worldGuest) {
			g.builder.Global(0)
			g.read(g.initialize, 0, initial)
			g.initialize.I32(initial).Load64().Op(0x24, 0) // global.set
			g.initialize.I32(initial).I64(0).Store64()
		}, "the wall clock"},
		{"memory that grew", func(g *worldGuest) {
			g.draw(g.initialize, initial, 1)
			g.initialize.I32(initial).Load8().Wrap().I32(7).Op(0x71, 0x40, 0, 0x1a) // and, memory.grow, drop
			g.initialize.I32(initial).I64(0).Store64()
		}, "random bytes"},
		{"two sources", func(g *worldGuest) {
			g.read(g.initialize, 0, initial)
			g.draw(g.initialize, initial+8, 8)
		}, "the wall clock and on random bytes"},

		{"nothing", func(*worldGuest) {}, ""},
		{"read and forgotten", func(g *worldGuest) {
			g.read(g.initialize, 0, initial)
			g.read(g.initialize, 1, initial+8)
			g.draw(g.initialize, initial+16, 32)
			for i := range uint32(6) {
				g.initialize.I32(initial + 8*i).I64(0).Store64()
			}
		}, ""},
		{"the century", func(g *worldGuest) {
			g.read(g.initialize, 0, initial)
			g.initialize.I32(initial).I32(initial).Load64().I64(1e9 * 3600 * 24 * 365 * 100).Op(0x80).Store64()
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newWorldGuest()
			test.initialize(g)
			p := prepare(t, g.bytes())
			if got := p.Fresh(); (got == "") != (test.fresh == "") || !strings.Contains(got, test.fresh) {
				t.Errorf("fresh: %q, want %q", got, test.fresh)
			}
		})
	}
}

// still is a World whose clocks stand and whose random bytes come from a seed.
type still struct {
	wall   time.Time
	uptime time.Duration
	random *mathrand.ChaCha8
}

func (w *still) Now() time.Time        { return w.wall }
func (w *still) Uptime() time.Duration { return w.uptime }
func (w *still) Random(buf []byte)     { _, _ = w.random.Read(buf) }
func (w *still) Sleep(ctx context.Context, _ time.Duration) error {
	return ctx.Err()
}

// TestMonotonicClockOutlivesProcesses: a guest's monotonic clock goes on from
// where it stood when the guest was initialised, also in a process that has just
// started.
func TestMonotonicClockOutlivesProcesses(t *testing.T) {
	p := prepareWith(t, enginetest.Uptime(20), engine.Options{Frozen: []string{manifest.FrozenClock}})
	in := instanceOf(t, p)
	last := uint64(0)
	for _, uptime := range []time.Duration{time.Nanosecond, time.Second, time.Hour} {
		inv := enginetest.Invocation("", nil, nil)
		inv.Env.World = &still{uptime: uptime}
		answer := handle(t, in, inv)
		began, at := binary.LittleEndian.Uint64(answer), binary.LittleEndian.Uint64(answer[8:])
		if at <= began || at <= last || time.Duration(began) < 20*time.Second {
			t.Errorf("%s after the process started the clock shows %s, and when it initialised %s",
				uptime, time.Duration(at), time.Duration(began))
		}
		if passed := time.Duration(at - began); passed > uptime+time.Second {
			t.Errorf("%s after the process started %s have passed", uptime, passed)
		}
		last = at
		if !in.Reset() {
			t.Fatal("the instance cannot be reset")
		}
	}
}

// TestSleepingTooLong: initialising may sleep no longer than it may take, and
// nobody waits to find out.
func TestSleepingTooLong(t *testing.T) {
	e := enginetest.InProcess(New(Config{Functions: capabilities.All(capabilities.Config{}).Native()}))
	defer func() { _ = e.Close(context.Background()) }()
	_, err := e.Prepare(t.Context(), enginetest.Uptime(3600), engine.Options{Memory: enginetest.Memory, Start: 10 * time.Minute})
	if err == nil || !strings.Contains(err.Error(), "ran out of time while it initialised") {
		t.Errorf("got %v", err)
	}
}

// TestRequestsReplay: a request gets all chance from its invocation's world, the
// seeds of generators in memory too, so that the same world gives the same
// answer in any instance.
func TestRequestsReplay(t *testing.T) {
	p := prepareGoGuest(t, jsons)
	run := func(seed byte) (answer []byte) {
		in := instanceOf(t, p)
		inv := enginetest.Invocation("", nil, nil)
		inv.Request.Head.Query = "random=1"
		inv.Env.World = &still{wall: time.Unix(1e9, 0), uptime: time.Hour, random: mathrand.NewChaCha8([32]byte{seed})}
		return bytes.Clone(handle(t, in, inv))
	}
	var numbers struct{ Random [3]uint64 }
	if err := json.Unmarshal(run(1), &numbers); err != nil || numbers.Random[0] == 0 {
		t.Fatalf("%v, %v", numbers, err)
	}
	if first, again := run(1), run(1); !bytes.Equal(first, again) {
		t.Errorf("one world, and two answers: %s and %s", first, again)
	}
	if first, other := run(1), run(2); bytes.Equal(first, other) {
		t.Errorf("two worlds, and one answer: %s", first)
	}
}

// TestWarmUpSeeds: a generator that a warm-up request seeds from the clock is in
// no request either.
func TestWarmUpSeeds(t *testing.T) {
	p := prepareWith(t, seedGuest(t, "late"), engine.Options{Warmups: []manifest.Warmup{warmup}})
	if !strings.Contains(p.Cold(), "the wall clock, which main.init.") {
		t.Errorf("cold: %q", p.Cold())
	}
	if list := answers(t, p, 2); list[0] == list[1] {
		t.Errorf("two requests got %d", list[0])
	}
}

// TestWarmUpsThatAreLeftOut: what a warm-up leaves is in no request where it
// depends on the time or on chance, and whoever deploys is told.
func TestWarmUpsThatAreLeftOut(t *testing.T) {
	for name, test := range map[string]struct {
		handle func(g *worldGuest)
		told   string
	}{
		"clock":  {func(g *worldGuest) { g.read(g.body, 0, initial) }, "the wall clock"},
		"random": {func(g *worldGuest) { g.draw(g.body, initial, 8) }, "random bytes"},
		"none":   {func(g *worldGuest) { g.body.I32(initial).I64(7).Store64() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := newWorldGuest()
			test.handle(g)
			p := prepareWith(t, g.bytes(), engine.Options{Warmups: []manifest.Warmup{warmup}})
			kept := instanceOf(t, p).Memory()[initial] != 0
			if kept != (test.told == "") {
				t.Errorf("the warm-up is kept: %v", kept)
			}
			if got := p.Cold(); !strings.Contains(got, test.told) || (got == "") != (test.told == "") {
				t.Errorf("cold: %q, want %q", got, test.told)
			}
		})
	}
}
