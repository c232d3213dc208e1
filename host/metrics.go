package host

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/scrape"
	"github.com/wasmoor/wasmoor/host/internal/server/vitals"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/disk"
	"github.com/wasmoor/wasmoor/host/internal/telemetry/metrics"
)

// exporter returns what shows the metrics of all parts.
func (h *Host) exporter(health []wire.Check) *metrics.Exporter {
	return metrics.New(metrics.Sources{
		Plugins: h.deployer.Counted, Queues: h.queues.Stats, Crons: h.crons.Stats, Live: h.live, Cache: h.public.Cached, Sockets: h.sockets, Streams: h.streams.Totals, Rollouts: h.deployer.Rollouts, Store: h.store, Builds: h.pipeline.Builds, Health: health, Version: Version(),
		Shipping: h.Shipping, Backups: h.backups.Status, Blobs: h.blobs.Stats, Uploads: h.uploads.Open, Traces: h.tracer.Totals, LogDropped: h.cfg.LogDropped,
		Free: func() (int64, error) { return disk.Free(h.cfg.DataDir) }, MinFree: h.cfg.MinFreeDisk,
		Listeners: map[string]func() vitals.Listener{
			PublicListener: func() vitals.Listener { return h.public.Vitals() },
			AdminListener:  func() vitals.Listener { return h.admin.Vitals() },
		},
		Budgets: func(yield func(string, *limit.Budget)) {
			yield("guest", h.guests.Budget)
			yield("handler", h.handlers)
			yield("live", h.live.Memory())
			h.public.Budgets(yield)
		},
	}, h.cfg.Log)
}

// listenForScrapes opens the listener of the metrics, if there is to be one.
func (h *Host) listenForScrapes(exporter *metrics.Exporter, health []wire.Check) (err error) {
	if h.cfg.MetricsAddr == "" {
		return nil
	}
	if h.scraping, err = h.listenOn(MetricsListener, h.cfg.MetricsAddr); err != nil {
		return err
	}
	h.scrapes = scrape.New(exporter, health, h.cfg.Log)
	return nil
}

// serveScrapes serves the listener of the metrics, if there is one, until the others
// have ended: what a stop waits for can be seen.
func (h *Host) serveScrapes() error {
	if h.scrapes == nil {
		return nil
	}
	return h.scrapes.Serve(h.scraping)
}

// closeScrapes ends that listener.
func (h *Host) closeScrapes(ctx context.Context) error {
	if h.scrapes == nil {
		return nil
	}
	return h.scrapes.Close(ctx)
}

// MetricsURL returns where the metrics are shown without a token, "" = nowhere.
func (h *Host) MetricsURL() string {
	if h.scraping == nil {
		return ""
	}
	return "http://" + h.scraping.Addr().String() + "/metrics"
}
