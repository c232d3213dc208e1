package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// Load of BenchmarkTurns.
const (
	turnsConns  = 64
	turnsRounds = 5
	turnsRound  = time.Second
)

// BenchmarkTurns measures who gets served at saturation: each connection has its
// next request on the way as soon as it has an answer. For each request it counts
// how many others were answered meanwhile: where each gets its turn, as many as
// there are connections. Unlike time, that hardly depends on what else the machine
// does.
func BenchmarkTurns(b *testing.B) {
	modules := map[string][]byte{
		"tiny": pack(b, enginetest.Tiny(), "tiny"),
		"go":   pack(b, goGuest(b, "../../examples/hello"), "go"),
		"json": pack(b, goGuest(b, jsonGuest), "json", jsonWarmup...),
	}
	bare := startBare(b)
	all := []*turns{
		{name: "Fiber alone, hello", driver: drive(b, bare.fiber, "/", "", turnsConns)},
		{name: "Fiber alone, computes as long as JSON", driver: drive(b, bare.fiber, "/json", jsonText, turnsConns)},
		{name: "net/http, computes as long as JSON", driver: drive(b, bare.plain, "/json", jsonText, turnsConns)},
	}
	besides(func(suffix string) {
		s := serve(b, b.TempDir(), "--log-level", "warn")
		for name, module := range modules {
			s.deploy(name, module)
		}
		all = append(all,
			&turns{name: "tiny guest, hello" + suffix, driver: drive(b, s.public, "/tiny", "", turnsConns)},
			&turns{name: "Go guest, hello" + suffix, driver: drive(b, s.public, "/go", "", turnsConns)},
			&turns{name: "Go guest, JSON" + suffix, driver: drive(b, s.public, "/json", jsonText, turnsConns)},
		)
	})
	for b.Loop() {
		for range turnsRounds {
			for _, t := range all {
				t.measure(b)
			}
		}
	}
	b.Log("\n" + turnsTable(all))
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

// turns is one row of the table.
type turns struct {
	name   string
	driver *driver
	rounds []turnsOf
}

// turnsOf is what one round found.
type turnsOf struct {
	round
	others50, others99, others999 int // that were answered while a request waited
}

func (t *turns) measure(b *testing.B) {
	b.Helper()
	r := turnsOf{round: t.driver.run(b, turnsRound, 0)}
	others := t.driver.others
	slices.Sort(others)
	n := len(others)
	r.others50, r.others99, r.others999 = others[n/2], others[n*99/100], others[n*999/1000]
	t.rounds = append(t.rounds, r)
}

// median returns the median over the rounds of one figure.
func (t *turns) median(figure func(turnsOf) float64) float64 {
	var all []float64
	for _, r := range t.rounds {
		all = append(all, figure(r))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func turnsTable(all []*turns) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "what\trequests/s\tp50\tp99\tp99/p50\tothers meanwhile: p50\tp99\tp99.9\t\n")
	for _, t := range all {
		took := func(figure func(turnsOf) time.Duration) time.Duration {
			return time.Duration(t.median(func(r turnsOf) float64 { return float64(figure(r)) })).Round(10 * time.Microsecond)
		}
		fmt.Fprintf(w, "%s\t%.0f\t%v\t%v\t%.1f\t%.0f\t%.0f\t%.0f\t\n", t.name,
			t.median(func(r turnsOf) float64 { return r.rate }),
			took(func(r turnsOf) time.Duration { return r.p50 }), took(func(r turnsOf) time.Duration { return r.p99 }),
			t.median(func(r turnsOf) float64 { return float64(r.p99) / float64(r.p50) }),
			t.median(func(r turnsOf) float64 { return float64(r.others50) }),
			t.median(func(r turnsOf) float64 { return float64(r.others99) }),
			t.median(func(r turnsOf) float64 { return float64(r.others999) }))
	}
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	return text.String()
}
