// Package rollout decides whether a new version of a plugin does worse than the one
// it takes over from, while both serve. It counts, computes and has neither a clock
// nor any input or output of its own: package deploy carries out what it says.
//
// # The test
//
// Both versions serve at the same time, so a disturbance from outside (a slow disk,
// a service that is down) meets both in proportion to their requests. What tells
// them apart is which of them a bad request belongs to. Given that one of e1 + e0
// requests failed, it belongs to the new version, which had e1 of them, with the
// probability
//
//	r*e1 / (r*e1 + e0)
//
// where r is how many times as often the new version fails. The gate keeps, for each
// of several r, the likelihood of what it saw, divided by that under the largest
// ratio it tolerates. The mean of these quotients is a supermartingale while the new
// version is within what is tolerated. So the probability that it ever reaches
// 1/alpha is at most alpha, however often one looks (Ville's inequality), and the
// shares and rates may change on the way. It is a mixture sequential probability ratio
// test:
//
//   - M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data",
//     NeurIPS 2022: the test on counts whose rate varies and cancels out.
//   - R. Johari, P. Koomen, L. Pekelis, D. Walsh, "Always valid inference: continuous
//     monitoring of A/B tests", Operations Research 70 (2022): mixtures, and why a test
//     with a fixed number of samples must not be looked at early.
//
// Four such tests run: on traps, on failures (traps, other faults, 5xx), and on
// requests slower than the old version's 90th and 99th percentile. Clients, and not
// requests, are given to versions. Where one client makes most of the failures, they
// count as many although they have one cause; then a good version may go back.
package rollout

import (
	"fmt"
	"math"
	"time"
)

// What the gate goes by. The tests share the one percent of roll-outs of good
// versions that may go back.
const (
	alpha = 0.01 / 4

	// leastFailures end a roll-out: one failure may be anybody's.
	leastFailures = 2
	// worse is how many times as often the new version may fail.
	worse = 1.25
	// slower is how many times as often it may be slow, slow being longer than all but
	// a tenth, or a hundredth, of the old version's requests.
	slower = 2
	// leastSlow is a time that nobody calls slow.
	leastSlow = 5 * time.Millisecond
	// leastOld are the old version's requests from which its percentiles are known, and
	// leastNew the new version's until something is said about its times.
	leastOld, leastNew = 200, 50

	// margin is how much more of its requests, in parts of one, the new version may
	// fail for all that is known when it goes on to the next step, with a confidence of
	// 99.5 %: quantile is that of the normal distribution.
	margin   = 0.03
	quantile = 2.576
	// leastRequests of the new version are needed to go on in any case.
	leastRequests = 100
)

// ratios are the values of r, as multiples of what is tolerated.
var ratios = [...]float64{1.5, 3, 8, 30, 120, 1000}

// test is one of the gate's tests.
type test struct {
	tolerated float64
	logs      [len(ratios)]float64 // of the quotients
}

// add takes e1 requests of the new version with k1 bad ones, and e0 of the old with
// k0. No bad one says nothing.
func (t *test) add(k1, e1, k0, e0 int64) {
	k := float64(k1 + k0)
	if k == 0 || e1 == 0 || e0 == 0 {
		return
	}
	under := t.tolerated*float64(e1) + float64(e0)
	for i, m := range ratios {
		t.logs[i] += float64(k1)*logRatios[i] - k*math.Log((m*t.tolerated*float64(e1)+float64(e0))/under)
	}
}

var logRatios = func() (logs [len(ratios)]float64) {
	for i, m := range ratios {
		logs[i] = math.Log(m)
	}
	return logs
}()

// rejects reports whether the new version is worse.
func (t *test) rejects() bool {
	most := math.Inf(-1)
	for _, l := range t.logs {
		most = max(most, l)
	}
	if most < math.Log(1/alpha) { // nor is the mean
		return false
	}
	sum := 0.0
	for _, l := range t.logs {
		sum += math.Exp(l - most)
	}
	return most+math.Log(sum/float64(len(ratios))) >= math.Log(1/alpha)
}

// Verdict is what the gate has found out so far.
type Verdict int8

// The verdicts.
const (
	Inconclusive Verdict = iota // too little is known
	Good                        // the new version fails at most margin more often
	Worse                       // the new version fails, or is slow, more often
)

// Gate compares a new version with the old one. The zero Gate has seen nothing.
type Gate struct {
	traps, failures, slow90, slow99 test

	old, new Counts // at the last look
}

// Look takes what both have counted since the gate began, and says what it has found
// out, with the numbers.
func (g *Gate) Look(old, new *Counts) (Verdict, string) {
	e0, e1 := old.Requests-g.old.Requests, new.Requests-g.new.Requests
	if e0 > 0 || e1 > 0 {
		g.take(old, new, e0, e1)
	}
	switch {
	case new.Traps >= leastFailures && g.traps.rejects():
		return Worse, "it traps more often: " + compared("requests trapped", new.Traps, new.Requests, old.Traps, old.Requests)
	case new.Failures >= leastFailures && g.failures.rejects():
		return Worse, "it fails more often: " + compared("requests failed", new.Failures, new.Requests, old.Failures, old.Requests)
	case new.Requests >= leastNew && g.slow90.rejects():
		return Worse, "it is slower: " + comparedTimes(old, new)
	case new.Requests >= leastNew && g.slow99.rejects():
		return Worse, "it is slow more often: " + comparedTimes(old, new)
	}
	return g.suffices(old, new)
}

// take gives the tests what is new.
func (g *Gate) take(old, new *Counts, e0, e1 int64) {
	g.traps.tolerated, g.failures.tolerated, g.slow90.tolerated, g.slow99.tolerated = worse, worse, slower, slower
	g.traps.add(new.Traps-g.new.Traps, e1, old.Traps-g.old.Traps, e0)
	g.failures.add(new.Failures-g.new.Failures, e1, old.Failures-g.old.Failures, e0)
	if g.old.Requests >= leastOld { // what is slow was known before what is judged by it
		g.slow90.addSlow(g, old, new, 0.90, e0, e1)
		g.slow99.addSlow(g, old, new, 0.99, e0, e1)
	}
	g.old, g.new = *old, *new
}

// addSlow takes what was slower than a part q of the old version's requests before.
func (t *test) addSlow(g *Gate, old, new *Counts, q float64, e0, e1 int64) {
	b := max(g.old.Times.quantile(q), bucketOf(leastSlow))
	k1 := new.Times.above(b) - g.new.Times.above(b)
	k0 := old.Times.above(b) - g.old.Times.above(b)
	t.add(min(k1, e1), e1, min(k0, e0), e0)
}

// suffices says whether enough is known to go on.
func (g *Gate) suffices(old, new *Counts) (Verdict, string) {
	said := compared("requests failed", new.Failures, new.Requests, old.Failures, old.Requests)
	bound := upper(new.Failures, new.Requests)
	switch {
	case new.Requests < leastRequests:
		return Inconclusive, fmt.Sprintf("%d requests reached it, at least %d are needed", new.Requests, leastRequests)
	case old.Requests == 0:
		return Inconclusive, "no request reached the old version, so there is nothing to compare with"
	case bound > rate(old.Failures, old.Requests)+margin:
		return Inconclusive, fmt.Sprintf("too few requests to tell: it may fail up to %s of them; %s", percent(bound), said)
	}
	return Good, said
}

// upper is the largest rate that k of n may stand for (Wilson's interval).
func upper(k, n int64) float64 {
	const z2 = quantile * quantile
	m, p := float64(n), rate(k, n)
	return (p + z2/(2*m) + quantile*math.Sqrt(p*(1-p)/m+z2/(4*m*m))) / (1 + z2/m)
}

func rate(k, n int64) float64 {
	if n == 0 {
		return 0
	}
	return float64(k) / float64(n)
}

func compared(what string, k1, n1, k0, n0 int64) string {
	return fmt.Sprintf("%d of its %d %s (%s), and %d of the old version's %d (%s)", k1, n1, what, percent(rate(k1, n1)), k0, n0, percent(rate(k0, n0)))
}

func percent(p float64) string { return fmt.Sprintf("%.3g %%", 100*p) }

func comparedTimes(old, new *Counts) string {
	return fmt.Sprintf("p50 %v, p90 %v, p99 %v of %d requests; the old version's p50 %v, p90 %v, p99 %v of %d",
		round(new.Times.Quantile(0.5)), round(new.Times.Quantile(0.9)), round(new.Times.Quantile(0.99)), new.Requests,
		round(old.Times.Quantile(0.5)), round(old.Times.Quantile(0.9)), round(old.Times.Quantile(0.99)), old.Requests)
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
