package rollout

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// shape is a distribution of times: what part of the requests takes how long.
type shape []struct {
	part float64
	took time.Duration
}

// shapes are handlers of several kinds. The tails are heavy: of many services the
// slowest hundredth takes ten times the median and more.
var shapes = map[string]shape{
	"quick":     {{0.7, 300 * time.Microsecond}, {0.25, 700 * time.Microsecond}, {0.05, 3 * time.Millisecond}},
	"usual":     {{0.5, 10 * time.Millisecond}, {0.3, 14 * time.Millisecond}, {0.12, 25 * time.Millisecond}, {0.06, 60 * time.Millisecond}, {0.02, 300 * time.Millisecond}},
	"two kinds": {{0.8, 4 * time.Millisecond}, {0.195, 400 * time.Millisecond}, {0.005, 4 * time.Second}},
}

// slowed returns s with every time multiplied.
func (s shape) slowed(by float64) shape {
	out := slices.Clone(s)
	for i := range out {
		out[i].took = time.Duration(float64(out[i].took) * by)
	}
	return out
}

// version is one side of a simulated roll-out.
type version struct {
	fails float64
	times shape
	Counts
}

// serve has it serve n requests.
func (v *version) serve(rng *rand.Rand, n int64) {
	v.Requests += n
	v.Failures += binomial(rng, n, v.fails)
	left, part := n, 1.0
	for _, s := range v.times {
		k := binomial(rng, left, min(1, s.part/part))
		v.Times[bucketOf(s.took)] += k
		left, part = left-k, part-s.part
	}
}

// binomial draws from a binomial distribution: by counting gaps where few are
// expected, else by the normal distribution.
func binomial(rng *rand.Rand, n int64, p float64) (k int64) {
	switch m := float64(n) * p; {
	case p <= 0 || n <= 0:
		return 0
	case p >= 1:
		return n
	case p > 0.5:
		return n - binomial(rng, n, 1-p)
	case m < 12:
		for at := int64(0); ; k++ {
			at += int64(math.Log(1-rng.Float64())/math.Log1p(-p)) + 1
			if at > n || at < 0 {
				return k
			}
		}
	default:
		return min(n, max(0, int64(math.Round(m+rng.NormFloat64()*math.Sqrt(m*(1-p))))))
	}
}

// run is how a simulated roll-out ended.
type run struct {
	act  Act           // Stay = it was still held at the end
	took time.Duration // until then
	lost float64       // part of all requests that failed on the new version
}

// patience is how long a simulated roll-out is watched: an operator has looked at it
// by then, where it is held.
const patience = 6 * time.Hour

// simulate runs a roll-out by the default plan: so many requests in a second, in
// looks of tick. Load swings between half and one and a half of that.
func simulate(rng *rand.Rand, perSecond float64, tick time.Duration, old, young version) run {
	r := &plugin.Rollout{Plan: plugin.DefaultPlan()}
	var m Machine
	var now time.Time
	for began := now; ; {
		now = now.Add(tick)
		load := perSecond * tick.Seconds() * (1 + 0.5*math.Sin(now.Sub(began).Seconds()/300))
		n := int64(max(0, math.Round(load+rng.NormFloat64()*math.Sqrt(load))))
		n1 := binomial(rng, n, float64(r.Weight())/plugin.WholeWeight)
		young.serve(rng, n1)
		old.serve(rng, n-n1)
		d := m.Look(r, now, &old.Counts, &young.Counts)
		if d.Act == Next {
			r.Step, r.Stepped = r.Step+1, now
		}
		if d.Act == Back || r.Step == len(r.Plan) || now.Sub(began) > patience {
			return run{d.Act, now.Sub(began), float64(young.Failures) / float64(young.Requests+old.Requests)}
		}
		if r.Stepped.IsZero() {
			r.Stepped = began
		}
	}
}

// scenario is simulated many times.
type scenario struct {
	name       string
	perSecond  float64
	old, young version
	bad        bool // the new version is worse, and is to go back
}

// outcome is what became of the runs of a scenario.
type outcome struct {
	scenario
	runs, back, done, held int
	took                   []time.Duration // to the verdict of those that went back, or to the end
	lost                   float64         // on the average of the runs
}

func (s scenario) play(runs int, seed uint64) outcome {
	out := outcome{scenario: s, runs: runs}
	results := make([]run, runs)
	var next atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < runs; i = int(next.Add(1)) - 1 {
				rng := rand.New(rand.NewPCG(seed, uint64(i)))
				results[i] = simulate(rng, s.perSecond, 15*time.Second, s.old, s.young)
			}
		})
	}
	all.Wait()
	for _, r := range results {
		switch r.act {
		case Back:
			out.back++
		case Next:
			out.done++
		default:
			out.held++
			continue
		}
		out.took = append(out.took, r.took)
		out.lost += r.lost / float64(runs)
	}
	slices.Sort(out.took)
	return out
}

func (o outcome) at(q float64) time.Duration {
	if len(o.took) == 0 {
		return 0
	}
	return o.took[int(q*float64(len(o.took)-1))]
}

func (o outcome) row() string {
	part := func(n int) string { return fmt.Sprintf("%.2f %%", 100*float64(n)/float64(o.runs)) }
	return fmt.Sprintf("| %s | %.0f | %d | %s | %s | %s | %v | %v | %.2f %% |",
		o.name, o.perSecond, o.runs, part(o.back), part(o.done), part(o.held), o.at(0.5), o.at(0.99), 100*o.lost)
}

const head = `
| new version | requests/s | runs | back | done | held | p50 | p99 | requests failed |
|---|---|---|---|---|---|---|---|---|`

// simulations are how many roll-outs each test plays in all.
const simulations = 10_000

// TestEqualVersionsAreRolledOut: at the default plan at most one roll-out in a hundred
// goes back where the new version does as the old one, whatever that one fails and
// however its times are spread.
func TestEqualVersionsAreRolledOut(t *testing.T) {
	var all []scenario
	for _, fails := range []float64{0, 0.001, 0.01} {
		for _, name := range []string{"quick", "usual", "two kinds"} {
			v := version{fails: fails, times: shapes[name]}
			perSecond := 100.0
			if name == "quick" {
				perSecond = 1000
			}
			all = append(all, scenario{fmt.Sprintf("equal, %g %% fail, %s times", 100*fails, name), perSecond, v, v, false})
		}
	}
	worst := tabulate(t, all)
	for _, o := range worst {
		if o.back*100 > o.runs {
			t.Errorf("%s: %d of %d go back", o.name, o.back, o.runs)
		}
		if o.done*100 < o.runs*95 {
			t.Errorf("%s: only %d of %d reach everybody", o.name, o.done, o.runs)
		}
	}
}

// TestWorseVersionsGoBack: at the default plan at most one version in a hundred that
// fails 5 % of its requests reaches everybody, and until it goes back less than one
// request in a hundred of all fails, of those that the new version lets fail; one that
// fails always costs its share, which is one in a hundred.
func TestWorseVersionsGoBack(t *testing.T) {
	usual := shapes["usual"]
	var all []scenario
	for _, perSecond := range []float64{20, 100, 1000} {
		for _, fails := range []float64{0, 0.001, 0.01} {
			all = append(all, scenario{fmt.Sprintf("5 %% fail, old %g %%", 100*fails), perSecond, version{fails: fails, times: usual}, version{fails: 0.05, times: usual}, true})
		}
	}
	all = append(all,
		scenario{"all fail", 100, version{times: usual}, version{fails: 1, times: usual}, true},
		scenario{"0.5 % fail, old 0.1 %", 1000, version{fails: 0.001, times: usual}, version{fails: 0.005, times: usual}, true},
		scenario{"three times as slow", 100, version{times: usual}, version{times: usual.slowed(3)}, true},
	)
	for _, o := range tabulate(t, all) {
		if o.done*100 > o.runs {
			t.Errorf("%s: %d of %d reach everybody", o.name, o.done, o.runs)
		}
		if o.lost > 0.003 && o.young.fails < 1 {
			t.Errorf("%s: %.2f %% of all requests failed", o.name, 100*o.lost)
		}
	}
}

// TestFewRequestsAreHeld: where nobody comes, nothing is decided.
func TestFewRequestsAreHeld(t *testing.T) {
	v := version{times: shapes["usual"]}
	if o := (scenario{"few requests", 0.2, v, v, false}).play(100, 3); o.held != o.runs {
		t.Errorf("%s", o.row())
	}
}

// tabulate plays scenarios and prints what BENCHMARKS.md keeps.
func tabulate(t *testing.T, all []scenario) (played []outcome) {
	table := head
	for i, s := range all {
		o := s.play(simulations/len(all)+1, uint64(i))
		table += "\n" + o.row()
		played = append(played, o)
	}
	t.Log(table)
	return played
}
