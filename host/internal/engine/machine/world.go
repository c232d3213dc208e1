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

// What the sources are shifted by to see what depends on them. Each unit of a
// date changes, and what is left when it is divided by a small number.
const (
	wallShift   = 400*24*time.Hour + 5*time.Hour + 7*time.Minute + 11*time.Second + 123_456_789
	uptimeShift = 21*time.Hour + 36*time.Minute + 17*time.Second + 987_654_321
	tickShift   = 7919 * time.Nanosecond
)

// tick is how long a reading of a clock takes. A guest that waits for time to
// pass without sleeping reads many.
const tick = 10 * time.Microsecond

// manyReadings is after how many readings of its clocks a guest may be gathering
// chance from how long things take. A program in Go that has fewer cannot see
// where the monotonic clock starts.
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

// world is the World of a guest that is being built. Time passes by what the
// guest does, so that the guest meets the same each time, but for the sources
// that are shifted. It implements invoke.World.
type world struct {
	passed   time.Duration
	patience time.Duration // how long the guest may still sleep
	readings int           // of clocks, by the program
	runtime  bool          // the next one is by the runtime of its language, which is never shifted
	random   *mathrand.ChaCha8
	draws    int // of random bytes
	origin

	wallShift, uptimeShift, tickShift time.Duration

	invert bool // random bytes, so that each bit of them is another
	own    int  // but not those of the first so many draws
}

// world returns a world with some sources shifted: random bytes after the first
// own draws, and of the monotonic clock the start, or only how long its readings
// take.
func (o origin) world(shift source, own int, started bool) *world {
	w := &world{origin: o, patience: o.patience, random: mathrand.NewChaCha8(o.seed), own: own}
	if shift&wallClock != 0 {
		w.wallShift = wallShift
	}
	if shift&monotonicClock != 0 {
		w.tickShift = tickShift
		if !started {
			w.uptimeShift = uptimeShift
		}
	}
	w.invert = shift&randomBytes != 0
	return w
}

// read has time pass by a reading and reports whether the program reads.
func (w *world) read() bool {
	w.passed += tick
	if w.runtime {
		w.runtime = false
		return false
	}
	w.readings++
	return true
}

func (w *world) Now() time.Time {
	if w.read() {
		return w.wall.Add(w.passed + w.wallShift)
	}
	return w.wall.Add(w.passed)
}

func (w *world) Uptime() time.Duration {
	w.read()
	return time.Second + w.passed + w.uptimeShift + time.Duration(w.readings)*w.tickShift
}

// Sleep returns at once. A guest that sleeps for too long is out of time.
func (w *world) Sleep(ctx context.Context, d time.Duration) error {
	if d = max(0, d); d > w.patience {
		return context.DeadlineExceeded
	}
	w.patience -= d
	w.passed += d
	return ctx.Err()
}

func (w *world) Random(buf []byte) {
	_, _ = w.random.Read(buf) // never fails
	if w.invert && w.draws >= w.own {
		for i := range buf {
			buf[i] = ^buf[i]
		}
	}
	if len(buf) > 0 {
		w.draws++
	}
}
