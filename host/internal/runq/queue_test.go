package runq_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/host/internal/runq"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

// bench is a queue whose time passes when the test says so.
type bench struct {
	*testing.T
	*runq.Queue
	passed time.Duration
}

func newBench(t *testing.T, places int) *bench {
	b := &bench{T: t}
	b.Queue = runq.NewQueue(places, func() time.Duration { return b.passed })
	return b
}

func (b *bench) pass(d time.Duration) { b.passed += d }

// seat is a turn of a line that has asked for a place.
func (b *bench) seat(l *runq.Line) *runq.Seat {
	b.Helper()
	s := new(runq.Seat)
	s.Begin(l)
	if err := s.Ask(b.Context(), false); err != nil {
		b.Fatal(err)
	}
	return s
}

// wantPlaces wants those of the seats to have places that are named.
func (b *bench) wantPlaces(seats map[string]*runq.Seat, want ...string) {
	b.Helper()
	var got []string
	for name, s := range seats {
		if s.Has() {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		b.Errorf("%q have places, want %q", got, want)
	}
}

func (b *bench) wantIdle() {
	b.Helper()
	if !b.Idle() {
		b.Error("in the end places are lost, or somebody is counted who is gone")
	}
}

func TestFirstComeFirstServedWithinAPlugin(t *testing.T) {
	b := newBench(t, 1)
	l := b.NewLine()
	seats, names := map[string]*runq.Seat{}, []string{"a", "b", "c", "d"}
	for _, name := range names {
		seats[name] = b.seat(l)
	}
	for _, name := range names {
		b.wantPlaces(seats, name)
		seats[name].End()
	}
	b.wantIdle()
}

// plugin is a plugin of a simulation: so many guests, each of which runs for a while
// and asks again at once.
type plugin struct {
	guests int
	run    time.Duration
	from   time.Duration // when its guests come

	line  *runq.Line
	seats []*runq.Seat
	left  map[*runq.Seat]time.Duration
	ran   time.Duration
}

// step is a step of the simulation: how often a guest is interrupted.
const step = 100 * time.Microsecond

// simulate has plugins run for a while.
func (b *bench) simulate(plugins []*plugin, length time.Duration) {
	b.Helper()
	for end := b.passed + length; b.passed < end; {
		for _, p := range plugins {
			if p.seats == nil && b.passed >= p.from {
				p.begin(b)
			}
		}
		for _, p := range plugins {
			for _, s := range p.seats {
				if s.Has() {
					p.left[s] -= step
					p.ran += step
				}
			}
		}
		b.pass(step)
		for _, p := range plugins {
			p.step(b)
		}
	}
}

func (p *plugin) begin(b *bench) {
	if p.line == nil {
		p.line = b.NewLine()
	}
	p.left = map[*runq.Seat]time.Duration{}
	for range p.guests {
		s := b.seat(p.line)
		p.seats, p.left[s] = append(p.seats, s), p.run
	}
}

// step ends the guests that have run, and interrupts the others.
func (p *plugin) step(b *bench) {
	for _, s := range p.seats {
		switch {
		case !s.Has():
		case p.left[s] > 0:
			s.Park()
		default:
			s.End()
			p.left[s] = p.run
			if err := s.Ask(b.Context(), false); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func TestSharesAreOfTheTimeThatGuestsRun(t *testing.T) {
	const length = 20 * time.Second
	for _, test := range []struct {
		name    string
		places  int
		plugins []*plugin
		want    []float64 // processors that each has
	}{
		{"long and short runs", 1, []*plugin{{guests: 4, run: time.Second}, {guests: 4, run: step}}, []float64{.5, .5}},
		{"many guests and one", 1, []*plugin{{guests: 64, run: 5 * time.Millisecond}, {guests: 1, run: 5 * time.Millisecond}}, []float64{.5, .5}},
		{"three", 2, []*plugin{{guests: 9, run: time.Second}, {guests: 9, run: 5 * time.Millisecond}, {guests: 9, run: step}}, []float64{2. / 3, 2. / 3, 2. / 3}},
		{"one that can use only one", 4, []*plugin{{guests: 1, run: time.Second}, {guests: 9, run: 5 * time.Millisecond}}, []float64{1, 3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, test.places)
			b.simulate(test.plugins, length)
			for i, p := range test.plugins {
				got, want := p.ran, time.Duration(test.want[i]*float64(length))
				if got < want-runq.Spread || got > want+runq.Spread {
					t.Errorf("plugin %d ran %v, want %v", i, got, want)
				}
			}
		})
	}
}

// TestALineHasItsWeight: of two plugins that could use all, one has three times as much
// once its line has three shares, and as much again once it has one.
func TestALineHasItsWeight(t *testing.T) {
	const length = 10 * time.Second
	for _, places := range []int{1, 4} {
		b := newBench(t, places)
		heavy, light := &plugin{guests: 9, run: time.Second}, &plugin{guests: 9, run: 5 * time.Millisecond}
		b.simulate([]*plugin{heavy, light}, step)
		for _, weight := range []int{3, 1, 100} {
			heavy.line.SetWeight(weight) // while it has places and waits for some
			before := heavy.ran
			b.simulate([]*plugin{heavy, light}, length)
			want := length * time.Duration(places) * time.Duration(weight) / time.Duration(weight+1)
			if got := heavy.ran - before; got < want-4*runq.Spread || got > want+4*runq.Spread {
				t.Errorf("of %d places, weight %d: it ran %v, want %v", places, weight, got, want)
			}
		}
	}

	b := newBench(t, 1)
	l := b.NewLine()
	seat := b.seat(l)
	l.SetWeight(7)
	seat.End()
	b.wantIdle()
}

// TestTheIdleSaveNothing: who comes has its share from then on, and neither what it
// has not run before nor what the others ran while nobody waited counts.
func TestTheIdleSaveNothing(t *testing.T) {
	b := newBench(t, 2)
	plugins := []*plugin{{guests: 8, run: time.Second}, {guests: 8, run: time.Second, from: 10 * time.Second}}
	b.simulate(plugins, 10*time.Second)
	before := plugins[0].ran
	b.simulate(plugins, time.Second)
	for i, got := range []time.Duration{plugins[0].ran - before, plugins[1].ran} {
		if got < time.Second-4*runq.Slice || got > time.Second+4*runq.Slice {
			t.Errorf("plugin %d ran %v of the 2 s, want half", i, got)
		}
	}
}

// TestALightPluginWaitsASliceAtMost, whatever the others do.
func TestALightPluginWaitsASliceAtMost(t *testing.T) {
	for _, run := range []time.Duration{step, 5 * time.Millisecond, time.Second} {
		b := newBench(t, 2)
		heavy := []*plugin{{guests: 64, run: run}}
		l := b.NewLine()
		for range 200 {
			b.simulate(heavy, 7*time.Millisecond+step)
			s, asked := b.seat(l), b.passed
			for !s.Has() {
				b.simulate(heavy, step)
			}
			if waited := b.passed - asked; waited > runq.Slice+step {
				t.Fatalf("beside guests that run for %v it waits %v", run, waited)
			}
			b.pass(step)
			s.End()
		}
	}
}

func TestWhoHasRunComesBackBeforeTheOthersOfItsPlugin(t *testing.T) {
	b := newBench(t, 1)
	l, other := b.NewLine(), b.NewLine()
	first, second, third := b.seat(l), b.seat(l), b.seat(l)
	seats := map[string]*runq.Seat{"first": first, "second": second, "third": third}
	b.wantPlaces(seats, "first")
	b.pass(time.Hour)
	first.Park()
	b.wantPlaces(seats, "first") // it is nobody else's turn
	first.Leave()
	b.wantPlaces(seats, "second")
	if err := first.Ask(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	seats["light"] = b.seat(other)
	second.Park()
	b.wantPlaces(seats, "second") // its slice is not over
	b.pass(runq.Slice)
	second.Park()
	b.wantPlaces(seats, "light")
	seats["light"].End()
	b.wantPlaces(seats, "first")
	first.End()
	b.wantPlaces(seats, "second")
	second.End()
	b.wantPlaces(seats, "third")
	third.End()
	b.wantIdle()
}

func TestWhoWouldWaitInVainIsRefused(t *testing.T) {
	b := newBench(t, 1)
	l := b.NewLine()
	for range 16 { // turns of a minute
		s := b.seat(l)
		b.pass(time.Minute)
		s.End()
	}
	running, waiting := b.seat(l), b.seat(l)
	late, patient := new(runq.Seat), new(runq.Seat)
	late.Begin(l)
	patient.Begin(l)
	soon, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := late.Ask(soon, false); !errors.Is(err, runq.ErrHopeless) {
		t.Errorf("with half a minute left: %v, want %v", err, runq.ErrHopeless)
	}
	later, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if err := patient.Ask(later, false); err != nil {
		t.Errorf("with an hour left: %v", err)
	}
	for _, s := range []*runq.Seat{running, waiting, patient} {
		if !s.Has() {
			t.Fatal("the next in the line has no place")
		}
		s.End()
	}
	// Shorter ones are believed soon.
	for range 16 {
		b.seat(l).End()
	}
	running = b.seat(l)
	if err := late.Ask(soon, false); err != nil {
		t.Errorf("after short ones: %v", err)
	}
	running.End()
	if !late.Has() {
		t.Fatal("the next in the line has no place")
	}
	late.End()
	b.wantIdle()
}

func TestATurnThatNeedsNoPlace(t *testing.T) {
	for name, turn := range map[string]*runq.Turn{"none": runq.Of(t.Context()), "zero": {}} {
		waited := false
		err := errors.Join(turn.Take(t.Context()), turn.Check(t.Context()), turn.Wait(t.Context(), func() { waited = true }))
		turn.End()
		if err != nil || !waited {
			t.Errorf("%s: %v, waited %v", name, err, waited)
		}
	}
	if (*runq.Queue)(nil).NewLine() != nil {
		t.Error("no queue has a line")
	}
}

func TestTheEndOfTheContextEndsAWait(t *testing.T) {
	b := newBench(t, 1)
	l := b.NewLine()
	running := b.seat(l)
	for name, test := range map[string]struct {
		ctx  func() (context.Context, context.CancelFunc)
		want error
	}{
		"canceled before": {func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return ctx, cancel
		}, context.Canceled},
		"canceled meanwhile": {func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(20*time.Millisecond, cancel)
			return ctx, cancel
		}, context.Canceled},
		"deadline": {func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), time.Millisecond)
		}, context.DeadlineExceeded},
	} {
		ctx, cancel := test.ctx()
		var turn runq.Turn
		turn.Begin(l)
		if err := turn.Take(ctx); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		cancel()
	}
	running.End()
	b.wantIdle()
}

// TestLowHasAQuarter: what nobody waits for leaves others most of the places, and has all
// that are free.
func TestLowHasAQuarter(t *testing.T) {
	b := newBench(t, 1)
	line := b.NewLine()
	high := &plugin{guests: 4, run: time.Millisecond, line: line}
	low := &plugin{guests: 4, run: time.Millisecond, line: line.Low()}
	b.simulate([]*plugin{low}, time.Second)
	if low.ran < 990*time.Millisecond {
		t.Errorf("alone it ran %s of a second", low.ran)
	}
	low.ran = 0
	b.simulate([]*plugin{high, low}, 10*time.Second)
	if share := float64(low.ran) / float64(low.ran+high.ran); share < 0.1 || share > 0.25 {
		t.Errorf("it ran %s, the other %s", low.ran, high.ran)
	}
	var none *runq.Line
	if none.Low() != nil {
		t.Error("no line has another")
	}
}
