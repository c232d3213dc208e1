package metrics_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/wasmoor/wasmoor/host/internal/backup"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/keeper"
	"github.com/wasmoor/wasmoor/host/internal/cache"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/cron"
	"github.com/wasmoor/wasmoor/host/internal/cron/ticking"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/live"
	domain "github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/prepare"
	"github.com/wasmoor/wasmoor/host/internal/queue/delivery"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/server/vitals"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/service"
	"github.com/wasmoor/wasmoor/host/internal/ship"
	"github.com/wasmoor/wasmoor/host/internal/socket/hub"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/meter"
	"github.com/wasmoor/wasmoor/host/internal/store/kept"
	"github.com/wasmoor/wasmoor/host/internal/telemetry/metrics"
	"github.com/wasmoor/wasmoor/host/internal/telemetry/tally"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

var update = flag.Bool("update", false, "write the golden file; a name that is gone breaks dashboards of others")

// fakeStore has a key in each space.
type fakeStore struct{ *meter.Writes }

func (fakeStore) Usage(space store.Space) (store.Usage, error) {
	return store.Usage{Keys: int64(space), Bytes: 10 * int64(space)}, nil
}
func (fakeStore) Size() (lsm, values int64) { return 100, 200 }

// plugin returns what is counted of a plugin after some requests on so many routes.
func plugin(name string, routes int, room *tally.Room) deploy.Counted {
	states := invoke.States{}
	states.Add(outbound.Name, egress.NewState(time.Now))
	counts := new(service.Counts)
	counts.Of("stock")
	states.Add(service.Name, counts)
	p := dispatch.NewPlugin(name, 1, nil, states)
	p.Meter.Room = room
	p.Meter.Begin(2)
	for i := range routes {
		p.Meter.Observe(2, fmt.Sprintf("GET /route/%d/{id}", i), "GET", 200, 3*time.Millisecond)
	}
	p.Counts.Add(&trace.Record{Status: 200, Attempts: 2, Outcome: trace.Committed, Run: time.Second, Wait: time.Millisecond})
	p.Counts.Add(&trace.Record{Code: string(fault.Trap), Error: "handle: the guest trapped: unreachable", Attempts: 1, Outcome: trace.Aborted})
	p.Counts.Add(&trace.Record{Code: string(fault.Unavailable), Stopped: trace.Ended, Attempts: 1, Outcome: trace.Aborted})
	p.Pause.Store(&domain.Pause{Writes: true})
	p.States.Switch(true)
	return deploy.Counted{
		Name: name, Owner: p, Space: 7, Lost: 2, Quota: store.Quota{Keys: 10, Bytes: 1000},
		Versions: []deploy.VersionServing{{Number: 2, InFlight: 1, Has: dispatch.Stats{Loaded: true, Idle: 3, Busy: 1}}},
	}
}

func sources(plugins ...deploy.Counted) metrics.Sources {
	writes := meter.New()
	writes.Begin()
	writes.End(3, nil)
	writes.Refused(true)
	refusals := new(vitals.Refusals)
	refusals.Count(404)
	return metrics.Sources{
		Plugins: func() []deploy.Counted { return plugins },
		Queues: func() []delivery.Stats {
			return []delivery.Stats{{
				Plugin: "shop", Queue: "mail", Waiting: 5, Handling: 1, Oldest: time.Now().Add(-time.Minute),
				Counts: delivery.Counts{Handled: 7, Failed: 2, Dead: 1, Conflicts: 3, Refused: 4},
			}}
		},
		Crons: func() []ticking.Stats {
			return []ticking.Stats{{
				Plugin: "shop", Name: "cleanup", Late: 90 * time.Second, LateAll: 3 * time.Minute, Refused: 4,
				Record: cron.Record{Counts: cron.Counts{Done: 7, Failed: 2, Skipped: 3}},
			}}
		},
		Live: fakeLive{},
		Cache: func() []cache.Of {
			return []cache.Of{{Plugin: "shop", Entries: 3, Bytes: 900, Routes: []cache.Route{{Pattern: "GET /stock", Hits: 9, Shared: 1, Kept: 4, Passed: 2, Ended: map[string]int64{"change": 1}}}}}
		},
		Sockets: fakeSockets{},
		Streams: func() stream.Totals {
			return stream.Totals{
				Open: [2]int64{3, 4}, Opened: [2]int64{5, 6}, Max: 100, Refused: 7, Slow: 8, Flooded: 9, Lost: 10, In: 11, Out: 12, BytesIn: 13, BytesOut: 14,
			}
		},
		Rollouts: func() deploy.RolloutTotals { return deploy.RolloutTotals{Begun: 2, Back: 1, Held: 3, Running: 1} },
		Store:    fakeStore{writes}, Free: func() (int64, error) { return 1 << 30, nil }, MinFree: 1 << 20,
		Builds:    func() prepare.Builds { return prepare.Builds{Built: 1, Took: time.Second} },
		Listeners: map[string]func() vitals.Listener{"public": func() vitals.Listener { return vitals.Listener{Open: 1, Max: 10, Refusals: refusals} }},
		Budgets:   func(yield func(string, *limit.Budget)) { yield("guest", limit.NewBudget(100)) },
		Health:    []wire.Check{{Name: "reads", Healthy: func() error { return nil }}, {Name: "writes", Healthy: func() error { return errors.New("disk") }}},
		Shipping:  func() *ship.Status { return &ship.Status{Lag: 2 * time.Second, Every: 10 * time.Second, Failures: 3} },
		Backups:   func() *backup.Status { return &backup.Status{Every: time.Hour, Made: 2, Failures: 1} },
		Blobs: func() keeper.Stats {
			return keeper.Stats{
				Swept: blob.Swept{Blobs: 5, Bytes: 500, Unnamed: 2, UnnamedBytes: 200, Missing: 1}, Removed: 7, Failures: 1,
				Place: blob.Stats{PutBytes: 600, GetBytes: 700, Failures: 3, OpenBytes: 40, LostBytes: 30},
			}
		},
		Uploads: func() int { return 2 },
		Traces:  func() (int64, int64) { return 5, 6 },
		Version: "v1", LogDropped: func() int64 { return 4 },
	}
}

type fakeLive struct{}

func (fakeLive) Plugins() []live.Of { return []live.Of{{Plugin: "shop", Streams: 7, Answers: 2}} }

func (fakeLive) Totals() live.Totals {
	return live.Totals{Waiting: 1, States: 5, Unchanged: 6, Retries: 2, Failed: 3, Full: 2, Sent: 40, Ended: 4, Index: kept.Stats{Entries: 2, Bytes: 900, Coarse: 1}}
}

type fakeSockets struct{}

func (fakeSockets) Plugins() []hub.Of { return []hub.Of{{Plugin: "chat", Open: [2]int{3, 2}}} }

func (fakeSockets) Totals() hub.Totals {
	return hub.Totals{Waiting: 1, Handled: 20, Failed: 2, Published: 3, Delivered: 30, Resumed: 4, Reset: 5, Trimmed: 6}
}

func scrape(t testing.TB, s metrics.Sources) string {
	t.Helper()
	var log bytes.Buffer
	text, err := metrics.New(s, slog.New(slog.NewTextHandler(&log, nil))).Scrape(t.Context(), false)
	if err != nil || log.Len() > 0 {
		t.Fatalf("scrape: %v, log %s", err, &log)
	}
	return string(text)
}

// TestContract: names, types and labels stay as they are. Others have them in
// dashboards and alert rules.
func TestContract(t *testing.T) {
	var lines []string
	for _, m := range metrics.Metrics() {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", m.Name, m.Kind, strings.Join(m.Labels, ","))))
	}
	slices.Sort(lines)
	got, file := strings.Join(lines, "\n")+"\n", "testdata/metrics.golden"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the metrics differ from the contract (-want +got); a new one goes into %s by -update, a change of one breaks what others have built:\n%s", file, diff)
	}
}

// TestScrape compares values of each part with what was counted.
func TestScrape(t *testing.T) {
	text := scrape(t, sources(plugin("demo", 2, nil)))
	for _, want := range []string{
		`http_server_request_duration_seconds_bucket{code="200",method="GET",plugin="demo",route="/route/1/{id}",version="2",le="0.005"} 1`,
		`http_server_request_duration_seconds_count{code="200",method="GET",plugin="demo",route="/route/0/{id}",version="2"} 1`,
		`http_server_request_duration_seconds_sum{code="200",method="GET",plugin="demo",route="/route/0/{id}",version="2"} 0.003`,
		`wasmoor_http_refused_total{listener="public",reason="not_found"} 1`,
		`wasmoor_connections{listener="public"} 1`,
		`wasmoor_invocations_total{outcome="committed",plugin="demo"} 1`,
		`wasmoor_invocation_attempts_total{plugin="demo"} 4`,
		`wasmoor_invocations_stopped_total{by="ended",plugin="demo"} 1`,
		`wasmoor_invocations_stopped_total{by="paused",plugin="demo"} 0`,
		`wasmoor_plugin_paused{plugin="demo",what="requests"} 0`,
		`wasmoor_plugin_paused{plugin="demo",what="writes"} 1`,
		`wasmoor_plugin_egress_off{plugin="demo"} 1`,
		`wasmoor_plugin_secrets_lost{plugin="demo"} 2`,
		`wasmoor_trace_spans_total{outcome="dropped"} 6`,
		`wasmoor_invocation_seconds_total{phase="run",plugin="demo"} 1`,
		`wasmoor_invocation_faults_total{fault="trap",plugin="demo"} 1`,
		`wasmoor_traps_total{kind="unreachable",plugin="demo"} 1`,
		`wasmoor_traps_total{kind="exit",plugin="demo"} 0`,
		`wasmoor_conflicts_total{plugin="demo"} 1`,
		`wasmoor_instances{plugin="demo",state="idle",version="2"} 3`,
		`wasmoor_plugin_loaded{plugin="demo",version="2"} 1`,
		`wasmoor_plugin_keys{plugin="demo"} 7`,
		`wasmoor_plugin_keys_limit{plugin="demo"} 10`,
		`wasmoor_outbound_calls_total{code="2xx",outcome="answered",plugin="demo"} 0`,
		`wasmoor_service_calls_total{code="2xx",outcome="answered",plugin="demo",service="stock"} 0`,
		`wasmoor_budget_limit_bytes{budget="guest"} 100`,
		`wasmoor_store_commits_total{result="written"} 3`,
		`wasmoor_store_commits_total{result="conflict"} 1`,
		`wasmoor_store_group_commits_bucket{le="4"} 1`,
		`wasmoor_store_bytes{part="values"} 200`,
		`wasmoor_disk_free_bytes 1.073741824e+09`,
		`wasmoor_builds_total{outcome="built"} 1`,
		`wasmoor_live_runs_total{outcome="refused"} 3`,
		`wasmoor_live_runs_total{outcome="full"} 2`,
		`wasmoor_sockets{kind="sse",plugin="chat"} 2`,
		`wasmoor_socket_events_total{outcome="failed"} 2`,
		`wasmoor_socket_deliveries_total 30`,
		`wasmoor_socket_resets_total 5`,
		`wasmoor_cache_bytes{plugin="shop"} 900`,
		`wasmoor_cache_requests_total{outcome="hit",plugin="shop",route="GET /stock"} 9`,
		`wasmoor_cache_ended_total{plugin="shop",reason="change",route="GET /stock"} 1`,
		`wasmoor_streams{kind="websocket"} 3`,
		`wasmoor_streams_opened_total{kind="sse"} 6`,
		`wasmoor_streams_dropped_total{reason="slow"} 8`,
		`wasmoor_stream_events_total{direction="out"} 12`,
		`wasmoor_healthy{check="writes"} 0`,
		`wasmoor_log_lines_lost_total 4`,
		`wasmoor_build_info{goversion="go`,
		`go_goroutines `,
		`process_open_fds `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

func TestPromlint(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(scrape(t, sources(plugin("demo", 2, nil))))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestScrapeIsBounded: a thousand plugins with more routes than there is room for.
func TestScrapeIsBounded(t *testing.T) {
	room := tally.NewRoom(tally.MaxAll)
	var many []deploy.Counted
	for i := range 1000 {
		many = append(many, plugin(fmt.Sprint("plugin-", i), 15, room))
	}
	exporter := metrics.New(sources(many...), slog.New(slog.DiscardHandler))
	begun := time.Now()
	packed, err := exporter.Scrape(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	unpack, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpack)
	if err != nil || !bytes.Contains(text, []byte(`plugin="plugin-999"`)) {
		t.Errorf("compressed: %d bytes, %v", len(text), err)
	}
	t.Logf("%d MiB, %d KiB compressed, %d lines, in %v", len(text)>>20, len(packed)>>10, bytes.Count(text, []byte("\n")), took)
	if n := bytes.Count(text, []byte("http_server_request_duration_seconds_count{")); n > tally.MaxAll+1000 {
		t.Errorf("%d histograms", n)
	}
	if len(text) > 64<<20 {
		t.Errorf("%d bytes", len(text))
	}
}

// TestScrapesTakeTurns: one after the other, and whoever cannot wait is told.
func TestScrapesTakeTurns(t *testing.T) {
	s, in, out := sources(), make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.Plugins = func() []deploy.Counted {
		once.Do(func() {
			close(in)
			<-out
		})
		return nil
	}
	exporter := metrics.New(s, slog.New(slog.DiscardHandler))
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := exporter.Scrape(t.Context(), false); err != nil {
			t.Error(err)
		}
	})
	<-in
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := exporter.Scrape(gone, false); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("the second scrape: %v, want unavailable", err)
	}
	all.Go(func() {
		if _, err := exporter.Scrape(t.Context(), false); err != nil {
			t.Errorf("a scrape that waits: %v", err)
		}
	})
	close(out)
	all.Wait()
}
