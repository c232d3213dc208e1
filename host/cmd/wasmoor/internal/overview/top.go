package overview

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// leastInterval keeps top from being what the server is busy with.
const leastInterval = 500 * time.Millisecond

// TopCommand returns `wasmoor top`.
func (p *Commands) TopCommand() *cobra.Command {
	var interval time.Duration
	var times int
	cmd := p.Asks(p.Reads(p.Does(&cobra.Command{
		Use:   "top",
		Short: "Show what each plugin does, again and again",
		Long: `Top asks the server for its metrics and shows, for each plugin that had a request or
has an instance, what happened between two answers: requests and failures (5xx) in a
second, how long half and 99 of 100 requests took at most, instances, busy ones,
conflicts and traps in a second. Times are from the buckets of the histogram.`,
		Example: `  wasmoor top
  wasmoor top --interval 10s --times 1 --json`,
		Args: cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		if interval < leastInterval || times < 0 {
			return cli.Usage("--interval must be at least %v, and --times at least 0", leastInterval)
		}
		return p.Talk(func(c *client.Client) error { return p.top(cmd.Context(), c, interval, times) })
	})))
	cmd.Flags().DurationVar(&interval, "interval", 2*time.Second, "time between two looks")
	cmd.Flags().IntVar(&times, "times", 0, "how often to show them; 0 = until it is stopped")
	return cmd
}

func (p *Commands) top(ctx context.Context, c *client.Client, interval time.Duration, times int) error {
	before, err := look(ctx, c)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil // it was stopped, as it should be
		case <-time.After(interval):
		}
		now, err := look(ctx, c)
		if err != nil {
			return err
		}
		if err := p.showTop(now.since(before)); err != nil || n == times {
			return err
		}
		before = now
	}
}

func (p *Commands) showTop(list []activity) error {
	if p.AsJSON {
		return p.JSONLine(term.List(list))
	}
	if term.IsTerminal(p.Stdout) {
		fmt.Fprint(p.Stdout, "\x1b[H\x1b[2J")
	}
	rows := make([][]string, len(list))
	for i, a := range list {
		failures := number(a.Failures)
		if a.Failures > 0 {
			failures = p.Paint(p.Stdout, term.Red, failures)
		}
		rows[i] = []string{
			a.Plugin, number(a.Requests), failures, span(a.P50), span(a.P99),
			strconv.Itoa(a.Instances), strconv.Itoa(a.Busy), number(a.Conflicts), number(a.Traps),
		}
	}
	return p.Table("no plugin has had a request", "PLUGIN REQ/S FAIL/S P50 P99 INSTANCES BUSY CONFLICTS/S TRAPS/S", rows)
}

func number(x float64) string {
	if x == 0 {
		return "0"
	}
	return strconv.FormatFloat(x, 'f', 1, 64)
}

func span(ms *float64) string {
	if ms == nil {
		return "-"
	}
	return strconv.FormatFloat(*ms, 'f', 1, 64) + "ms"
}

// activity is what a plugin did between two looks, in a second.
type activity struct {
	Plugin    string   `json:"plugin"`
	Requests  float64  `json:"requests"`
	Failures  float64  `json:"failures"`
	P50       *float64 `json:"p50_ms"` // nil = there was no request
	P99       *float64 `json:"p99_ms"`
	Instances int      `json:"instances"`
	Busy      int      `json:"busy"`
	Conflicts float64  `json:"conflicts"`
	Traps     float64  `json:"traps"`
}

// seen is what the metrics say at a moment.
type seen struct {
	at      time.Time
	plugins map[string]*counts
}

// counts are those of a plugin since the server started.
type counts struct {
	requests, failures, conflicts, traps float64
	buckets                              map[float64]float64 // requests by the most that they took, in seconds
	instances, busy                      int
}

func look(ctx context.Context, c *client.Client) (seen, error) {
	text, err := c.Metrics(ctx)
	if err != nil {
		return seen{}, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return seen{}, fault.Wrap(fault.Internal, "top", "the metrics of the server cannot be read", err)
	}
	s := seen{time.Now(), map[string]*counts{}}
	for name, add := range map[string]func(*counts, *dto.Metric){
		"http_server_request_duration_seconds": addRequests,
		"wasmoor_conflicts_total":              func(n *counts, m *dto.Metric) { n.conflicts += m.GetCounter().GetValue() },
		"wasmoor_traps_total":                  func(n *counts, m *dto.Metric) { n.traps += m.GetCounter().GetValue() },
		"wasmoor_instances":                    addInstances,
	} {
		for _, m := range families[name].GetMetric() {
			add(s.of(label(m, "plugin")), m)
		}
	}
	return s, nil
}

func (s seen) of(plugin string) *counts {
	if s.plugins[plugin] == nil {
		s.plugins[plugin] = &counts{buckets: map[float64]float64{}}
	}
	return s.plugins[plugin]
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

func addRequests(n *counts, m *dto.Metric) {
	h := m.GetHistogram()
	n.requests += float64(h.GetSampleCount())
	if strings.HasPrefix(label(m, "code"), "5") {
		n.failures += float64(h.GetSampleCount())
	}
	for _, b := range h.GetBucket() {
		n.buckets[b.GetUpperBound()] += float64(b.GetCumulativeCount())
	}
}

func addInstances(n *counts, m *dto.Metric) {
	n.instances += int(m.GetGauge().GetValue())
	if label(m, "state") == "busy" {
		n.busy += int(m.GetGauge().GetValue())
	}
}

// since returns what has happened since before, the busiest plugin first.
func (s seen) since(before seen) []activity {
	seconds := s.at.Sub(before.at).Seconds()
	var list []activity
	for name, now := range s.plugins {
		was := before.of(name)
		if now.requests == 0 && now.instances == 0 {
			continue
		}
		list = append(list, activity{
			Plugin: name, Requests: rate(now.requests, was.requests, seconds), Failures: rate(now.failures, was.failures, seconds),
			P50: quantile(now, was, 0.5), P99: quantile(now, was, 0.99), Instances: now.instances, Busy: now.busy,
			Conflicts: rate(now.conflicts, was.conflicts, seconds), Traps: rate(now.traps, was.traps, seconds),
		})
	}
	slices.SortFunc(list, func(a, b activity) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Plugin, b.Plugin))
	})
	return list
}

// rate is how much a counter has grown in a second; one that has shrunk began anew.
func rate(now, was, seconds float64) float64 {
	if now < was {
		was = 0
	}
	return (now - was) / seconds
}

// quantile returns how many milliseconds so many of the requests took at most, as
// Prometheus's histogram_quantile does: evenly spread within a bucket.
func quantile(now, was *counts, q float64) *float64 {
	bounds := make([]float64, 0, len(now.buckets))
	for bound := range now.buckets {
		bounds = append(bounds, bound)
	}
	slices.Sort(bounds)
	total := now.requests - was.requests
	if total <= 0 || len(bounds) == 0 {
		return nil
	}
	want, low, below := q*total, 0.0, 0.0
	for _, bound := range bounds {
		n := now.buckets[bound] - was.buckets[bound]
		if n >= want && n > below {
			if math.IsInf(bound, 1) {
				bound = low
			}
			ms := 1000 * (low + (bound-low)*(want-below)/(n-below))
			return &ms
		}
		low, below = bound, n
	}
	ms := 1000 * low
	return &ms
}
