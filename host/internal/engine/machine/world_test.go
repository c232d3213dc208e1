package machine

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// draws returns what a world gives in two draws.
func draws(w *world) string {
	buf := make([]byte, 16)
	w.Random(buf[:8])
	w.Random(buf[8:])
	return string(buf)
}

// TestWorldIsTheSameEachTime: a guest that is built meets the same as long as it
// does the same.
func TestWorldIsTheSameEachTime(t *testing.T) {
	o := newOrigin(time.Minute)
	meet := func() (all []any) {
		w := o.world(0, 0, 0)
		all = append(all, w.Now(), w.Uptime(), draws(w), w.Sleep(t.Context(), time.Second), w.Uptime(), w.Now())
		return append(all, w.readings, w.used)
	}
	first, second := meet(), meet()
	for i := range first {
		if first[i] != second[i] {
			t.Errorf("number %d is %v, and then %v", i, first[i], second[i])
		}
	}
	if used := first[len(first)-1]; used != wallClock|monotonicClock|randomBytes {
		t.Errorf("it used %v", used)
	}
	if draws(o.world(0, 0, 0)) == draws(newOrigin(time.Minute).world(0, 0, 0)) {
		t.Error("two builds get the same random bytes")
	}
}

// TestShifts: each shift changes its sources and no other.
func TestShifts(t *testing.T) {
	o := newOrigin(time.Minute)
	type met struct {
		wall   time.Time
		uptime time.Duration
		random string
	}
	meet := func(s source, by int) met {
		w := o.world(s, by, 0)
		return met{w.Now(), w.Uptime(), draws(w)}
	}
	plain := meet(0, 0)
	for by := range shifts {
		for s := wallClock; s <= randomBytes; s <<= 1 {
			got := meet(s, by)
			for other, differs := range map[source]bool{
				wallClock: got.wall != plain.wall, monotonicClock: got.uptime != plain.uptime, randomBytes: got.random != plain.random,
			} {
				if differs != (other == s) {
					t.Errorf("shift %d of %s: %s differs: %v", by, sourceNames[s], sourceNames[other], differs)
				}
			}
		}
	}
}

// TestShiftsMoveEveryUnit: what depends on a unit of a date differs in one of them.
func TestShiftsMoveEveryUnit(t *testing.T) {
	start := time.Date(2026, 11, 29, 0, 13, 17, 0, time.UTC)
	for name, unit := range map[string]func(time.Time) int{
		"parity of the second": func(t time.Time) int { return t.Second() % 2 },
		"minute":               time.Time.Minute, "hour": time.Time.Hour, "day": time.Time.Day,
		"weekday": func(t time.Time) int { return int(t.Weekday()) },
		"month":   func(t time.Time) int { return int(t.Month()) }, "year": time.Time.Year,
		"half of an hour": func(t time.Time) int { return t.Minute() / 30 },
		"half of a day":   func(t time.Time) int { return t.Hour() / 12 },
	} {
		moved := false
		for _, s := range shifts {
			moved = moved || unit(start.Add(s.wall)) != unit(start)
		}
		if !moved {
			t.Errorf("no shift changes the %s", name)
		}
	}
}

// TestOwnDraws: the seed of Go's runtime is not shifted.
func TestOwnDraws(t *testing.T) {
	o := newOrigin(time.Minute)
	plain := draws(o.world(0, 0, 0))
	for by := range shifts {
		got := draws(o.world(randomBytes, by, 1))
		if got[:8] != plain[:8] || got[8:] == plain[8:] {
			t.Errorf("shift %d: %x, unshifted %x", by, got, plain)
		}
	}
	w := o.world(randomBytes, 0, 0)
	w.Random(nil)
	if w.draws != 0 || w.used != 0 {
		t.Error("a draw of nothing counts")
	}
	inverted := []byte(draws(w))
	for i := range inverted {
		inverted[i] = ^inverted[i]
	}
	if !bytes.Equal(inverted, []byte(plain)) {
		t.Error("the first shift does not change each bit")
	}
}

// TestSleeping: a guest sleeps at once, but for no longer than it may.
func TestSleeping(t *testing.T) {
	w := newOrigin(time.Minute).world(0, 0, 0)
	before := w.Uptime()
	if err := w.Sleep(t.Context(), 40*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := w.Sleep(t.Context(), -time.Second); err != nil {
		t.Fatal(err)
	}
	if passed := w.Uptime() - before; passed != 40*time.Second+tick {
		t.Errorf("%v passed", passed)
	}
	if err := w.Sleep(t.Context(), 21*time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Sleep(ended, time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestReaders: what Go's runtime reads for itself is not the program's, and its
// package time learns only how long it has run.
func TestReaders(t *testing.T) {
	o := newOrigin(time.Minute)
	all := wallClock | monotonicClock
	for _, c := range []struct {
		reader       reader
		readings     int
		wall, uptime bool // are shifted
		used         source
	}{
		{program, 0, true, true, all},
		{goTime, 0, true, false, wallClock},
		{goTime, manyReadings, true, true, wallClock},
		{goRuntime, manyReadings, false, false, 0},
	} {
		plain, shifted := o.world(0, 0, 0), o.world(all, 0, 0)
		plain.readings, shifted.readings = c.readings, c.readings
		read := func(w *world) (time.Time, time.Duration) {
			w.reader = c.reader
			wall := w.Now()
			w.reader = c.reader
			return wall, w.Uptime()
		}
		wall, uptime := read(plain)
		otherWall, otherUptime := read(shifted)
		if (wall != otherWall) != c.wall || (uptime != otherUptime) != c.uptime || shifted.used != c.used {
			t.Errorf("%+v: wall %v, uptime %v, used %v", c, otherWall.Sub(wall), otherUptime-uptime, shifted.used)
		}
	}
}

func TestFrozenSources(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  source
	}{
		{nil, 0},
		{[]string{manifest.FrozenClock}, wallClock | monotonicClock},
		{[]string{manifest.FrozenRandom}, randomBytes | randomNumbers},
		{[]string{manifest.FrozenRandom, manifest.FrozenClock}, wallClock | monotonicClock | randomBytes | randomNumbers},
	} {
		if got := frozen(c.names); got != c.want {
			t.Errorf("%q: got %b, want %b", c.names, got, c.want)
		}
	}
}
