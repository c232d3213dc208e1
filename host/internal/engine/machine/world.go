package machine

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// source is where a guest gets something that differs from one process to the
// next. Sources are added up.
type source uint8

const (
	wallClock source = 1 << iota
	monotonicClock
	randomBytes
	randomNumbers // of the generator of Go's runtime, which are seen and not shifted
)

var sourceNames = map[source]string{
	wallClock: "the wall clock", monotonicClock: "the monotonic clock",
	randomBytes: "random bytes", randomNumbers: "random numbers",
}

// with returns s with more, if it is so.
func (s source) with(more source, is bool) source {
	if is {
		return s | more
	}
	return s
}

// frozen returns the sources that a manifest accepts to be the same for all
// requests.
func frozen(names []string) (s source) {
	return s.with(wallClock|monotonicClock, slices.Contains(names, manifest.FrozenClock)).
		with(randomBytes|randomNumbers, slices.Contains(names, manifest.FrozenRandom))
}

// shift is what the sources are shifted by to see what depends on them.
type shift struct {
	wall, uptime time.Duration
	tick         time.Duration // how much longer a reading of the monotonic clock takes
	invert       bool          // random bytes, so that each bit is another; else they are of another stream
}

// shifts are tried one after the other: what one of them leaves as it was, as a
// sum of two inverted numbers or the parity of a second, another one changes.
// Each unit of a date is another in one of them, by day of the week too, and
// each half of an hour, of a day and of a year.
var shifts = []shift{
	{400*24*time.Hour + 5*time.Hour + 7*time.Minute + 11*time.Second + 123_456_789, 77777_987_654_321, 7919, true},
	{185*24*time.Hour + 12*time.Hour + 30*time.Minute + 30*time.Second + 400_000_001, 333_333_444_444_447, 6007, false},
	{2*24*time.Hour + 6*time.Hour + 15*time.Minute + 15*time.Second + 777_000_003, 5_555_555_555_557, 4001, false},
}

// tick is how long a reading of a clock takes. A guest that waits for time to
// pass without sleeping reads many.
const tick = 10 * time.Microsecond

// manyReadings is after how many readings of its clocks a program in Go may be
// gathering chance from how long things take.
const manyReadings = 1000

// origin is what the worlds of one build have in common.
type origin struct {
	wall     time.Time
	seed     [32]byte
	patience time.Duration
}

func newOrigin(patience time.Duration) origin {
	o := origin{wall: time.Now().Truncate(time.Second), patience: patience}
	rand.Read(o.seed[:]) // never fails
	return o
}

// reader is who reads a clock.
type reader int

const (
	program   reader = iota
	goTime           // Go's package time, for a program: from it that learns how long it has run, not since when
	goRuntime        // Go's runtime for itself, as its collector and its scheduler do
)

// world is the World of a guest that is being built. Time passes by what the
// guest does, so that the guest meets the same each time, but for the sources
// that are shifted. It implements invoke.World.
type world struct {
	origin
	passed   time.Duration
	patience time.Duration // how long the guest may still sleep
	reader   reader        // of the clock that is read next
	readings int           // of clocks, but for the runtime's
	used     source        // by the program
	random   *mathrand.ChaCha8
	draws    int // of random bytes

	shift   source
	by      shift
	own     int // the first so many draws are not shifted
	shifted *mathrand.ChaCha8
}

// world returns a world with some sources shifted: random bytes after the first
// own draws.
func (o origin) world(sources source, by int, own int) *world {
	other := o.seed
	other[0] ^= byte(by + 1)
	return &world{
		origin: o, patience: o.patience, random: mathrand.NewChaCha8(o.seed),
		shift: sources, by: shifts[by], own: own, shifted: mathrand.NewChaCha8(other),
	}
}

// read has time pass by a reading.
func (w *world) read(s source) reader {
	r := w.reader
	w.reader = program
	w.passed += tick
	if r != goRuntime {
		w.readings++
	}
	if r == program || r == goTime && s == wallClock {
		w.used |= s
	}
	return r
}

// Now implements invoke.World.
func (w *world) Now() time.Time {
	if w.read(wallClock) != goRuntime && w.shift&wallClock != 0 {
		return w.wall.Add(w.passed + w.by.wall)
	}
	return w.wall.Add(w.passed)
}

// Uptime implements invoke.World.
func (w *world) Uptime() time.Duration {
	r, uptime := w.read(monotonicClock), time.Second+w.passed
	switch {
	case w.shift&monotonicClock == 0 || r == goRuntime:
		return uptime
	case r == program:
		uptime += w.by.uptime + time.Duration(w.readings)*w.by.tick
	case w.readings > manyReadings:
		uptime += time.Duration(w.readings) * w.by.tick
	}
	return uptime
}

// Sleep implements invoke.World: it returns at once. A guest that sleeps for too long is out of time.
func (w *world) Sleep(ctx context.Context, d time.Duration) error {
	if d = max(0, d); d > w.patience {
		return context.DeadlineExceeded
	}
	w.patience -= d
	w.passed += d
	return ctx.Err()
}

// Random implements invoke.World.
func (w *world) Random(buf []byte) {
	_, _ = w.random.Read(buf) // never fails
	if w.shift&randomBytes != 0 && w.draws >= w.own {
		if !w.by.invert {
			_, _ = w.shifted.Read(buf)
		}
		for i := range buf {
			buf[i] = ^buf[i]
		}
	}
	if len(buf) > 0 {
		w.draws++
		w.used |= randomBytes
	}
}
