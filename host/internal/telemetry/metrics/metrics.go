// Package metrics shows in Prometheus's format what the parts of the host count. It
// reads when somebody asks, and nothing on the way of a request knows of it. The
// names, types and labels are a contract (testdata/metrics.golden). Package host
// makes the Exporter, server/admin and server/scrape hand it out.
package metrics

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/telemetry/tally"
)

// Metric is one metric: what its name, type and labels are, and never anything else.
type Metric struct {
	Name   string
	Kind   Kind
	Help   string
	Labels []string
}

// Kind is the type of a metric.
type Kind string

// The kinds.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Part is the metrics of one part of the host. Read puts the values they have at the
// moment; it holds up nobody and returns at once.
type Part struct {
	Metrics []*Metric
	Read    func(*Values)
}

// Values takes the values of metrics.
type Values struct {
	descs map[*Metric]*prometheus.Desc
	out   chan<- prometheus.Metric
}

// Put puts the value of a counter or a gauge, with a value for each of its labels.
func (v *Values) Put(m *Metric, value float64, labels ...string) {
	kind := prometheus.GaugeValue
	if m.Kind == Counter {
		kind = prometheus.CounterValue
	}
	made, err := prometheus.NewConstMetric(v.descs[m], kind, value, labels...)
	v.send(m, made, err)
}

// PutHistogram puts a histogram of values that are so many to the unit of the metric:
// 1e9 for nanoseconds.
func (v *Values) PutHistogram(m *Metric, d tally.Distribution, unit float64, labels ...string) {
	buckets := make(map[float64]uint64, len(d.Bounds))
	for i, bound := range d.Bounds {
		buckets[float64(bound)/unit] = d.Below[i]
	}
	made, err := prometheus.NewConstHistogram(v.descs[m], d.Count, float64(d.Sum)/unit, buckets, labels...)
	v.send(m, made, err)
}

func (v *Values) send(m *Metric, made prometheus.Metric, err error) {
	if err != nil {
		made = prometheus.NewInvalidMetric(v.descs[m], err)
	}
	v.out <- made
}

// collector is a prometheus.Collector of parts.
type collector struct {
	parts []Part
	descs map[*Metric]*prometheus.Desc
}

func newCollector(parts []Part) *collector {
	c := &collector{parts: parts, descs: map[*Metric]*prometheus.Desc{}}
	for _, part := range parts {
		for _, m := range part.Metrics {
			c.descs[m] = prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
		}
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range c.descs {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	v := &Values{descs: c.descs, out: out}
	for _, part := range c.parts {
		part.Read(v)
	}
}

// Exporter answers scrapes, one at a time. Safe for concurrent use.
type Exporter struct {
	registry *prometheus.Registry
	log      *slog.Logger
	turn     chan struct{} // holds one token while a scrape is answered
}

// New returns an Exporter of what the sources have. log takes what is wrong with a
// metric.
func New(s Sources, log *slog.Logger) *Exporter {
	e := &Exporter{registry: prometheus.NewRegistry(), log: log, turn: make(chan struct{}, 1)}
	e.registry.MustRegister(newCollector(parts(s)), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return e
}

// patience is for how long a scrape waits for the one before it.
const patience = 5 * time.Second

// Scrape returns all metrics in Prometheus's text format, compressed or not.
// Unavailable says that another scrape is still being answered.
func (e *Exporter) Scrape(ctx context.Context, compressed bool) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return nil, fault.New(fault.Unavailable, "scrape", "other scrapes are still being answered; scrape less often, or from fewer places")
	}
	families, err := e.registry.Gather()
	if err != nil { // the rest is good
		e.log.Error("some metrics cannot be shown", "error", err)
	}
	var text bytes.Buffer
	var encoded *gzip.Writer
	encoder := expfmt.NewEncoder(&text, expfmt.NewFormat(expfmt.TypeTextPlain))
	if compressed {
		encoded, _ = gzip.NewWriterLevel(&text, gzip.BestSpeed) // it is a level
		encoder = expfmt.NewEncoder(encoded, expfmt.NewFormat(expfmt.TypeTextPlain))
	}
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return nil, fault.Wrap(fault.Internal, "scrape", fmt.Sprintf("encode metric %s", family.GetName()), err)
		}
	}
	if encoded != nil {
		if err := encoded.Close(); err != nil {
			return nil, fault.Wrap(fault.Internal, "scrape", "compress the metrics", err)
		}
	}
	return text.Bytes(), nil
}
